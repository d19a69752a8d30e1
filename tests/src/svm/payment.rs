use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    address,
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts, Signature},
    message::{Capture, Digest, Intent, PaymentFlow, Release},
    resource::resource_hash,
};

use super::{START, World, usdc};
use crate::program_id;

impl World {
    /// Last second of the usual intent to be put on chain.
    pub const AUTHORIZE_BY: i64 = START + 60;
    /// Last second of the usual intent's captures.
    pub const CAPTURE_DEADLINE: i64 = START + 600;

    /// The usual intent: a hold of 10 USDC, nonce 1, without a promise of refunds, with a fee of up to 1 %.
    pub fn intent(&self) -> Intent {
        self.intent_of(self.session().incarnation)
    }

    /// The usual intent in a session of this incarnation.
    pub fn intent_of(&self, incarnation: [u8; 32]) -> Intent {
        Intent {
            program: program_id(),
            incarnation,
            escrow: self.escrow,
            session_key: self.agent,
            receiver: self.receiver,
            capture_authorizer: self.capture_authorizer,
            receiver_authorizer: self.receiver_authorizer,
            fee_recipient: self.fee_recipient,
            resource_hash: resource_hash("GET", "https://api.example/weather", b""),
            amount: usdc(10),
            nonce: 1,
            authorize_by: Self::AUTHORIZE_BY,
            capture_deadline: Self::CAPTURE_DEADLINE,
            refund_deadline: 0,
            maximum_fee_bps: 100,
            flow: PaymentFlow::Escrow,
        }
    }

    /// The session key's signature over an intent.
    pub fn sign_intent(&self, intent: &Intent) -> Signature {
        self.chain.sign(&intent.session_key, &intent.signed_bytes())
    }

    /// Holds the intent's amount; the relay pays the rent.
    pub fn authorize(&self, intent: &Intent) -> Instruction {
        self.authorize_listed(intent, &[])
    }

    /// The same with a proof that the receiver is in the session's list.
    pub fn authorize_listed(&self, intent: &Intent, receiver_proof: &[Digest]) -> Instruction {
        instruction::authorize(&self.relay, intent, &self.sign_intent(intent), receiver_proof)
    }

    /// A capture of this intent up to `amount`, without a fee, that leaves the rest held.
    pub fn capture_message(&self, intent: &Intent, amount: u64) -> Capture {
        Capture { intent_digest: intent.digest(), amount, fee: 0, last: false }
    }

    /// The capture authorizer's signature over a capture.
    pub fn sign_capture(&self, intent: &Intent, capture: &Capture) -> Consent {
        Consent::Signature(self.chain.sign(&intent.capture_authorizer, &capture.signed_bytes()))
    }

    /// Captures up to `amount`, without a fee, by the capture authorizer's signature.
    pub fn capture(&self, intent: &Intent, amount: u64) -> Instruction {
        self.capture_as(intent, &self.capture_message(intent, amount))
    }

    /// Captures all that the message allows, by the capture authorizer's signature.
    pub fn capture_as(&self, intent: &Intent, capture: &Capture) -> Instruction {
        self.capture_by(intent, capture, self.sign_capture(intent, capture))
    }

    /// Captures all that the message allows, by this consent.
    pub fn capture_by(&self, intent: &Intent, capture: &Capture, consent: Consent) -> Instruction {
        self.capture_part_by(intent, capture.amount, capture, consent)
    }

    /// Captures up to `amount`, of what the message allows, by the capture authorizer's signature.
    pub fn capture_part(&self, intent: &Intent, amount: u64, capture: &Capture) -> Instruction {
        self.capture_part_by(intent, amount, capture, self.sign_capture(intent, capture))
    }

    /// Captures up to `amount`, of what the message allows, by this consent.
    pub fn capture_part_by(
        &self,
        intent: &Intent,
        amount: u64,
        capture: &Capture,
        consent: Consent,
    ) -> Instruction {
        self.hold_of(intent).with(|accounts| instruction::capture(accounts, amount, capture, consent))
    }

    /// Captures up to `amount` and releases the rest, by a signature of each authorizer.
    pub fn capture_and_release(&self, intent: &Intent, amount: u64) -> Instruction {
        self.capture_part_and_release(intent, amount, &self.capture_message(intent, amount))
    }

