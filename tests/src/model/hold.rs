use x402_escrow_interface::{
    Address,
    error::EscrowError,
    message::{Capture, Release},
};

use super::{Broken, Call, Hold, Model, Rest, Signed, payment::maximum_fee, tokens::Transfer};

/// Slots of every instruction that starts with a hold's accounts.
const ESCROW: usize = 0;
const SESSION: usize = 1;
const HOLD: usize = 2;

impl Model {
    pub(super) fn capture(
        &mut self,
        call: &Call,
        amount: u64,
        fee: u64,
        rest: &Rest,
        signature: Option<&Signed>,
    ) -> Result<(), Broken> {
        const VAULT: usize = 3;
        const RECEIVER_TOKEN_ACCOUNT: usize = 4;
        const RENT_PAYER: usize = 5;
        const NAMED: usize = 8;
        let (mut broken, hold) = self.hold_of_escrow(call, ESCROW, SESSION, HOLD)?;
        let escrow = self.escrow(call, ESCROW)?;
        let exclusive = [ESCROW, SESSION, HOLD, VAULT, RECEIVER_TOKEN_ACCOUNT];
        broken.unless_distinct(call, NAMED, &exclusive);
        broken.unless_tokens_of(call, escrow, VAULT, 6, 7);
        let receiver_account = escrow.token_account_of(&hold.intent.receiver);
        let right = call.address(RECEIVER_TOKEN_ACCOUNT) == receiver_account;
        broken.unless(right, EscrowError::WrongReceiverTokenAccount);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);

