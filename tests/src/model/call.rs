use std::fmt;

use x402_escrow_interface::{
    Address,
    instruction::{SessionLimits, Signature},
    message::{Capture, Digest, Intent, Release, Revoke},
};

/// An instruction as it is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// In the order of the IDL.
    pub accounts: Vec<Slot>,
    /// Which instruction, and its arguments.
    pub arguments: Arguments,
}

/// An account of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its address.
    pub address: Address,
    /// Whether it signs the transaction.
    pub signer: bool,
    /// Whether it may be written.
    pub writable: bool,
}

/// A signature, and what only its maker knows: by whom and over what.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Whose key.
    pub by: Address,
    /// What was signed.
    pub message: Message,
    /// What goes to the chain. The model does not look at it.
    pub bytes: Signature,
}

impl fmt::Debug for Signed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} by {}", self.message, self.by)
    }
}

impl Signed {
    /// Whether this is the signature that the program asks for.
    pub fn is(&self, by: &Address, message: impl Into<Message>) -> bool {
        self.by == *by && self.message == message.into()
    }
}

/// What a key signs off chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// By a session key.
    Intent(Intent),
    /// By a capture authorizer.
    Capture(Capture),
    /// By a receiver authorizer.
    Release(Release),
    /// By a payer or a guardian.
    Revoke(Revoke),
}

impl From<Intent> for Message {
    fn from(intent: Intent) -> Self {
        Self::Intent(intent)
    }
}

impl From<Capture> for Message {
    fn from(capture: Capture) -> Self {
        Self::Capture(capture)
    }
}

impl From<Release> for Message {
    fn from(release: Release) -> Self {
        Self::Release(release)
    }
}

impl From<Revoke> for Message {
    fn from(revoke: Revoke) -> Self {
        Self::Revoke(revoke)
    }
}

/// How an authorizer consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Consent {
    /// By this signature.
    Signature(Signed),
    /// By signing the transaction, which names what the arguments are about.
    Signer,
}

/// Where a payment ends after a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum End {
    /// Where it ended before.
    Unchanged,
    /// At the capture's bound: it is the last.
    AtBound,
    /// At what is asked for, by the receiver authorizer's release.
    AtAmount(Signed),
}

/// How much of an intent is charged, and who allowed that.
#[derive(Clone, Debug)]
pub struct ChargeArguments {
    /// Of it, only what is an argument counts; the rest comes from the accounts.
    pub intent: Intent,
    /// The session key's.
    pub signature: Signed,
    /// Shows that the receiver is in the session's list.
    pub receiver_proof: Vec<Digest>,
    /// What is paid, the fee included.
    pub amount: u64,
    /// What the capture authorizer agrees to.
    pub capture: Option<ChargeCapture>,
    /// The receiver authorizer's.
    pub release: Option<Consent>,
}

/// The capture under which a charge pays.
#[derive(Clone, Copy, Debug)]
pub struct ChargeCapture {
    /// Of it, the payment's digest does not count: it is the intent's.
    pub bound: Capture,
    /// The capture authorizer's.
    pub consent: Consent,
}

/// An instruction's name and arguments. Messages among them are what a transaction signer's consent
/// names; a signature may be over another.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the program documents its instructions")]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Arguments {
    OpenEscrow,
    SetGuardian {
        guardian: Address,
    },
    Deposit {
        amount: u64,
        refunded_payment: Option<Digest>,
    },
    Sync,
    Withdraw {
        amount: Option<u64>,
    },
    CloseEscrow,
    OpenSession {
        limits: SessionLimits,
    },
    UpdateSession {
        limits: SessionLimits,
    },
    RevokeSession {
        named: Revoke,
        consent: Consent,
    },
    RevokeSessions {
        named: Revoke,
        consent: Consent,
    },
    CloseSession,
    /// Of the intent, only what is an argument counts; the rest comes from the accounts.
    Authorize {
        intent: Intent,
        signature: Signed,
        receiver_proof: Vec<Digest>,
    },
    Charge(ChargeArguments),
    Capture {
        amount: u64,
        bound: Capture,
        end: End,
        consent: Consent,
    },
    Void {
        release: Release,
        consent: Consent,
    },
    Reclaim,
}

impl Arguments {
    /// The instruction's name in the IDL.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpenEscrow => "open_escrow",
            Self::SetGuardian { .. } => "set_guardian",
            Self::Deposit { .. } => "deposit",
            Self::Sync => "sync",
            Self::Withdraw { .. } => "withdraw",
            Self::CloseEscrow => "close_escrow",
            Self::OpenSession { .. } => "open_session",
            Self::UpdateSession { .. } => "update_session",
            Self::RevokeSession { .. } => "revoke_session",
            Self::RevokeSessions { .. } => "revoke_sessions",
            Self::CloseSession => "close_session",
            Self::Authorize { .. } => "authorize",
            Self::Charge(_) => "charge",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Reclaim => "reclaim",
        }
    }
}

impl Call {
    /// The address in a slot.
    ///
    /// # Panics
    /// If the instruction has fewer accounts: the driver always gives all that are named.
    pub(super) fn address(&self, slot: usize) -> Address {
        self.accounts[slot].address
    }

    /// Whether the account in a slot signs the transaction.
    pub(super) fn signs(&self, slot: usize) -> bool {
        self.accounts[slot].signer
    }
}
