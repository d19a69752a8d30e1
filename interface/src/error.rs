//! The program's error codes. Append-only: a code never changes its meaning.

use core::fmt;

/// Code of the first error; the others follow in order (Anchor's custom errors start here).
pub const FIRST_ERROR_CODE: u32 = 6000;

macro_rules! errors {
    ($($(#[doc = $message:literal])+ $name:ident,)+) => {
        /// Why the program refused an instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum EscrowError {
            $($(#[doc = $message])+ $name,)+
        }

        impl EscrowError {
            /// Every error, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The variant's name, as in the IDL.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The rule that was broken, in a sentence.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => concat!($($message),+).trim_ascii_start(),)+ }
            }
        }
    };
}

errors! {
    /// The signer is not this escrow's payer
    WrongPayer,
    /// The mint is not this escrow's mint
    WrongMint,
    /// The vault is not this escrow's vault: the associated token account of the escrow
    WrongVault,
    /// The token program is not the one that owns the escrow's mint
    WrongTokenProgram,
    /// The session does not belong to this escrow
    WrongSession,
    /// The hold does not belong to this session
    WrongHold,
    /// The token account is not the receiver's associated token account
    WrongReceiverTokenAccount,
    /// The fee recipient's associated token account is not among the remaining accounts
    WrongFeeTokenAccount,
    /// The account is not the one that paid the rent
    WrongRentPayer,
    /// The key is neither this escrow's payer nor its guardian
    WrongRevoker,
    /// The account has the layout of a later version of the program
    UnknownVersion,
    /// The signature is not a strict Ed25519 signature of this message by the required key
    InvalidSignature,
    /// The authorizer did not sign the transaction: put it among the remaining accounts as a signer
    MissingAuthorizer,
    /// The authorizer's consent names another payment or revocation
    WrongConsent,
    /// A charge needs the capture authorizer's capture, unless the session key is the capture authorizer
    MissingCapture,
    /// A charge below the intent's amount needs a last capture or the receiver authorizer's release
    MissingRelease,
    /// The amount must be above zero
    ZeroAmount,
    /// The sum is above the largest amount that can be counted
    AmountOverflow,
    /// The session's expiry must lie in the future
    SessionExpiryPassed,
    /// A limit per period needs both a length in seconds and an amount
    PeriodIncomplete,
    /// A limit of zero would refuse every payment
    LimitIsZero,
    /// The session is revoked
    SessionRevoked,
    /// The session has expired
    SessionExpired,
    /// The session still has open holds: capture, void or reclaim them first
    SessionHasHolds,
    /// A session can't be closed in the slot it was opened in
    ClosedInOpeningSlot,
    /// Sessions can only be revoked up to the current slot
    RevokedSlotInFuture,
    /// The receiver is not in the session's list, or the proof does not show it
    ReceiverNotListed,
    /// The session may only pay listed receivers: its intents can't allow a fee, which would go to another
    FeeNotAllowed,
    /// The amount is above the session's limit per payment
    PaymentLimitExceeded,
    /// The amount is above what is left of the session's total
    TotalLimitExceeded,
    /// The amount is above what is left of the session's limit for this period
    PeriodLimitExceeded,
    /// The nonce was used before; nonces start at 1
    NonceUsed,
    /// The nonce is more than 1,024 behind the highest one this session has seen
    NonceTooOld,
    /// The nonce is more than 1,024 above the highest one this session has seen
    NonceTooFarAhead,
    /// The intent's authorize-by time has passed
    IntentExpired,
    /// The capture deadline is before the authorize-by time
    DeadlinesOutOfOrder,
    /// The capture deadline is more than 30 days away
    CaptureDeadlineTooFar,
    /// The maximum fee must be at most 10,000 basis points
    FeeBpsTooHigh,
    /// Where an intent allows a fee, its recipient must be neither the receiver nor the escrow
    WrongFeeRecipient,
    /// The amount is above the escrow's free balance
    InsufficientFreeBalance,
    /// The hold's capture deadline has passed
    CaptureDeadlinePassed,
    /// The hold's capture deadline has not passed yet
    CaptureDeadlineNotPassed,
    /// The amount is above what the capture authorizer agreed to
    CaptureAboveBound,
    /// A last capture ends the payment, which needs the receiver authorizer to be the capture authorizer
    LastCaptureNotAllowed,
    /// A last capture is paid in full: the amount must be the bound
    LastCaptureNotInFull,
    /// The charge is above the intent's amount
    ChargeAboveIntent,
    /// Nothing is free: all of the balance is held
    NothingToWithdraw,
    /// The escrow still has sessions: close them first
    EscrowHasSessions,
    /// The mint takes a fee from transfers: receivers would get less than was signed for
    MintHasTransferFee,
    /// The mint runs a program of its issuer's at every transfer, which could refuse or disturb payments
    MintHasTransferHook,
    /// The mint has a permanent delegate, who could take the tokens out of the vault
    MintHasPermanentDelegate,
    /// The mint decides the state of new token accounts: they may start frozen
    MintFreezesNewAccounts,
    /// The mint's tokens can't be transferred
    MintIsNonTransferable,
    /// The mint has confidential transfers or balances, which the escrow could not count
    MintIsConfidential,
    /// The mint can be closed, and made again at the same address with other rules
    MintCanBeClosed,
    /// The mint can be paused, which would let deadlines pass while nothing can be captured
    MintIsPausable,
    /// The mint has an extension that this program does not know to be harmless
    UnsupportedMintExtension,
}

impl EscrowError {
    /// The error with this custom program error code, if it is one of ours.
    pub fn from_code(code: u32) -> Option<Self> {
        let index = code.checked_sub(FIRST_ERROR_CODE)?;
        Self::ALL.get(usize::try_from(index).ok()?).copied()
    }

    /// The custom program error code.
    pub fn code(self) -> u32 {
        FIRST_ERROR_CODE + self as u32
    }
}

impl fmt::Display for EscrowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl core::error::Error for EscrowError {}
