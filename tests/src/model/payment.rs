use x402_escrow_interface::{
    Address, address,
    error::EscrowError,
    message::{Digest, Intent, PaymentFlow},
    receivers::ANYONE,
    replay_window::{MAXIMUM_NONCE_STEP, WINDOW_NONCES},
};

use super::{Broken, Call, Escrow, Hold, Model, Payment, Rule, Session, Signed, Slot, tokens::Transfer};

/// 30 days.
const MAXIMUM_CAPTURE_SECONDS: i64 = 2_592_000;

/// In which slots an intent's parties are, in both instructions that take an intent.
const RECEIVER: usize = 4;
const CAPTURE_AUTHORIZER: usize = 5;
const RECEIVER_AUTHORIZER: usize = 6;
const FEE_RECIPIENT: usize = 7;

impl Model {
    pub(super) fn authorize(
        &mut self,
        call: &Call,
        terms: &Intent,
        signature: &Signed,
        receiver_proof: &[Digest],
    ) -> Result<(), Broken> {
        const RENT_PAYER: usize = 0;
        const ESCROW: usize = 1;
        const SESSION: usize = 2;
        const HOLD: usize = 3;
        let mut broken = Broken::default();
        broken.unless_signed(call, RENT_PAYER);
        broken.unless_distinct(call, 9, &[ESCROW, SESSION, HOLD]);
        let escrow = broken.required(self.escrow(call, ESCROW))?;
        let session = broken.required(self.session(call, SESSION))?;
        broken.unless(session.escrow == call.address(ESCROW), EscrowError::WrongSession);
        let session_address = call.address(SESSION);
        let hold = call.address(HOLD);
        let expected = address::hold(&self.program, &session_address, terms.nonce);
        broken.unless(hold == expected, Rule::WrongSeeds);

        let intent = self.intent_of(call, terms, session, call.address(ESCROW), PaymentFlow::Escrow);
        if self.holds.get(&hold).is_some_and(|hold| hold.intent == intent) {
            // Somebody relayed it before.
            return broken.or_ok();
        }
        broken.unless_sound(&intent, self.now);
        broken.unless(signature.is(&session.session_key, intent), EscrowError::InvalidSignature);
        broken.unless(!escrow.has_revoked(session), EscrowError::SessionRevoked);
        broken.unless_spendable(self, session, &intent, receiver_proof, terms.amount);
        let free = self.free(&call.address(ESCROW));
        broken.unless(terms.amount <= free, EscrowError::InsufficientFreeBalance);
        broken.or_ok()?;

        let period = self.spend(session_address, terms.nonce, terms.amount);
        let rent_payer = call.address(RENT_PAYER);
        self.pay_rent(rent_payer, hold, self.rents.hold);
        let amount = terms.amount;
        let held = Hold { session: session_address, intent, rent_payer, amount, captured: 0, fee: 0, period };
        self.holds.insert(hold, held);
        Ok(())
    }

    /// Uses a nonce and counts a payment against its session's limits. Returns the period it counts
    /// in.
    pub(super) fn spend(&mut self, session: Address, nonce: u64, amount: u64) -> u64 {
        let now = self.now;
        let mut counted_in = 0;
        self.sessions.entry(session).and_modify(|session| {
            session.period = session.period_at(now);
            counted_in = session.period;
            session.nonces.insert(nonce);
            session.payments.insert(nonce, Payment { amount, period: counted_in });
        });
        counted_in
    }

    /// The intent that the session key must have signed for this call.
    pub(super) fn intent_of(
        &self,
        call: &Call,
        terms: &Intent,
        session: &Session,
        escrow: Address,
        flow: PaymentFlow,
    ) -> Intent {
        Intent {
            program: self.program,
            incarnation: session.incarnation,
            escrow,
            session_key: session.session_key,
            receiver: call.address(RECEIVER),
            capture_authorizer: call.address(CAPTURE_AUTHORIZER),
            receiver_authorizer: call.address(RECEIVER_AUTHORIZER),
            fee_recipient: call.address(FEE_RECIPIENT),
            flow,
            ..*terms
        }
    }

    /// Pays the receiver, and the fee recipient `fee` of it.
    pub(super) fn pay(&mut self, payout: &Payout, fee: u64) {
        let Payout { escrow, receiver, fee_recipient, amount, .. } = *payout;
        if let Some(paying) = self.escrows.get_mut(&escrow) {
            paying.balance -= amount;
            let (vault, to) = (paying.vault, paying.token_account_of(&receiver));
            let fee_account = paying.token_account_of(&fee_recipient);
            self.transfer(vault, to, amount - fee);
            self.transfer(vault, fee_account, fee);
        }
    }
}

