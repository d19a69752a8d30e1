//! Which addresses transactions name again and again.

use std::collections::{HashMap, HashSet};

use x402_escrow_interface::Address;

use super::ADDRESSES_PER_CHANGE;

/// How often an address is seen before it is taken to come back: a payment names its payer's accounts twice, when it is
/// held and when it is captured.
const COMES_BACK: u32 = 3;

/// How often the addresses of an extension must have been seen, together. An address that is named in full takes 31 of
/// a transaction's 1,232 bytes, so 40 of them have cost about the fee that the extension costs.
const PAYS_OFF: u32 = 40;

/// How many addresses are remembered. Those of strangers who pay once push out no others for long.
const MOST: usize = 8192;

/// How many extensions are worth making at once.
const MOST_EXTENSIONS: usize = 4;

/// How often addresses were named by transactions that were full. Kept in memory: after a crash it is learned again.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    seen: HashMap<Address, u32>,
    /// Those that are in a table.
    in_tables: HashSet<Address>,
}

impl Traffic {
    /// Takes down that a transaction names `address`.
    pub fn note(&mut self, address: Address) {
        if self.in_tables.contains(&address) {
            return;
        }
        if self.seen.len() >= MOST && !self.seen.contains_key(&address) {
            self.seen.retain(|_, times| {
                *times /= 2;
                *times > 0
            });
        }
        // Whatever is left was seen often.
        if self.seen.len() < MOST {
            let times = self.seen.entry(address).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// From now on exactly `addresses` are in tables.
    pub fn set_in_tables(&mut self, addresses: HashSet<Address>) {
        self.seen.retain(|address, _| !addresses.contains(address));
        self.in_tables = addresses;
    }

    /// What is worth adding to tables, most seen first, besides what is `known`: for each transaction that adds.
    pub fn worth_adding(&self, known: &HashSet<Address>) -> Vec<Vec<Address>> {
        let comes_back =
            |(address, times): &(&Address, &u32)| **times >= COMES_BACK && !known.contains(*address);
        let mut wanted: Vec<(&Address, &u32)> = self.seen.iter().filter(comes_back).collect();
        wanted.sort_unstable_by_key(|(address, times)| (std::cmp::Reverse(**times), **address));
        let pays_off = |chunk: &&[(&Address, &u32)]| {
            chunk.iter().fold(0, |sum: u32, (_, times)| sum.saturating_add(**times)) >= PAYS_OFF
        };
        let chunks = wanted.chunks(ADDRESSES_PER_CHANGE).take(MOST_EXTENSIONS).take_while(pays_off);
        chunks.map(|chunk| chunk.iter().map(|(address, _)| **address).collect()).collect()
    }
}
