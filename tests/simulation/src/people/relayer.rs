//! A stranger that sends what others signed, at a time of its own and at its own cost.

use std::time::Duration;

use rand::Rng;
use solana_sdk::{instruction::Instruction, signer::Signer};
use tokio::time::sleep;
use x402_escrow_domain::{
    payment::{Action, HoldTerms},
    transaction::{self, HoldState},
};
use x402_escrow_interface::{
    account::{Escrow, Hold},
    message::Digest,
};

use super::World;
use crate::{
    patience::BUSY_SECONDS,
    setup::{RELAYER, keypair},
};

/// How often it sends something.
const SENDINGS: u64 = 60;

/// Sends authorizations, captures, vouchers and releases that others signed, and reclaims.
pub async fn relay(world: World, mut dice: impl Rng) {
    for _ in 0..SENDINGS {
        sleep(Duration::from_millis(dice.random_range(0..2 * 3 * BUSY_SECONDS * 1000 / SENDINGS))).await;
        let Some((terms, action)) = world.ledger.signed(|count| dice.random_range(0..count)) else {
            continue;
        };
        let action = if dice.random_bool(0.1) { Action::Reclaim } else { action };
        world.relay(&terms, &action);
    }
}

/// Frees what a relayer had held and the verifier never accepted: nobody else would.
pub fn free_what_was_relayed(world: &World) {
    for deal in world.ledger.deals().values().filter(|deal| deal.is_relayed && !deal.is_held) {
        if let Some(instruction) = world.carry_out(&deal.terms(), &Action::Reclaim) {
            world.act(&[instruction], &keypair(RELAYER));
        }
    }
}

impl World {
    /// Sends what does `action`, if there is a hold.
    pub(super) fn relay(&self, terms: &HoldTerms, action: &Action) {
        let Some(instruction) = self.carry_out(terms, action) else { return };
        self.ledger.update(&terms.intent.digest(), |deal| deal.is_relayed |= action.settles_intent());
        self.ledger.count("sendings by a relayer");
        self.act(&[instruction], &keypair(RELAYER));
    }

    /// Ends a hold by the release at `amount` base units that its merchant signed.
    pub(super) fn end_by_release(&self, id: &Digest, amount: u64) {
        let is_it = |action: &Action| matches!(action, Action::Void { amount: at, .. } if *at == amount);
        if let Some((terms, action)) = self.ledger.signed_about(id, is_it) {
            self.relay(&terms, &action);
        }
    }

    /// What does `action`, paid for by the relayer; `None` where there is no hold.
    fn carry_out(&self, terms: &HoldTerms, action: &Action) -> Option<Instruction> {
        if *action == Action::Authorize {
            return Some(transaction::authorize(&keypair(RELAYER).pubkey(), terms).instruction);
        }
        let escrow = Escrow::decode(&self.cluster.account(&terms.intent.escrow)?.data).ok()?;
        if let Action::Charge { .. } = action {
            return transaction::charge(terms, action, &escrow).map(|part| part.instruction);
        }
        let hold = Hold::decode(&self.cluster.account(&terms.address())?.data).ok()?;
        let state = HoldState { escrow, hold };
        let is_its = hold.intent_digest == terms.intent.digest();
        transaction::on_hold(terms, action, &state).filter(|_| is_its).map(|part| part.instruction)
    }
}
