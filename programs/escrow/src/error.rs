//! The program's errors. Codes start at 6000 in this order and are append-only.

use anchor_lang::prelude::*;

#[error_code]
pub enum EscrowError {
    #[msg("The signer is not this escrow's payer")]
    WrongPayer,
    #[msg("The mint is not this escrow's mint")]
    WrongMint,
    #[msg("The vault is not this escrow's vault: the associated token account of the escrow")]
    WrongVault,
    #[msg("The token program is not the one that owns the escrow's mint")]
    WrongTokenProgram,
    #[msg("The session does not belong to this escrow")]
    WrongSession,
    #[msg("The hold does not belong to this session")]
    WrongHold,
    #[msg("The token account is not the receiver's associated token account")]
    WrongReceiverTokenAccount,
    #[msg("The fee recipient's associated token account is not among the remaining accounts")]
    WrongFeeTokenAccount,
    #[msg("The account is not the one that paid the rent")]
    WrongRentPayer,
    #[msg("The key is neither this escrow's payer nor its guardian")]
    WrongRevoker,
    #[msg("The account has the layout of a later version of the program")]
    UnknownVersion,
    #[msg("The signature is not a strict Ed25519 signature of this message by the required key")]
    InvalidSignature,
    #[msg("The authorizer did not sign the transaction: put it among the remaining accounts as a signer")]
    MissingAuthorizer,
    #[msg("The authorizer's consent names another payment or revocation")]
    WrongConsent,
    #[msg(
        "A charge needs the capture authorizer's capture, unless the session key is the capture authorizer"
    )]
    MissingCapture,
    #[msg("A charge below the intent's amount needs a last capture or the receiver authorizer's release")]
    MissingRelease,
    #[msg("The amount must be above zero")]
    ZeroAmount,
    #[msg("The sum is above the largest amount that can be counted")]
    AmountOverflow,
    #[msg("The session's expiry must lie in the future")]
    SessionExpiryPassed,
    #[msg("A limit per period needs both a length in seconds and an amount")]
    PeriodIncomplete,
    #[msg("A limit of zero would refuse every payment")]
    LimitIsZero,
    #[msg("The session is revoked")]
    SessionRevoked,
    #[msg("The session has expired")]
    SessionExpired,
    #[msg("The session still has open holds: capture, void or reclaim them first")]
    SessionHasHolds,
    #[msg("A session can't be closed in the slot it was opened in")]
    ClosedInOpeningSlot,
    #[msg("Sessions can only be revoked up to the current slot")]
    RevokedSlotInFuture,
    #[msg("The receiver is not in the session's list, or the proof does not show it")]
    ReceiverNotListed,
    #[msg(
        "The session may only pay listed receivers: its intents can't allow a fee, which would go to another"
    )]
    FeeNotAllowed,
    #[msg("The amount is above the session's limit per payment")]
    PaymentLimitExceeded,
    #[msg("The amount is above what is left of the session's total")]
    TotalLimitExceeded,
    #[msg("The amount is above what is left of the session's limit for this period")]
    PeriodLimitExceeded,
    #[msg("The nonce was used before; nonces start at 1")]
    NonceUsed,
    #[msg("The nonce is more than 1,024 behind the highest one this session has seen")]
    NonceTooOld,
    #[msg("The nonce is more than 1,024 above the highest one this session has seen")]
    NonceTooFarAhead,
    #[msg("The intent's authorize-by time has passed")]
    IntentExpired,
    #[msg("The capture deadline is before the authorize-by time")]
    DeadlinesOutOfOrder,
    #[msg("The capture deadline is more than 30 days away")]
    CaptureDeadlineTooFar,
    #[msg("The maximum fee must be at most 10,000 basis points")]
    FeeBpsTooHigh,
    #[msg("Where an intent allows a fee, its recipient must be neither the receiver nor the escrow")]
    WrongFeeRecipient,
    #[msg("The amount is above the escrow's free balance")]
    InsufficientFreeBalance,
    #[msg("The hold's capture deadline has passed")]
    CaptureDeadlinePassed,
    #[msg("The hold's capture deadline has not passed yet")]
    CaptureDeadlineNotPassed,
    #[msg("The amount is above what the capture authorizer agreed to")]
    CaptureAboveBound,
    #[msg(
        "A last capture ends the payment, which needs the receiver authorizer to be the capture authorizer"
    )]
    LastCaptureNotAllowed,
    #[msg("A last capture is paid in full: the amount must be the bound")]
    LastCaptureNotInFull,
    #[msg("The charge is above the intent's amount")]
    ChargeAboveIntent,
    #[msg("Nothing is free: all of the balance is held")]
    NothingToWithdraw,
    #[msg("The escrow still has sessions: close them first")]
    EscrowHasSessions,
    #[msg("The mint takes a fee from transfers: receivers would get less than was signed for")]
    MintHasTransferFee,
    #[msg(
        "The mint runs a program of its issuer's at every transfer, which could refuse or disturb payments"
    )]
    MintHasTransferHook,
    #[msg("The mint has a permanent delegate, who could take the tokens out of the vault")]
    MintHasPermanentDelegate,
    #[msg("The mint decides the state of new token accounts: they may start frozen")]
    MintFreezesNewAccounts,
    #[msg("The mint's tokens can't be transferred")]
    MintIsNonTransferable,
    #[msg("The mint has confidential transfers or balances, which the escrow could not count")]
    MintIsConfidential,
    #[msg("The mint can be closed, and made again at the same address with other rules")]
    MintCanBeClosed,
    #[msg("The mint can be paused, which would let deadlines pass while nothing can be captured")]
    MintIsPausable,
    #[msg("The mint has an extension that this program does not know to be harmless")]
    UnsupportedMintExtension,
}
