use x402_escrow_interface::{
    Address, ID, address,
    error::EscrowError,
    message::{Capture, Intent, PaymentFlow, Release},
    replay_window::WINDOW_NONCES,
};

use super::{Broken, Call, ChargeArguments, Hold, Model, Payment, Rule, Session, Signed, tokens::Transfer};

/// 30 days.
const MAXIMUM_CAPTURE_SECONDS: i64 = 2_592_000;
/// 90 days.
const MAXIMUM_REFUND_SECONDS: i64 = 7_776_000;

/// In which slots an intent's parties are.
struct Parties {
    receiver: usize,
    capture_authorizer: usize,
    receiver_authorizer: usize,
    fee_recipient: usize,
}

impl Model {
    pub(super) fn authorize(
        &mut self,
        call: &Call,
        terms: &Intent,
        signature: &Signed,
    ) -> Result<(), Broken> {
        const RENT_PAYER: usize = 0;
        const ESCROW: usize = 1;
        const SESSION: usize = 2;
        const HOLD: usize = 3;
        const PARTIES: Parties =
            Parties { receiver: 4, capture_authorizer: 5, receiver_authorizer: 6, fee_recipient: 7 };
        let mut broken = Broken::default();
        broken.unless_signed(call, RENT_PAYER);
        self.escrow(call, ESCROW)?;
        let session = self.session(call, SESSION)?;
        broken.unless_distinct(call, 9, &[ESCROW, SESSION, HOLD]);
        broken.unless(session.escrow == call.address(ESCROW), EscrowError::WrongSession);
        let session_address = call.address(SESSION);
        let hold = call.address(HOLD);
        broken.unless(hold == address::hold(&session_address, terms.nonce), Rule::WrongSeeds);

        broken.unless_bounded(terms, self.now);
        let intent = intent_of(call, terms, session, call.address(ESCROW), PaymentFlow::Escrow, &PARTIES);
        broken.unless(signature.is(&session.session_key, intent), EscrowError::InvalidSignature);
        broken.unless_spendable(session, &intent, terms.amount, self.now);
        let free = self.free(&call.address(ESCROW));
        broken.unless(terms.amount <= free, EscrowError::InsufficientFreeBalance);
        broken.or_ok()?;

        let period = self.spend(session_address, terms.nonce, terms.amount);
        let rent_payer = call.address(RENT_PAYER);
        self.pay_rent(rent_payer, hold, self.rents.hold);
        let held = Hold {
            session: session_address,
            intent,
            rent_payer,
            amount: terms.amount,
            captured: 0,
            fee: 0,
            refunded: 0,
            period,
        };
        self.holds.insert(hold, held);
        Ok(())
    }

    pub(super) fn charge(&mut self, call: &Call, charge: &ChargeArguments) -> Result<(), Broken> {
        const ESCROW: usize = 0;
        const SESSION: usize = 1;
        const VAULT: usize = 2;
        const RECEIVER_TOKEN_ACCOUNT: usize = 3;
        const PARTIES: Parties =
            Parties { receiver: 4, capture_authorizer: 5, receiver_authorizer: 6, fee_recipient: 7 };
        const NAMED: usize = 10;
        let ChargeArguments { intent: terms, signature, amount, fee, release, capture } = charge;
        let (amount, fee) = (*amount, *fee);
        let mut broken = Broken::default();
        let escrow = self.escrow(call, ESCROW)?;
        let session = self.session(call, SESSION)?;
        broken.unless_distinct(call, NAMED, &[ESCROW, SESSION, VAULT, RECEIVER_TOKEN_ACCOUNT]);
        broken.unless(session.escrow == call.address(ESCROW), EscrowError::WrongSession);
        broken.unless(call.address(VAULT) == escrow.vault, EscrowError::WrongVault);
        let (receiver, fee_recipient) = (call.address(PARTIES.receiver), call.address(PARTIES.fee_recipient));
        let receiver_account = escrow.token_account_of(&receiver);
        let right = call.address(RECEIVER_TOKEN_ACCOUNT) == receiver_account;
        broken.unless(right, EscrowError::WrongReceiverTokenAccount);
        broken.unless_tokens_of(call, escrow, VAULT, 8, 9);

        broken.unless_bounded(terms, self.now);
        broken.unless(amount > 0, EscrowError::ZeroAmount);
        broken.unless(amount <= terms.amount, EscrowError::ChargeAboveIntent);
        let highest_fee = maximum_fee(amount, terms.maximum_fee_bps);
        broken.unless(fee <= highest_fee, EscrowError::FeeTooHigh);
        let flow = PaymentFlow::Authorization;
        let intent = intent_of(call, terms, session, call.address(ESCROW), flow, &PARTIES);
        broken.unless(signature.is(&session.session_key, intent), EscrowError::InvalidSignature);
        let intent_digest = intent.digest();
        let mut remaining = &call.accounts[NAMED..];
        if amount < terms.amount {
            let message = Release { intent_digest, amount };
            let authorizer = &intent.receiver_authorizer;
            broken.unless_consented(authorizer, release.as_ref(), message, &mut remaining);
        }
        if fee > 0 {
            let message = Capture { intent_digest, amount, fee, last: true };
            let authorizer = &intent.capture_authorizer;
            broken.unless_consented(authorizer, capture.as_ref(), message, &mut remaining);
        }
        broken.unless_spendable(session, &intent, amount, self.now);
        let free = self.free(&call.address(ESCROW));
        broken.unless(amount <= free, EscrowError::InsufficientFreeBalance);
        let (vault, mint) = (escrow.vault, escrow.mint);
        let fee_account = escrow.token_account_of(&fee_recipient);
        let payout = Transfer { from: vault, to: receiver_account, mint, amount: amount.saturating_sub(fee) };
        broken.unless_transferable(self, &payout, &call.address(ESCROW));
        if fee > 0 {
            let given = remaining.first().is_some_and(|account| account.address == fee_account);
            broken.unless(given, EscrowError::WrongFeeTokenAccount);
            let payout = Transfer { from: vault, to: fee_account, mint, amount: fee };
            broken.unless_transferable(self, &payout, &call.address(ESCROW));
        }
        broken.or_ok()?;

        self.spend(call.address(SESSION), terms.nonce, amount);
        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.balance -= amount);
        self.transfer(vault, receiver_account, amount - fee);
        self.transfer(vault, fee_account, fee);
        Ok(())
    }

    /// Uses a nonce and counts a payment against its session's limits. Returns the period it counts in.
    fn spend(&mut self, session: Address, nonce: u64, amount: u64) -> u64 {
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
}

