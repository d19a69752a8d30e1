//! No token moves without a signature for it, and none appears or vanishes.
//!
//! The audit knows who signed what, and sees token accounts and lamports before and after each
//! step. It asks neither the program nor the model what the rules are.

mod consent;
mod explain;
mod grants;
mod payments;
mod rents;
mod signatures;

use std::collections::BTreeMap;

use x402_escrow_interface::Address;
use x402_escrow_tests::{model::Signed, svm::Chain};

use super::{cast::Cast, step::Step};
pub(crate) use grants::{Grant, Grants};
pub(crate) use payments::{Payment, Payments};
pub(crate) use rents::Rents;
pub(crate) use signatures::Signatures;

pub(crate) struct Audit {
    pub(crate) signatures: Signatures,
    pub(crate) payments: Payments,
    pub(crate) grants: Grants,
    pub(crate) rents: Rents,
    /// What each token account had after the step before.
    tokens: BTreeMap<Address, u64>,
    /// The owners of those that are no vaults.
    owners: BTreeMap<Address, Address>,
    /// What went in and out of each vault since its escrow was opened.
    vaults: BTreeMap<Address, Flow>,
}

#[derive(Clone, Copy, Default)]
struct Flow {
    inward: u64,
    outward: u64,
}

/// What a step moved: by token account, up or down.
struct Moves(BTreeMap<Address, i128>);

impl Moves {
    /// Takes what `account` got (or lost, if negative) out of what is still to be explained.
    fn take(&mut self, account: &Address) -> i128 {
        self.0.remove(account).unwrap_or(0)
    }
}

impl Audit {
    pub(crate) fn new(cast: &Cast, chain: &Chain) -> Self {
        let mut audit = Self {
            signatures: Signatures::default(),
            payments: Payments::default(),
            grants: Grants::default(),
            rents: Rents::new(cast, chain),
            tokens: BTreeMap::new(),
            owners: BTreeMap::new(),
            vaults: BTreeMap::new(),
        };
        for place in &cast.places {
            for wallet in &cast.wallets {
                let account = place.tokens_of(wallet);
                audit.tokens.insert(account, chain.tokens(&account));
                audit.owners.insert(account, *wallet);
            }
            audit.tokens.insert(place.vault(), 0);
            audit.vaults.insert(place.vault(), Flow::default());
        }
        audit
    }

    pub(crate) fn note_signature(&mut self, signed: &Signed) {
        self.signatures.note(signed);
    }

    /// Tokens that went past the program.
    pub(crate) fn note_transfer(&mut self, from: Address, vault: Address, amount: u64) {
        self.tokens.entry(from).and_modify(|tokens| *tokens -= amount);
        self.tokens.entry(vault).and_modify(|tokens| *tokens += amount);
        self.vaults.entry(vault).and_modify(|flow| flow.inward += amount);
    }

    /// Explains what a step moved by what was signed for it. Lamports were looked at right before
    /// the step.
    pub(crate) fn check(&mut self, step: &Step, succeeded: bool, cast: &Cast, chain: &Chain) {
        let mut moves = self.look(chain);
        if succeeded {
            self.explain(step, &mut moves, cast, chain);
        }
        assert!(moves.0.is_empty(), "tokens moved that nobody signed for: {:?}", moves.0);
        for (vault, flow) in &self.vaults {
            let tokens = self.tokens[vault];
            assert_eq!(flow.inward - flow.outward, tokens, "{vault}: in less out, and what is there");
        }
        self.rents.check(step, succeeded, chain);
    }

    fn look(&mut self, chain: &Chain) -> Moves {
        let mut moves = BTreeMap::new();
        for (account, tokens) in &mut self.tokens {
            let now = chain.tokens(account);
            if now != *tokens {
                let moved = i128::from(now) - i128::from(*tokens);
                moves.insert(*account, moved);
                if let Some(flow) = self.vaults.get_mut(account) {
                    flow.inward += u64::try_from(moved).unwrap_or(0);
                    flow.outward += u64::try_from(-moved).unwrap_or(0);
                }
            }
            *tokens = now;
        }
        Moves(moves)
    }
}
