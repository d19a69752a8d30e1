//! The payer's escrow and sessions.

use solana_sdk::signer::{Signer, keypair::Keypair};
use spl_token_interface::state::AccountState;
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, Consent, SessionLimits},
    receivers,
};

use crate::world::{FUNDS, PAYER, World, keypair, program};

impl World {
    /// A session's limits that no test reaches by accident.
    pub(crate) fn wide_limits(&self) -> SessionLimits {
        SessionLimits {
            expires_at: self.cluster.now() + 86_400,
            maximum_payment: 5_000_000,
            maximum_total: 1_000_000_000,
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: receivers::ANYONE,
        }
    }

    /// Opens an escrow of `payer`, which gets tokens and SOL, and deposits [`FUNDS`].
    pub(crate) fn open_escrow(&self, payer: &Keypair, mint: Address) {
        let owner = payer.pubkey();
        self.cluster.state().svm.airdrop(&owner, 10_000_000_000).unwrap();
        let source = self.set_token_account_of(mint, owner, AccountState::Initialized, 1_000_000_000_000);
        self.execute(&instruction::open_escrow(&program(), &owner, &owner, &mint, &TOKEN_PROGRAM_ID), payer);
        let address = address::escrow(&program(), &owner, &mint);
        let escrow = self.escrow_account_at(&address);
        self.execute(&[instruction::deposit(&program(), &owner, &source, &address, &escrow, FUNDS)], payer);
    }

    pub(crate) fn open_session(&self, limits: SessionLimits) {
        self.open_session_of(&keypair(PAYER), &self.escrow, &self.session_key(), limits);
    }

    pub(crate) fn open_session_of(
        &self,
        payer: &Keypair,
        escrow: &Address,
        key: &Address,
        limits: SessionLimits,
    ) {
        let open =
            instruction::open_session(&program(), &payer.pubkey(), &payer.pubkey(), escrow, key, &limits);
        self.execute(&[open], payer);
    }

    pub(crate) fn revoke_session(&self) {
        let payer = keypair(PAYER);
        let session = self.session_account();
        let revoke = instruction::revoke_session(&program(), &payer.pubkey(), &session, Consent::Signer);
        self.execute(&[revoke], &payer);
    }

    /// Revokes every session of the escrow that was opened so far.
    pub(crate) fn revoke_sessions(&self) {
        let (payer, slot) = (keypair(PAYER), self.session_account().opened_slot);
        let revoke =
            instruction::revoke_sessions(&program(), &payer.pubkey(), &self.escrow, slot, Consent::Signer);
        self.execute(&[revoke], &payer);
    }

    /// Changes the session's limits.
    pub(crate) fn update_session(&self, limits: &SessionLimits) {
        let payer = keypair(PAYER);
        let update =
            instruction::update_session(&program(), &payer.pubkey(), &self.escrow, &self.session, limits);
        self.execute(&[update], &payer);
    }

    /// Lets the payer withdraw `amount`.
    pub(crate) fn withdraw(&self, amount: u64) {
        let payer = keypair(PAYER);
        let escrow = self.escrow_account();
        let destination = address::associated_token(&payer.pubkey(), &self.mint, &TOKEN_PROGRAM_ID);
        let withdraw = instruction::withdraw(&program(), &self.escrow, &escrow, &destination, Some(amount));
        self.execute(&[withdraw], &payer);
    }
}
