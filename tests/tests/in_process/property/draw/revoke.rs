use rand::Rng;
use x402_escrow_interface::{
    Address,
    message::{Revoke, RevokeScope},
};
use x402_escrow_tests::{
    model::{Arguments, Escrow},
    program_id,
};

use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_revoke_session(&mut self) -> Option<Step> {
        let again = self.one_in(4);
        let (session, escrow) =
            self.pick_session(|play, session| play.model.sessions[session].revoked == again)?;
        let signer = self.pick_revoker(&escrow);
        let (session_key, incarnation) =
            (self.model.sessions[&session].session_key, self.model.sessions[&session].incarnation);
        let scope = RevokeScope::Session { session_key, incarnation };
        let named = Revoke::new(program_id(), escrow, scope);
        let consent = self.consent(&signer, named);
        let at = At { escrow, session, signer, ..At::default() };
        Some(self.step(at, Arguments::RevokeSession { named, consent }))
    }

    pub(super) fn draw_revoke_sessions(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let signer = self.pick_revoker(&escrow);
        let opened = self.model.sessions_of(&escrow).map(|(_, session)| session.opened_slot);
        // Mostly the older sessions, so that some live on.
        let oldest = opened.min().unwrap_or(self.model.slot);
        let opened_through_slot = match self.random.random_range(0..10) {
            0 => self.model.slot + 1,
            1 => u64::MAX,
            2 => self.model.slot,
            3..6 => oldest,
            _ => oldest - 1,
        };
        let named = Revoke::new(program_id(), escrow, RevokeScope::OpenedThroughSlot(opened_through_slot));
        let consent = self.consent(&signer, named);
        let at = At { escrow, signer, ..At::default() };
        Some(self.step(at, Arguments::RevokeSessions { named, consent }))
    }

    /// The payer or the guardian, now and then one who is the guardian no more.
    fn pick_revoker(&mut self, escrow: &Address) -> Address {
        let Escrow { payer, guardian, .. } = self.model.escrows[escrow];
        let has_guardian = guardian != Address::default();
        let guardians = self.cast.guardians.clone();
        match self.pick(&guardians) {
            Some(any) if self.one_in(10) => any,
            _ if has_guardian && self.one_in(2) => guardian,
            _ => payer,
        }
    }
}
