use x402_escrow_interface::{
    Address,
    error::EscrowError,
    message::{Capture, Release},
};

use super::{
    Broken, Call, Consent, End, Hold, Model,
    payment::{Payout, maximum_fee},
};

/// Slots of every instruction that starts with a hold's accounts.
const ESCROW: usize = 0;
const SESSION: usize = 1;
const HOLD: usize = 2;

impl Model {
    /// Pays up to `amount`, which is at most the bound's; of the bound, the payment's digest is
    /// what a signer names.
    pub(super) fn capture(
        &mut self,
        call: &Call,
        amount: u64,
        bound: &Capture,
        end: &End,
        consent: &Consent,
    ) -> Result<(), Broken> {
        const VAULT: usize = 3;
        const RECEIVER_TOKEN_ACCOUNT: usize = 4;
        const RENT_PAYER: usize = 5;
        const NAMED: usize = 8;
        let (mut broken, hold) = self.hold_of_escrow(call)?;
        let escrow = self.escrow(call, ESCROW)?;
        let exclusive = [ESCROW, SESSION, HOLD, VAULT, RECEIVER_TOKEN_ACCOUNT];
        broken.unless_distinct(call, NAMED, &exclusive);
        broken.unless_tokens_of(call, escrow, VAULT, 6, 7);
        let receiver_account = escrow.token_account_of(&hold.intent.receiver);
        let right = call.address(RECEIVER_TOKEN_ACCOUNT) == receiver_account;
        broken.unless(right, EscrowError::WrongReceiverTokenAccount);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);

        broken.unless(amount <= bound.amount, EscrowError::CaptureAboveBound);
        let captured = amount.min(hold.amount).max(hold.captured);
        let paid = captured - hold.captured;
        let ends = *end != End::Unchanged && captured < hold.amount;
        if paid == 0 && !ends {
            // What is already true is no error, whoever says it.
            return broken.or_ok();
        }
        let intent = &hold.intent;
        let intent_digest = intent.digest();
        let in_time = self.now <= intent.capture_deadline;
        broken.unless(paid == 0 || in_time, EscrowError::CaptureDeadlinePassed);
        let remaining = &call.accounts[NAMED..];
        let message = Capture { intent_digest, last: *end == End::AtBound, ..*bound };
        broken.unless_consented(
            &intent.capture_authorizer,
            consent,
            (bound.intent_digest, intent_digest),
            message,
            remaining,
        );
        match end {
            End::Unchanged => {}
            End::AtBound => {
                let one_key = intent.capture_authorizer == intent.receiver_authorizer;
                broken.unless(one_key, EscrowError::LastCaptureNotAllowed);
                broken.unless(amount == bound.amount, EscrowError::LastCaptureNotInFull);
            }
            End::AtAmount(release) => {
                let message = Release { intent_digest, amount };
                let signed = release.is(&intent.receiver_authorizer, message);
                broken.unless(signed, EscrowError::InvalidSignature);
            }
        }
        let highest_fee = bound.fee.min(maximum_fee(captured, intent.maximum_fee_bps));
        let payout = Payout {
            escrow: call.address(ESCROW),
            receiver: intent.receiver,
            fee_recipient: intent.fee_recipient,
            amount: paid,
            fee_due: highest_fee.saturating_sub(hold.fee).min(paid),
        };
        let fee = broken.unless_payable(self, escrow, &payout, remaining);
        broken.or_ok()?;

        self.pay(&payout, fee);
        self.holds.entry(call.address(HOLD)).and_modify(|hold| {
            hold.captured = captured;
            hold.fee += fee;
        });
        if ends {
            self.end_at(call.address(HOLD), amount);
        }
        self.close_when_done(call.address(HOLD));
        Ok(())
    }

    pub(super) fn void(&mut self, call: &Call, release: &Release, consent: &Consent) -> Result<(), Broken> {
        const RENT_PAYER: usize = 3;
        const NAMED: usize = 4;
        let (mut broken, hold) = self.hold_of_escrow(call)?;
        broken.unless_distinct(call, NAMED, &[ESCROW, SESSION, HOLD]);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);
        if release.amount >= hold.amount {
            return broken.or_ok();
        }
        let intent_digest = hold.intent.digest();
        broken.unless_consented(
            &hold.intent.receiver_authorizer,
            consent,
            (release.intent_digest, intent_digest),
            Release { intent_digest, ..*release },
            &call.accounts[NAMED..],
        );
        broken.or_ok()?;

        self.end_at(call.address(HOLD), release.amount);
        self.close_when_done(call.address(HOLD));
        Ok(())
    }

    pub(super) fn reclaim(&mut self, call: &Call) -> Result<(), Broken> {
        const RENT_PAYER: usize = 3;
        let (mut broken, hold) = self.hold_of_escrow(call)?;
        broken.unless_distinct(call, 4, &[ESCROW, SESSION, HOLD]);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);
        let passed = self.now > hold.intent.capture_deadline;
        broken.unless(passed, EscrowError::CaptureDeadlineNotPassed);
        broken.or_ok()?;

        self.end_at(call.address(HOLD), 0);
        self.close_when_done(call.address(HOLD));
        Ok(())
    }

    /// The hold, and what is wrong with the accounts it hangs under.
    fn hold_of_escrow(&self, call: &Call) -> Result<(Broken, &Hold), Broken> {
        let mut broken = Broken::default();
        self.escrow(call, ESCROW)?;
        let of_escrow = self.session(call, SESSION)?.escrow == call.address(ESCROW);
        broken.unless(of_escrow, EscrowError::WrongSession);
        let hold = self.holds.get(&call.address(HOLD)).ok_or_else(Broken::missing_account)?;
        broken.unless(hold.session == call.address(SESSION), EscrowError::WrongHold);
        Ok((broken, hold))
    }

    /// Ends a payment at `amount`, or at what was captured where that is more; its session gets
    /// back what that is less.
    fn end_at(&mut self, address: Address, amount: u64) {
        if let Some(hold) = self.holds.get_mut(&address) {
            hold.amount = amount.max(hold.captured);
            if let Some(session) = self.sessions.get_mut(&hold.session) {
                let end = hold.amount;
                session.payments.entry(hold.intent.nonce).and_modify(|payment| payment.amount = end);
            }
        }
    }

    /// Closes a hold that holds nothing; its rent goes back.
    fn close_when_done(&mut self, address: Address) {
        if self.holds.get(&address).is_some_and(|hold| hold.open() == 0)
            && let Some(hold) = self.holds.remove(&address)
        {
            self.return_rent(address, hold.rent_payer);
        }
    }
}