/// The intent that the session key must have signed for this call.
fn intent_of(
    call: &Call,
    terms: &Intent,
    session: &Session,
    escrow: Address,
    flow: PaymentFlow,
    parties: &Parties,
) -> Intent {
    Intent {
        program: ID,
        incarnation: session.incarnation,
        escrow,
        session_key: session.session_key,
        receiver: call.address(parties.receiver),
        capture_authorizer: call.address(parties.capture_authorizer),
        receiver_authorizer: call.address(parties.receiver_authorizer),
        fee_recipient: call.address(parties.fee_recipient),
        flow,
        ..*terms
    }
}

/// The highest fee on `amount`: rounded down, in favour of whoever pays it.
pub(super) fn maximum_fee(amount: u64, maximum_fee_bps: u16) -> u64 {
    let fee = u128::from(amount) * u128::from(maximum_fee_bps) / 10_000;
    u64::try_from(fee).unwrap_or(u64::MAX)
}

impl Broken {
    /// An intent's times and fee must make sense at `now`.
    fn unless_bounded(&mut self, terms: &Intent, now: i64) {
        let Intent { authorize_by, capture_deadline, refund_deadline, .. } = *terms;
        self.unless(terms.amount > 0, EscrowError::ZeroAmount);
        self.unless(now <= authorize_by, EscrowError::IntentExpired);
        let in_order =
            authorize_by <= capture_deadline && (refund_deadline == 0 || capture_deadline <= refund_deadline);
        self.unless(in_order, EscrowError::DeadlinesOutOfOrder);
        let to_capture = i128::from(capture_deadline) - i128::from(now);
        let in_reach = to_capture <= i128::from(MAXIMUM_CAPTURE_SECONDS);
        self.unless(in_reach, EscrowError::CaptureDeadlineTooFar);
        let to_refund = i128::from(refund_deadline) - i128::from(capture_deadline);
        let in_reach = to_refund <= i128::from(MAXIMUM_REFUND_SECONDS);
        self.unless(in_reach, EscrowError::RefundDeadlineTooFar);
        self.unless(terms.maximum_fee_bps <= 10_000, EscrowError::FeeBpsTooHigh);
    }

    /// The session must allow `amount` at `now`, and the intent's nonce.
    fn unless_spendable(&mut self, session: &Session, intent: &Intent, amount: u64, now: i64) {
        let limits = &session.limits;
        self.unless(!session.revoked, EscrowError::SessionRevoked);
        self.unless(now <= limits.expires_at, EscrowError::SessionExpired);
        if limits.receiver != Address::default() {
            self.unless(intent.receiver == limits.receiver, EscrowError::ReceiverNotAllowed);
            self.unless(intent.maximum_fee_bps == 0, EscrowError::FeeNotAllowed);
        }
        self.unless(amount <= limits.maximum_payment, EscrowError::PaymentLimitExceeded);
        let spent = u128::from(session.spent()) + u128::from(amount);
        self.unless(spent <= u128::from(u64::MAX), EscrowError::AmountOverflow);
        self.unless(spent <= u128::from(limits.maximum_total), EscrowError::TotalLimitExceeded);
        if limits.period_seconds > 0 {
            let spent = u128::from(session.spent_in(session.period_at(now))) + u128::from(amount);
            self.unless(spent <= u128::from(limits.maximum_per_period), EscrowError::PeriodLimitExceeded);
        }
        let too_old = session.highest_nonce().checked_sub(intent.nonce);
        if too_old.is_some_and(|behind| behind > WINDOW_NONCES) {
            self.unless(false, EscrowError::NonceTooOld);
        } else {
            let fresh = intent.nonce > 0 && !session.nonces.contains(&intent.nonce);
            self.unless(fresh, EscrowError::NonceUsed);
        }
    }
}
