use x402_escrow_interface::{
    error::EscrowError,
    message::{Capture, Digest, Intent, PaymentFlow, Release},
};

use super::{
    Broken, Call, ChargeArguments, ChargeCapture, Model, Slot,
    payment::{Payout, maximum_fee},
};

impl Model {
    pub(super) fn charge(&mut self, call: &Call, charge: &ChargeArguments) -> Result<(), Broken> {
        const ESCROW: usize = 0;
        const SESSION: usize = 1;
        const VAULT: usize = 2;
        const RECEIVER_TOKEN_ACCOUNT: usize = 3;
        const NAMED: usize = 10;
        let ChargeArguments { intent: terms, signature, receiver_proof, amount, .. } = charge;
        let amount = *amount;
        let mut broken = Broken::default();
        broken.unless_distinct(call, NAMED, &[ESCROW, SESSION, VAULT, RECEIVER_TOKEN_ACCOUNT]);
        let escrow = broken.required(self.escrow(call, ESCROW))?;
        let session = broken.required(self.session(call, SESSION))?;
        broken.unless(session.escrow == call.address(ESCROW), EscrowError::WrongSession);
        broken.unless(call.address(VAULT) == escrow.vault, EscrowError::WrongVault);
        let flow = PaymentFlow::Authorization;
        let intent = self.intent_of(call, terms, session, call.address(ESCROW), flow);
        let receiver_account = escrow.token_account_of(&intent.receiver);
        let right = call.address(RECEIVER_TOKEN_ACCOUNT) == receiver_account;
        broken.unless(right, EscrowError::WrongReceiverTokenAccount);
        broken.unless_tokens_of(call, escrow, VAULT, 8, 9);

        broken.unless(amount > 0, EscrowError::ZeroAmount);
        broken.unless(amount <= terms.amount, EscrowError::ChargeAboveIntent);
        broken.unless_sound(&intent, self.now);
        broken.unless(signature.is(&session.session_key, intent), EscrowError::InvalidSignature);
        let named = charge.intent.digest();
        let remaining = &call.accounts[NAMED..];
        let signed_fee = broken.unless_charge_consented(charge, &intent, named, remaining);
        broken.unless(!escrow.has_revoked(session), EscrowError::SessionRevoked);
        broken.unless_spendable(self, session, &intent, receiver_proof, amount);
        let free = self.free(&call.address(ESCROW));
        broken.unless(amount <= free, EscrowError::InsufficientFreeBalance);
        let payout = Payout {
            escrow: call.address(ESCROW),
            receiver: intent.receiver,
            fee_recipient: intent.fee_recipient,
            amount,
            fee_due: signed_fee.min(maximum_fee(amount, intent.maximum_fee_bps)).min(amount),
        };
        let fee = broken.unless_payable(self, escrow, &payout, remaining);
        broken.or_ok()?;

        self.spend(call.address(SESSION), terms.nonce, amount);
        self.pay(&payout, fee);
        Ok(())
    }
}

impl Broken {
    /// Both authorizers must agree to a charge as far as they are asked. Returns the fee that is
    /// agreed to.
    fn unless_charge_consented(
        &mut self,
        charge: &ChargeArguments,
        intent: &Intent,
        named: Digest,
        remaining: &[Slot],
    ) -> u64 {
        let (amount, intent_digest) = (charge.amount, intent.digest());
        let mut is_last = false;
        if let Some(ChargeCapture { bound, consent }) = &charge.capture {
            is_last = bound.last;
            self.unless(amount <= bound.amount, EscrowError::CaptureAboveBound);
            if is_last {
                let one_key = intent.capture_authorizer == intent.receiver_authorizer;
                self.unless(one_key, EscrowError::LastCaptureNotAllowed);
                self.unless(amount == bound.amount, EscrowError::LastCaptureNotInFull);
            }
            let message = Capture { intent_digest, ..*bound };
            let subjects = (named, intent_digest);
            self.unless_consented(&intent.capture_authorizer, consent, subjects, message, remaining);
        } else {
            let own = intent.capture_authorizer == intent.session_key;
            self.unless(own, EscrowError::MissingCapture);
        }
        if amount < intent.amount && !is_last {
            if let Some(consent) = &charge.release {
                let message = Release { intent_digest, amount };
                let subjects = (named, intent_digest);
                self.unless_consented(&intent.receiver_authorizer, consent, subjects, message, remaining);
            } else {
                self.unless(false, EscrowError::MissingRelease);
            }
        }
        charge.capture.map_or(0, |capture| capture.bound.fee)
    }
}