        let intent = &hold.intent;
        let intent_digest = intent.digest();
        broken.unless(self.now <= intent.capture_deadline, EscrowError::CaptureDeadlinePassed);
        let message = Capture { intent_digest, amount, fee, last: *rest == Rest::Released };
        let mut remaining = &call.accounts[NAMED..];
        broken.unless_consented(&intent.capture_authorizer, signature, message, &mut remaining);
        broken.unless(amount <= hold.amount, EscrowError::CaptureAboveHold);
        match rest {
            Rest::Held => {}
            Rest::Released => {
                let one_key = intent.capture_authorizer == intent.receiver_authorizer;
                broken.unless(one_key, EscrowError::LastCaptureNotAllowed);
            }
            Rest::ReleasedBySignature(release) => {
                let message = Release { intent_digest, amount };
                let signed = release.is(&intent.receiver_authorizer, message);
                broken.unless(signed, EscrowError::InvalidSignature);
            }
        }
        let releases = *rest != Rest::Held && amount < hold.amount;
        let pays = amount > hold.captured;
        let does_something = pays || (releases && amount == hold.captured);
        broken.unless(does_something, EscrowError::NothingToCapture);
        let highest_fee = maximum_fee(amount, intent.maximum_fee_bps);
        broken.unless(fee <= highest_fee, EscrowError::FeeTooHigh);
        broken.unless(fee >= hold.fee, EscrowError::FeeBelowTaken);
        let paid = amount.saturating_sub(hold.captured);
        let paid_fee = fee.saturating_sub(hold.fee);
        broken.unless(paid_fee <= paid, EscrowError::FeeTooHigh);
        let (vault, mint) = (escrow.vault, escrow.mint);
        let fee_account = escrow.token_account_of(&intent.fee_recipient);
        let payout =
            Transfer { from: vault, to: receiver_account, mint, amount: paid.saturating_sub(paid_fee) };
        broken.unless_transferable(self, &payout, &call.address(ESCROW));
        if paid_fee > 0 {
            let given = remaining.first().is_some_and(|account| account.address == fee_account);
            broken.unless(given, EscrowError::WrongFeeTokenAccount);
            let payout = Transfer { from: vault, to: fee_account, mint, amount: paid_fee };
            broken.unless_transferable(self, &payout, &call.address(ESCROW));
        }
        broken.or_ok()?;

        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.balance -= paid);
        self.transfer(vault, receiver_account, paid - paid_fee);
        self.transfer(vault, fee_account, paid_fee);
        self.holds.entry(call.address(HOLD)).and_modify(|hold| {
            hold.captured = amount;
            hold.fee = fee;
        });
        if releases {
            self.end_at(call.address(HOLD), amount);
        }
        self.close_if_finished(call.address(HOLD));
        Ok(())
    }

    pub(super) fn void(
        &mut self,
        call: &Call,
        amount: u64,
        signature: Option<&Signed>,
    ) -> Result<(), Broken> {
        const RENT_PAYER: usize = 3;
        const NAMED: usize = 4;
        let (mut broken, hold) = self.hold_of_escrow(call, ESCROW, SESSION, HOLD)?;
        broken.unless_distinct(call, NAMED, &[ESCROW, SESSION, HOLD]);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);
        let message = Release { intent_digest: hold.intent.digest(), amount };
        let mut remaining = &call.accounts[NAMED..];
        let authorizer = &hold.intent.receiver_authorizer;
        broken.unless_consented(authorizer, signature, message, &mut remaining);
        broken.unless(amount >= hold.captured, EscrowError::ReleaseBelowCaptured);
        broken.unless(amount < hold.amount, EscrowError::NothingToRelease);
        broken.or_ok()?;

        self.end_at(call.address(HOLD), amount);
        self.close_if_finished(call.address(HOLD));
        Ok(())
    }

    pub(super) fn reclaim(&mut self, call: &Call) -> Result<(), Broken> {
        const RENT_PAYER: usize = 3;
        let (mut broken, hold) = self.hold_of_escrow(call, ESCROW, SESSION, HOLD)?;
        let captured = hold.captured;
        broken.unless_distinct(call, 4, &[ESCROW, SESSION, HOLD]);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);
        let passed = self.now > hold.intent.capture_deadline;
        broken.unless(passed, EscrowError::CaptureDeadlineNotPassed);
        broken.unless(hold.open() > 0, EscrowError::NothingToRelease);
        broken.or_ok()?;

        self.end_at(call.address(HOLD), captured);
        self.close_if_finished(call.address(HOLD));
        Ok(())
    }

    pub(super) fn refund(&mut self, call: &Call, amount: u64) -> Result<(), Broken> {
        const RECEIVER: usize = 0;
        const SOURCE: usize = 1;
        const ESCROW: usize = 2;
        const SESSION: usize = 3;
        const HOLD: usize = 4;
        const VAULT: usize = 5;
        let (mut broken, hold) = self.hold_of_escrow(call, ESCROW, SESSION, HOLD)?;
        let escrow = self.escrow(call, ESCROW)?;
        broken.unless_signed(call, RECEIVER);
        broken.unless_distinct(call, 8, &[SOURCE, ESCROW, HOLD, VAULT]);
        broken.unless(call.address(RECEIVER) == hold.intent.receiver, EscrowError::WrongReceiver);
        broken.unless_tokens_of(call, escrow, VAULT, 6, 7);
        broken.unless(amount > 0, EscrowError::ZeroAmount);
        let in_time = self.now <= hold.intent.refund_deadline;
        broken.unless(in_time, EscrowError::RefundDeadlinePassed);
        let refunded = hold.refunded.checked_add(amount);
        broken.unless(refunded.is_some(), EscrowError::AmountOverflow);
        let covered = refunded.is_some_and(|refunded| refunded <= hold.captured);
        broken.unless(covered, EscrowError::RefundAboveCaptured);
        let from = call.address(SOURCE);
        let transfer = Transfer { from, to: escrow.vault, mint: escrow.mint, amount };
        broken.unless_transferable(self, &transfer, &call.address(RECEIVER));
        broken.or_ok()?;

        self.transfer(transfer.from, transfer.to, amount);
        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.balance += amount);
        self.holds.entry(call.address(HOLD)).and_modify(|hold| hold.refunded += amount);
        Ok(())
    }

    pub(super) fn close_hold(&mut self, call: &Call) -> Result<(), Broken> {
        const SESSION: usize = 0;
        const HOLD: usize = 1;
        const RENT_PAYER: usize = 2;
        let mut broken = Broken::default();
        self.session(call, SESSION)?;
        let hold = self.hold(call, HOLD)?;
        broken.unless_distinct(call, 3, &[SESSION, HOLD]);
        broken.unless(hold.session == call.address(SESSION), EscrowError::WrongHold);
        broken.unless(call.address(RENT_PAYER) == hold.rent_payer, EscrowError::WrongRentPayer);
        broken.unless(hold.is_finished(self.now), EscrowError::HoldNotFinished);
        broken.or_ok()?;

        self.close_if_finished(call.address(HOLD));
        Ok(())
    }

    /// The hold in a slot, and what is wrong with the accounts it hangs under.
    fn hold_of_escrow(
        &self,
        call: &Call,
        escrow: usize,
        session: usize,
        hold: usize,
    ) -> Result<(Broken, &Hold), Broken> {
        let mut broken = Broken::default();
        self.escrow(call, escrow)?;
        let of_escrow = self.session(call, session)?.escrow == call.address(escrow);
        broken.unless(of_escrow, EscrowError::WrongSession);
        let hold = self.hold(call, hold)?;
        broken.unless(hold.session == call.address(session), EscrowError::WrongHold);
        Ok((broken, hold))
    }

    fn hold(&self, call: &Call, slot: usize) -> Result<&Hold, Broken> {
        self.holds.get(&call.address(slot)).ok_or_else(Broken::missing_account)
    }

    /// Lowers a payment to `amount`; its session gets back what that is less.
    fn end_at(&mut self, address: Address, amount: u64) {
        if let Some(hold) = self.holds.get_mut(&address) {
            hold.amount = amount;
            if let Some(session) = self.sessions.get_mut(&hold.session) {
                session.payments.entry(hold.intent.nonce).and_modify(|payment| payment.amount = amount);
            }
        }
    }

    /// Closes a hold that holds nothing and can't be refunded; its rent goes back.
    fn close_if_finished(&mut self, address: Address) {
        if self.holds.get(&address).is_some_and(|hold| hold.is_finished(self.now))
            && let Some(hold) = self.holds.remove(&address)
        {
            self.return_rent(address, hold.rent_payer);
        }
    }
}
