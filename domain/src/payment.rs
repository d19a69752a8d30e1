//! What the verifier remembers: payments, the operations on them, and the transactions that carry those out. Uses `derived`.
//!
//! `docs/verifier-state-machine.md` has the whole picture. The rule that keeps it simple: a payment's state is never
//! stored, it follows from which operations the chain has seen.

mod attempt;
mod history;
mod operation;
mod outcome;
mod resource;
mod sums;

use x402_escrow_interface::{
    Address,
    instruction::Signature,
    message::{Digest, Intent, PaymentFlow},
};
use x402_escrow_wire::{auth_capture, claim::Claim, exact};

use crate::derived;

pub use attempt::{Attempt, AttemptState, Landing, Problem};
pub use history::{History, PaymentState, RestsOn};
pub use operation::{Action, ListedOperation, Operation, OperationKey, OperationState, Tracked};
pub use outcome::Outcome;
pub use resource::Resource;
pub use sums::Sums;

/// How long after its authorize-by time a charge is decided for sure, in seconds.
const DECIDED_SECONDS: i64 = 600;

/// An accepted payment, of either scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The digest of what the payer signed: the intent, or the transaction's message.
    pub id: Digest,
    /// How it is paid.
    pub terms: Terms,
    /// Whose money it is.
    pub payer: Address,
    /// The token.
    pub mint: Address,
    /// Who is paid.
    pub receiver: Address,
    /// What it comes to at most, in base units.
    pub amount: u64,
    /// When it was accepted, unix seconds.
    pub accepted_at: i64,
    /// Which installation of a merchant settled it first, if it said so.
    pub claim: Option<Claim>,
    /// The resource that the client names; nobody signed it.
    pub resource: Resource,
}

/// How a payment is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Held first, by the scheme `auth-capture`.
    Hold(Box<HoldTerms>),
    /// At once and without a hold, by the scheme `auth-capture`.
    Charge(Box<HoldTerms>),
    /// At once, by the client's transaction: the scheme `exact`.
    Transfer(TransferTerms),
}

/// What a hold or a charge is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldTerms {
    /// What the payer signed.
    pub intent: Intent,
    /// The session key's signature.
    pub signature: Signature,
    /// Shows that the receiver is in the session's list, where the session has one.
    pub receiver_proof: Vec<Digest>,
}

/// What a transfer is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferTerms {
    /// The receiver's token account.
    pub destination: Address,
    /// Whether somebody was told that it is paid. Only one caller is: who shows the same payment to two servers pays one
    /// of them.
    pub is_told: bool,
}

impl Payment {
    /// The payment that holds or charges what the intent says.
    pub fn signed(hold: HoldTerms, payer: Address, mint: Address, accepted_at: i64) -> Self {
        let intent = &hold.intent;
        let (id, receiver, amount) = (intent.digest(), intent.receiver, intent.amount);
        let terms = Terms::of(hold);
        let resource = Resource::default();
        Self { id, terms, payer, mint, receiver, amount, accepted_at, claim: None, resource }
    }

    /// The scheme's name.
    pub fn scheme(&self) -> &'static str {
        match self.terms {
            Terms::Hold(_) | Terms::Charge(_) => auth_capture::SCHEME,
            Terms::Transfer(_) => exact::SCHEME,
        }
    }

    /// What is held, if it is held first.
    pub fn hold(&self) -> Option<&HoldTerms> {
        match &self.terms {
            Terms::Hold(hold) => Some(hold),
            Terms::Charge(_) | Terms::Transfer(_) => None,
        }
    }

    /// What the payer's session key signed, if it is held or charged.
    pub fn intent(&self) -> Option<&HoldTerms> {
        match &self.terms {
            Terms::Hold(signed) | Terms::Charge(signed) => Some(signed),
            Terms::Transfer(_) => None,
        }
    }

    /// Who may sign for the receiver: in the scheme `exact` nobody else.
    pub fn receiver_authorizer(&self) -> Address {
        self.intent().map_or(self.receiver, |signed| signed.intent.receiver_authorizer)
    }

    /// What is transferred, if the client's transaction pays it.
    pub fn transfer(&self) -> Option<&TransferTerms> {
        match &self.terms {
            Terms::Hold(_) | Terms::Charge(_) => None,
            Terms::Transfer(transfer) => Some(transfer),
        }
    }

    /// When to look at it again, unix seconds, if nothing is heard of it before: a hold once it can't be captured any more, a
    /// charge once it has long been decided.
    pub fn review_at(&self) -> i64 {
        match &self.terms {
            Terms::Charge(charge) => charge.intent.authorize_by.saturating_add(DECIDED_SECONDS),
            Terms::Hold(_) | Terms::Transfer(_) => self.capture_deadline(),
        }
    }

    /// The last second for captures, unix; for ever where nothing is to be captured.
    pub fn capture_deadline(&self) -> i64 {
        self.hold().map_or(i64::MAX, |hold| hold.intent.capture_deadline)
    }
}

impl Terms {
    /// How the intent is paid: by its flow.
    pub fn of(signed: HoldTerms) -> Self {
        match signed.intent.flow {
            PaymentFlow::Escrow => Self::Hold(Box::new(signed)),
            PaymentFlow::Authorization => Self::Charge(Box::new(signed)),
        }
    }
}

impl HoldTerms {
    /// The session's address.
    pub fn session(&self) -> Address {
        derived::session(&self.intent.program, &self.intent.escrow, &self.intent.session_key)
    }

    /// The hold's address.
    pub fn address(&self) -> Address {
        derived::hold(&self.intent.program, &self.session(), self.intent.nonce)
    }
}

/// The last voucher of a streamed hold: a capture that the session key signed, and that is not on chain yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// All that was bought so far, in base units.
    pub amount: u64,
    /// The most of it that goes to the fee recipient, in base units.
    pub fee: u64,
    /// The session key's over the capture.
    pub signature: Signature,
}

impl Voucher {
    /// The capture that it permits.
    pub fn capture(&self) -> Action {
        let Self { amount, fee, signature } = *self;
        Action::Capture { amount, fee, last: false, signature }
    }
}
