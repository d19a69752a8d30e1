use x402_escrow_interface::{
    Address,
    error::EscrowError,
    message::{Revoke, RevokeScope},
};

use super::{Broken, Call, Consent, Escrow, Model, Session};

const REVOKER: usize = 0;
const ESCROW: usize = 1;

impl Model {
    pub(super) fn revoke_session(
        &mut self,
        call: &Call,
        named: &Revoke,
        consent: &Consent,
    ) -> Result<(), Broken> {
        const SESSION: usize = 2;
        let mut broken = Broken::default();
        let escrow = self.escrow(call, ESCROW)?;
        let session = self.session(call, SESSION)?;
        let revoker = call.address(REVOKER);
        broken.unless(escrow.can_be_revoked_by(&revoker), EscrowError::WrongRevoker);
        broken.unless(session.escrow == call.address(ESCROW), EscrowError::WrongSession);
        if session.revoked {
            return broken.or_ok();
        }
        let Session { session_key, incarnation, .. } = *session;
        let scope = RevokeScope::Session { session_key, incarnation };
        let message = Revoke::new(self.program, call.address(ESCROW), scope);
        let subjects = (named.digest(), message.digest());
        broken.unless_consented(&revoker, consent, subjects, message, &call.accounts[REVOKER..=REVOKER]);
        broken.or_ok()?;

        self.sessions.entry(call.address(SESSION)).and_modify(|session| session.revoked = true);
        Ok(())
    }

    pub(super) fn revoke_sessions(
        &mut self,
        call: &Call,
        named: &Revoke,
        consent: &Consent,
    ) -> Result<(), Broken> {
        let opened_through_slot = named.opened_through_slot;
        let mut broken = Broken::default();
        let escrow = self.escrow(call, ESCROW)?;
        let revoker = call.address(REVOKER);
        broken.unless(escrow.can_be_revoked_by(&revoker), EscrowError::WrongRevoker);
        broken.unless(opened_through_slot <= self.slot, EscrowError::RevokedSlotInFuture);
        if opened_through_slot < escrow.revoked_before_slot {
            return broken.or_ok();
        }
        let scope = RevokeScope::OpenedThroughSlot(opened_through_slot);
        let message = Revoke::new(self.program, call.address(ESCROW), scope);
        let subjects = (named.digest(), message.digest());
        broken.unless_consented(&revoker, consent, subjects, message, &call.accounts[REVOKER..=REVOKER]);
        broken.or_ok()?;

        let before = opened_through_slot + 1;
        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.revoked_before_slot = before);
        Ok(())
    }
}

impl Escrow {
    fn can_be_revoked_by(&self, key: &Address) -> bool {
        *key == self.payer || (*key == self.guardian && self.guardian != Address::default())
    }

    /// Whether `session`, one of this escrow's, authorizes nothing any more because it was revoked.
    pub fn has_revoked(&self, session: &Session) -> bool {
        session.revoked || session.opened_slot < self.revoked_before_slot
    }
}