    /// Captures up to `amount`, of what the message allows, and releases the rest, by a signature of each authorizer.
    pub fn capture_part_and_release(&self, intent: &Intent, amount: u64, capture: &Capture) -> Instruction {
        let consent = self.sign_capture(intent, capture);
        let release = self.sign_release(intent, amount);
        self.hold_of(intent)
            .with(|accounts| instruction::capture_and_release(accounts, amount, capture, consent, &release))
    }

    /// The receiver authorizer's signature over the release at `amount`.
    pub fn sign_release(&self, intent: &Intent, amount: u64) -> Signature {
        let release = Release { intent_digest: intent.digest(), amount };
        self.chain.sign(&intent.receiver_authorizer, &release.signed_bytes())
    }

    /// Ends the payment at `amount`, by the receiver authorizer's signature.
    pub fn void(&self, intent: &Intent, amount: u64) -> Instruction {
        self.void_by(intent, amount, Consent::Signature(self.sign_release(intent, amount)))
    }

    /// Ends the payment at `amount`, by this consent.
    pub fn void_by(&self, intent: &Intent, amount: u64, consent: Consent) -> Instruction {
        let release = Release { intent_digest: intent.digest(), amount };
        self.hold_of(intent).with(|accounts| instruction::void(accounts, &release, consent))
    }

    /// Releases what is left after the capture deadline.
    pub fn reclaim(&self, intent: &Intent) -> Instruction {
        self.hold_of(intent).with(instruction::reclaim)
    }

    /// The receiver returns `amount` of the payment from its associated token account.
    pub fn refund(&self, intent: &Intent, amount: u64) -> Instruction {
        let (digest, source) = (intent.digest(), self.token_account(&intent.receiver));
        let Intent { program, receiver, escrow, .. } = intent;
        instruction::refund(program, &digest, receiver, &source, escrow, &self.escrow(), amount)
    }

    /// Charges the whole of an intent without a fee, under the capture authorizer's signature where the intent alone is
    /// not enough: `flow` must be the authorization flow.
    pub fn charge(&self, intent: &Intent) -> Instruction {
        let amount = intent.amount;
        let is_own = intent.capture_authorizer == intent.session_key;
        let capture = (!is_own).then(|| self.charge_capture(intent, &self.capture_message(intent, amount)));
        self.charge_as(intent, &Charge { amount, capture, release: None })
    }

    /// A capture to charge under, by the capture authorizer's signature.
    pub fn charge_capture(&self, intent: &Intent, capture: &Capture) -> ChargeCapture {
        ChargeCapture::new(capture, self.sign_capture(intent, capture))
    }

    /// Charges an intent on these terms.
    pub fn charge_as(&self, intent: &Intent, charge: &Charge) -> Instruction {
        self.charge_listed(intent, &[], charge)
    }

    /// The same with a proof that the receiver is in the session's list.
    pub fn charge_listed(&self, intent: &Intent, receiver_proof: &[Digest], charge: &Charge) -> Instruction {
        instruction::charge(intent, &self.sign_intent(intent), receiver_proof, &self.escrow(), charge)
    }

    /// Where the intent's hold is or would be.
    pub fn hold_address(&self, intent: &Intent) -> Address {
        let session = address::session(&intent.program, &intent.escrow, &intent.session_key);
        address::hold(&intent.program, &session, intent.nonce)
    }

    /// The intent's hold as it is stored.
    ///
    /// # Panics
    /// If there is none.
    pub fn hold(&self, intent: &Intent) -> Hold {
        let data = self.chain.data(&self.hold_address(intent)).expect("the hold exists");
        Hold::decode(&data).expect("it is a hold")
    }

    /// Whether the intent's hold has an account.
    pub fn hold_exists(&self, intent: &Intent) -> bool {
        self.chain.data(&self.hold_address(intent)).is_some()
    }

    fn hold_of(&self, intent: &Intent) -> StoredHold {
        let (hold_address, hold) = (self.hold_address(intent), self.hold(intent));
        StoredHold {
            program: intent.program,
            escrow_address: intent.escrow,
            escrow: self.escrow(),
            hold_address,
            hold,
        }
    }
}

/// A hold and its escrow, owned.
struct StoredHold {
    program: Address,
    escrow_address: Address,
    escrow: Escrow,
    hold_address: Address,
    hold: Hold,
}

impl StoredHold {
    fn with<T>(&self, build: impl FnOnce(HoldAccounts<'_>) -> T) -> T {
        build(HoldAccounts {
            program: self.program,
            escrow_address: self.escrow_address,
            escrow: &self.escrow,
            hold_address: self.hold_address,
            hold: &self.hold,
        })
    }
}
