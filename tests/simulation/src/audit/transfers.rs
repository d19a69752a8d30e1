//! Payments of the scheme `exact`: one yes at most, for what is on chain, and the books say the same.

use std::collections::BTreeMap;

use solana_sdk::hash::hash;
use x402_escrow_interface::message::Digest;
use x402_escrow_verifier::engine::app::App;
use x402_escrow_wire::text::Hex32;

use crate::{cluster::Landed, people::World};

pub(super) async fn check(world: &World, app: &App, history: &[Landed]) -> Vec<String> {
    let transfers = world.ledger.transfers();
    let mut paid: BTreeMap<Digest, u64> = BTreeMap::new();
    if !transfers.is_empty() {
        for landed in history.iter().filter(|landed| landed.error.is_none()) {
            let id = hash(&landed.transaction.message.serialize()).to_bytes();
            if transfers.contains_key(&id) {
                *paid.entry(id).or_default() += 1;
            }
        }
    }
    let mut wrong = Vec::new();
    for (id, transfer) in &transfers {
        let paid = paid.get(id).copied().unwrap_or(0);
        let mut say = |what: String| wrong.push(format!("{} (transfer): {what}", Hex32(*id)));
        if transfer.yes > 1 {
            say(format!("{} servers were told yes", transfer.yes));
        }
        if transfer.yes > 0 && paid == 0 {
            say("was answered yes and is not on chain".to_owned());
        }
        match app.store.history(id).await {
            Ok(Some(books)) => {
                let has_landed = books.authorization().has_landed();
                if has_landed != (paid > 0) {
                    say(format!("the books say that it is paid: {has_landed}; on chain: {paid}"));
                }
                if !books.is_over() {
                    say("the books say that it is not over".to_owned());
                }
            }
            Ok(None) if paid > 0 => say("is on chain and the store doesn't know it".to_owned()),
            Ok(None) => {}
            Err(error) => say(format!("the store can't be read: {error}")),
        }
    }
    wrong
}
