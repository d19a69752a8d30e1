//! Where the tokens are, read from the chain, and whether that adds up.

use anyhow::Result;
use solana_sdk::signature::Signer;
use x402_escrow_interface::{Address, address};
use x402_escrow_sandbox::{Local, Merchant, program_id};

use crate::purchases::Purchase;

/// Base units by place.
pub(crate) struct Balances {
    pub(crate) owner: u64,
    pub(crate) vault: u64,
    pub(crate) merchants: [(Address, u64); 2],
    pub(crate) supply: u64,
}

impl Balances {
    pub(crate) fn read(local: &Local, owner: &Address, merchants: &[Merchant; 2]) -> Result<Self> {
        let tokens = |who: &Address| local.chain.tokens(who, &local.mint);
        let [north, south] = merchants.each_ref().map(|merchant| merchant.key.pubkey());
        Ok(Self {
            owner: tokens(owner)?,
            vault: tokens(&address::escrow(&program_id(), owner, &local.mint))?,
            merchants: [(north, tokens(&north)?), (south, tokens(&south)?)],
            supply: local.chain.supply(&local.mint)?,
        })
    }

    pub(crate) fn sum(&self) -> u64 {
        self.owner + self.vault + self.merchants.iter().map(|(_, amount)| amount).sum::<u64>()
    }
}

/// Everything that doesn't add up to the last base unit; nothing if all does.
pub(crate) fn problems(before: &Balances, after: &Balances, purchases: &[Purchase]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |what: String, expected: u64, found: u64| {
        if expected != found {
            problems.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let spent = purchases.iter().map(Purchase::earned).sum::<u64>();
    expect("the owner's tokens".into(), before.owner - spent, after.owner);
    expect("the vault's tokens".into(), 0, after.vault);
    for ((merchant, had), (_, has)) in before.merchants.iter().zip(&after.merchants) {
        let earned = purchases.iter().filter(|purchase| purchase.receiver == *merchant).map(Purchase::earned);
        expect(format!("the tokens of {merchant}"), had + earned.sum::<u64>(), *has);
    }
    expect("all tokens before".into(), before.supply, before.sum());
    expect("all tokens after".into(), before.supply, after.sum());
    expect("the supply".into(), before.supply, after.supply);
    for purchase in purchases {
        expect(format!("{}: signed", purchase.label), purchase.signed, purchase.captured + purchase.released);
    }
    problems
}
