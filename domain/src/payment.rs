//! What the verifier remembers: payments, what is to be done with them, and the transactions that do it. Uses nothing
//! of this crate.
//!
//! `docs/verifier-state-machine.md` has the whole picture. The rule that keeps it simple: a payment's state is never
//! stored, it follows from which operations the chain has seen.

mod attempt;
mod history;
mod operation;

use x402_escrow_interface::{
    Address, address,
    instruction::Signature,
    message::{Digest, Intent},
};
use x402_escrow_wire::{auth_capture, claim::Claim, exact};

pub use attempt::{Attempt, AttemptState, Landing, Problem};
pub use history::{History, PaymentState, RestsOn, Sums};
pub use operation::{Action, ListedOperation, Operation, OperationKey, OperationState, Tracked};

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
}

/// How a payment is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Held first, by the scheme `auth-capture`.
    Hold(Box<HoldTerms>),
    /// At once, by the client's transaction: the scheme `exact`.
    Transfer(TransferTerms),
}

/// What a hold is made of.
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
    /// The payment that holds what `intent` says.
    pub fn held(hold: HoldTerms, payer: Address, mint: Address, accepted_at: i64) -> Self {
        let intent = &hold.intent;
        let (id, receiver, amount) = (intent.digest(), intent.receiver, intent.amount);
        Self {
            id,
            terms: Terms::Hold(Box::new(hold)),
            payer,
            mint,
            receiver,
            amount,
            accepted_at,
            claim: None,
        }
    }

    /// The scheme's name.
    pub fn scheme(&self) -> &'static str {
        match self.terms {
            Terms::Hold(_) => auth_capture::SCHEME,
            Terms::Transfer(_) => exact::SCHEME,
        }
    }

    /// What is held, if it is held first.
    pub fn hold(&self) -> Option<&HoldTerms> {
        match &self.terms {
            Terms::Hold(hold) => Some(hold),
            Terms::Transfer(_) => None,
        }
    }

    /// What is transferred, if it is paid at once.
    pub fn transfer(&self) -> Option<&TransferTerms> {
        match &self.terms {
            Terms::Hold(_) => None,
            Terms::Transfer(transfer) => Some(transfer),
        }
    }

    /// The last second for captures, unix; for ever where nothing is to be captured.
    pub fn capture_deadline(&self) -> i64 {
        self.hold().map_or(i64::MAX, |hold| hold.intent.capture_deadline)
    }
}

impl HoldTerms {
    /// The session's address.
    pub fn session(&self) -> Address {
        address::session(&self.intent.program, &self.intent.escrow, &self.intent.session_key)
    }

    /// The hold's address.
    pub fn address(&self) -> Address {
        address::hold(&self.intent.program, &self.session(), self.intent.nonce)
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