/// What leaves a vault for an intent.
pub(super) struct Payout {
    pub(super) escrow: Address,
    pub(super) receiver: Address,
    pub(super) fee_recipient: Address,
    /// The fee included.
    pub(super) amount: u64,
    /// For the fee recipient, if it can receive.
    pub(super) fee_due: u64,
}

/// The highest fee on `amount`: rounded down, in favour of the receiver, who pays it.
pub(super) fn maximum_fee(amount: u64, maximum_fee_bps: u16) -> u64 {
    let fee = u128::from(amount) * u128::from(maximum_fee_bps) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}

impl Broken {
    /// An intent's times and fee must make sense at `now`.
    pub(super) fn unless_sound(&mut self, intent: &Intent, now: i64) {
        let Intent { authorize_by, capture_deadline, maximum_fee_bps, .. } = *intent;
        self.unless(intent.amount > 0, EscrowError::ZeroAmount);
        self.unless(now <= authorize_by, EscrowError::IntentExpired);
        self.unless(authorize_by <= capture_deadline, EscrowError::DeadlinesOutOfOrder);
        let to_capture = i128::from(capture_deadline) - i128::from(now);
        let in_reach = to_capture <= i128::from(MAXIMUM_CAPTURE_SECONDS);
        self.unless(in_reach, EscrowError::CaptureDeadlineTooFar);
        self.unless(maximum_fee_bps <= 10_000, EscrowError::FeeBpsTooHigh);
        let payable = ![intent.receiver, intent.escrow].contains(&intent.fee_recipient);
        self.unless(maximum_fee_bps == 0 || payable, EscrowError::WrongFeeRecipient);
    }

    /// The session must allow `amount` for the receiver now, and the intent's nonce.
    pub(super) fn unless_spendable(
        &mut self,
        model: &Model,
        session: &Session,
        intent: &Intent,
        receiver_proof: &[Digest],
        amount: u64,
    ) {
        let (limits, now) = (&session.limits, model.now);
        self.unless(now <= limits.expires_at, EscrowError::SessionExpired);
        if limits.receivers_root != ANYONE {
            self.unless(intent.maximum_fee_bps == 0, EscrowError::FeeNotAllowed);
            let list = model.lists.get(&limits.receivers_root);
            let proof = list.and_then(|list| list.proof(&intent.receiver));
            // An intent with a fee has no room for a proof.
            let given = if intent.maximum_fee_bps == 0 { receiver_proof } else { &[] };
            self.unless(proof.as_deref() == Some(given), EscrowError::ReceiverNotListed);
        }
        self.unless(amount <= limits.maximum_payment, EscrowError::PaymentLimitExceeded);
        let spent = u128::from(session.spent()) + u128::from(amount);
        self.unless(spent <= u128::from(u64::MAX), EscrowError::AmountOverflow);
        self.unless(spent <= u128::from(limits.maximum_total), EscrowError::TotalLimitExceeded);
        if limits.period_seconds > 0 {
            let spent = u128::from(session.spent_in(session.period_at(now))) + u128::from(amount);
            self.unless(spent <= u128::from(limits.maximum_per_period), EscrowError::PeriodLimitExceeded);
        }
        let (nonce, highest) = (intent.nonce, session.highest_nonce());
        if nonce < highest && highest - nonce > WINDOW_NONCES {
            self.unless(false, EscrowError::NonceTooOld);
        } else if nonce > highest && nonce - highest > MAXIMUM_NONCE_STEP {
            self.unless(false, EscrowError::NonceTooFarAhead);
        } else {
            let fresh = nonce > 0 && !session.nonces.contains(&nonce);
            self.unless(fresh, EscrowError::NonceUsed);
        }
    }

    /// The payout must succeed. Returns what of it the fee recipient gets: nothing if its token
    /// account can't receive.
    pub(super) fn unless_payable(
        &mut self,
        model: &Model,
        escrow: &Escrow,
        payout: &Payout,
        remaining: &[Slot],
    ) -> u64 {
        let Payout { receiver, fee_recipient, amount, fee_due, .. } = payout;
        let fee_account = escrow.token_account_of(fee_recipient);
        let given = remaining.iter().any(|account| account.address == fee_account);
        self.unless(*fee_due == 0 || given, EscrowError::WrongFeeTokenAccount);
        let fee = if model.can_receive(&fee_account) { *fee_due } else { 0 };
        for (to, amount) in [(fee_account, fee), (escrow.token_account_of(receiver), amount - fee)] {
            let transfer = Transfer { from: escrow.vault, to, mint: escrow.mint, amount };
            self.unless_transferable(model, &transfer, &payout.escrow);
        }
        fee
    }
}
