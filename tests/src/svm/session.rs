use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::Session,
    instruction::{self, Consent, SessionLimits},
    message::{Revoke, RevokeScope},
};

use super::World;
use crate::program_id;

impl World {
    /// Opens the agent's session; the relay pays the rent.
    pub fn open_session(&self, limits: &SessionLimits) -> Instruction {
        self.open_session_of(&self.agent, limits)
    }

    /// Opens a session of `session_key`; the relay pays the rent.
    pub fn open_session_of(&self, session_key: &Address, limits: &SessionLimits) -> Instruction {
        let Self { relay, payer, escrow, .. } = self;
        instruction::open_session(&program_id(), relay, payer, escrow, session_key, limits)
    }

    /// Changes the limits of the agent's session.
    pub fn update_session(&self, limits: &SessionLimits) -> Instruction {
        instruction::update_session(&program_id(), &self.payer, &self.escrow, &self.session, limits)
    }

    /// The payer revokes the agent's session.
    pub fn revoke_session(&self) -> Instruction {
        self.revoke_session_by(&self.payer, Consent::Signer)
    }

    /// Revokes the agent's session by the consent of `revoker`.
    pub fn revoke_session_by(&self, revoker: &Address, consent: Consent) -> Instruction {
        instruction::revoke_session(&program_id(), revoker, &self.session(), consent)
    }

    /// Revokes all sessions opened through `slot` by the consent of `revoker`.
    pub fn revoke_sessions_by(&self, revoker: &Address, slot: u64, consent: Consent) -> Instruction {
        instruction::revoke_sessions(&program_id(), revoker, &self.escrow, slot, consent)
    }

    /// The revocation of the agent's session as it is open now.
    pub fn revoke_message(&self) -> Revoke {
        let Session { session_key, incarnation, .. } = self.session();
        Revoke::new(program_id(), self.escrow, RevokeScope::Session { session_key, incarnation })
    }

    /// The revocation of all sessions opened through `slot`.
    pub fn revoke_all_message(&self, slot: u64) -> Revoke {
        Revoke::new(program_id(), self.escrow, RevokeScope::OpenedThroughSlot(slot))
    }

    /// A revocation's signature by `revoker`.
    pub fn sign_revoke(&self, revoker: &Address, revoke: &Revoke) -> Consent {
        Consent::Signature(self.chain.sign(revoker, &revoke.signed_bytes()))
    }

    /// Closes the agent's session.
    pub fn close_session(&self) -> Instruction {
        let Self { payer, escrow, session, relay, .. } = self;
        instruction::close_session(&program_id(), payer, escrow, session, relay)
    }
}
