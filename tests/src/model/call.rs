use std::fmt;

use x402_escrow_interface::{
    Address,
    instruction::{SessionLimits, Signature},
    message::{Capture, Intent, Release},
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
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Message {
    /// By a session key.
    Intent(Intent),
    /// By a capture authorizer.
    Capture(Capture),
    /// By a receiver authorizer.
    Release(Release),
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

/// What becomes of the part of a hold that a capture leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Rest {
    /// It stays held.
    Held,
    /// The capture is the last.
    Released,
    /// The receiver authorizer releases it.
    ReleasedBySignature(Signed),
}

/// How much of an intent is charged, and who allowed that.
#[derive(Clone, Copy, Debug)]
pub struct ChargeArguments {
    /// Of it, only what is an argument counts; the rest comes from the accounts.
    pub intent: Intent,
    /// The session key's.
    pub signature: Signed,
    /// What is paid, the fee included.
    pub amount: u64,
    /// The part of it that goes to the fee recipient.
    pub fee: u64,
    /// The receiver authorizer's.
    pub release: Option<Signed>,
    /// The capture authorizer's.
    pub capture: Option<Signed>,
}

/// An instruction's name and arguments. A missing signature means that the authorizer is among the remaining accounts.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the program documents its instructions")]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Arguments {
    OpenEscrow {
        withdraw_delay_seconds: u32,
    },
    Deposit {
        amount: u64,
    },
    Sync,
    RequestWithdrawal {
        amount: u64,
    },
    CancelWithdrawal,
    Withdraw,
    CloseEscrow,
    OpenSession {
        limits: SessionLimits,
    },
    UpdateSession {
        limits: SessionLimits,
    },
    RevokeSession,
    CloseSession,
    /// Of the intent, only what is an argument counts; the rest comes from the accounts.
    Authorize {
        intent: Intent,
        signature: Signed,
    },
    Charge(ChargeArguments),
    Capture {
        amount: u64,
        fee: u64,
        rest: Rest,
        signature: Option<Signed>,
    },
    Void {
        amount: u64,
        signature: Option<Signed>,
    },
    Reclaim,
    Refund {
        amount: u64,
    },
    CloseHold,
}

impl Arguments {
    /// The instruction's name in the IDL.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpenEscrow { .. } => "open_escrow",
            Self::Deposit { .. } => "deposit",
            Self::Sync => "sync",
            Self::RequestWithdrawal { .. } => "request_withdrawal",
            Self::CancelWithdrawal => "cancel_withdrawal",
            Self::Withdraw => "withdraw",
            Self::CloseEscrow => "close_escrow",
            Self::OpenSession { .. } => "open_session",
            Self::UpdateSession { .. } => "update_session",
            Self::RevokeSession => "revoke_session",
            Self::CloseSession => "close_session",
            Self::Authorize { .. } => "authorize",
            Self::Charge(_) => "charge",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Reclaim => "reclaim",
            Self::Refund { .. } => "refund",
            Self::CloseHold => "close_hold",
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
