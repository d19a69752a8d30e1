use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    address,
    instruction::{self, Charge, HoldAccounts, Proof, Signature},
    message::{Capture, Intent, PaymentFlow, Release},
    resource::resource_hash,
};

use super::{START, World, usdc};

impl World {
    /// Last second of the usual intent to be put on chain.
    pub const AUTHORIZE_BY: i64 = START + 60;
    /// Last second of the usual intent's captures.
    pub const CAPTURE_DEADLINE: i64 = START + 600;

    /// The usual intent: a hold of 10 USDC, nonce 1, without refunds, with a fee of up to 1 %.
    pub fn intent(&self) -> Intent {
        self.intent_of(self.session().incarnation)
    }

    /// The usual intent in a session of this incarnation.
    pub fn intent_of(&self, incarnation: [u8; 32]) -> Intent {
        Intent {
            program: x402_escrow_interface::ID,
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
        instruction::authorize(&self.relay, intent, &self.sign_intent(intent))
    }

    /// A capture of this intent up to `amount`, without a fee, that leaves the rest held.
    pub fn capture_message(&self, intent: &Intent, amount: u64) -> Capture {
        Capture { intent_digest: intent.digest(), amount, fee: 0, last: false }
    }

    /// Captures up to `amount`, without a fee, by the capture authorizer's signature.
    pub fn capture(&self, intent: &Intent, amount: u64) -> Instruction {
        self.capture_as(intent, &self.capture_message(intent, amount))
    }

    /// Captures what the message says, by the capture authorizer's signature.
    pub fn capture_as(&self, intent: &Intent, capture: &Capture) -> Instruction {
        let signature = self.chain.sign(&intent.capture_authorizer, &capture.signed_bytes());
        self.capture_by(intent, capture, Proof::Signature(signature))
    }

    /// Captures what the message says, by this proof.
    pub fn capture_by(&self, intent: &Intent, capture: &Capture, proof: Proof) -> Instruction {
        self.hold_of(intent).with(|accounts| instruction::capture(accounts, capture, proof))
    }

    /// Captures up to `amount` and releases the rest, by a signature of each authorizer.
    pub fn capture_and_release(&self, intent: &Intent, amount: u64) -> Instruction {
        let capture = self.capture_message(intent, amount);
        let signature = self.chain.sign(&intent.capture_authorizer, &capture.signed_bytes());
        let release = self.sign_release(intent, amount);
        self.hold_of(intent).with(|accounts| {
            instruction::capture_and_release(accounts, &capture, Proof::Signature(signature), &release)
        })
    }

    /// The receiver authorizer's signature over the release at `amount`.
    pub fn sign_release(&self, intent: &Intent, amount: u64) -> Signature {
        let release = Release { intent_digest: intent.digest(), amount };
        self.chain.sign(&intent.receiver_authorizer, &release.signed_bytes())
    }

    /// Ends the payment at `amount`, by the receiver authorizer's signature.
    pub fn void(&self, intent: &Intent, amount: u64) -> Instruction {
        self.void_by(intent, amount, Proof::Signature(self.sign_release(intent, amount)))
    }

    /// Ends the payment at `amount`, by this proof.
    pub fn void_by(&self, intent: &Intent, amount: u64, proof: Proof) -> Instruction {
        let release = Release { intent_digest: intent.digest(), amount };
        self.hold_of(intent).with(|accounts| instruction::void(accounts, &release, proof))
    }

    /// Releases what is left after the capture deadline.
    pub fn reclaim(&self, intent: &Intent) -> Instruction {
        self.hold_of(intent).with(instruction::reclaim)
    }

    /// The receiver returns `amount` from its associated token account.
    pub fn refund(&self, intent: &Intent, amount: u64) -> Instruction {
        let source = self.token_account(&intent.receiver);
        self.hold_of(intent).with(|accounts| instruction::refund(accounts, &source, amount))
    }

    /// Closes the intent's hold.
    pub fn close_hold(&self, intent: &Intent) -> Instruction {
        instruction::close_hold(&self.hold_address(intent), &self.hold(intent))
    }

    /// Charges the whole of an intent without a fee: `flow` must be the authorization flow.
    pub fn charge(&self, intent: &Intent) -> Instruction {
        self.charge_as(intent, &Charge { amount: intent.amount, fee: 0, release: None, capture: None })
    }

    /// Charges an intent on these terms.
    pub fn charge_as(&self, intent: &Intent, charge: &Charge) -> Instruction {
        instruction::charge(intent, &self.sign_intent(intent), &self.escrow(), charge)
    }

    /// Where the intent's hold is or would be.
    pub fn hold_address(&self, intent: &Intent) -> Address {
        address::hold(&address::session(&intent.escrow, &intent.session_key), intent.nonce)
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
        StoredHold { escrow_address: intent.escrow, escrow: self.escrow(), hold_address, hold }
    }
}

/// A hold and its escrow, owned.
struct StoredHold {
    escrow_address: Address,
    escrow: Escrow,
    hold_address: Address,
    hold: Hold,
}

impl StoredHold {
    fn with<T>(&self, build: impl FnOnce(HoldAccounts<'_>) -> T) -> T {
        build(HoldAccounts {
            escrow_address: self.escrow_address,
            escrow: &self.escrow,
            hold_address: self.hold_address,
            hold: &self.hold,
        })
    }
}
