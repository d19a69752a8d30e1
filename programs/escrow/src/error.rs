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
    #[msg("The signer is not this hold's receiver")]
    WrongReceiver,
    #[msg("The token account is not the receiver's associated token account")]
    WrongReceiverTokenAccount,
    #[msg("The token account is not the fee recipient's associated token account")]
    WrongFeeTokenAccount,
    #[msg("The account is not the one that paid the rent")]
    WrongRentPayer,
    #[msg("The signature is not a strict Ed25519 signature of this message by the required key")]
    InvalidSignature,
    #[msg("Neither a signature nor the authorizer as signer of the transaction was given")]
    MissingAuthorizer,
    #[msg("The amount must be above zero")]
    ZeroAmount,
    #[msg("The sum is above the largest amount that can be counted")]
    AmountOverflow,
    #[msg("The vault holds no more than the escrow's balance: there is nothing to credit")]
    NothingToSync,
    #[msg("The withdraw delay must be at most 2,592,000 seconds (30 days)")]
    WithdrawDelayTooLong,
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
    #[msg("The session still has open holds: capture, void, reclaim or close them first")]
    SessionHasHolds,
    #[msg("A session can't be closed in the slot it was opened in")]
    ClosedInOpeningSlot,
    #[msg("The session may only pay another receiver")]
    ReceiverNotAllowed,
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
    #[msg("The intent's authorize-by time has passed")]
    IntentExpired,
    #[msg("Deadlines must be in order: authorize-by, capture, then refund (or 0 for no refunds)")]
    DeadlinesOutOfOrder,
    #[msg("The maximum fee must be at most 10,000 basis points")]
    FeeBpsTooHigh,
    #[msg("The amount is above the escrow's free balance")]
    InsufficientFreeBalance,
    #[msg("The hold's capture deadline has passed")]
    CaptureDeadlinePassed,
    #[msg("The hold's capture deadline has not passed yet")]
    CaptureDeadlineNotPassed,
    #[msg("The capture is above the held amount")]
    CaptureAboveHold,
    #[msg("The hold was already captured up to this amount: the amount is cumulative")]
    NothingToCapture,
    #[msg(
        "A last capture releases the rest, which needs the receiver authorizer to be the capture authorizer"
    )]
    LastCaptureNotAllowed,
    #[msg("The fee is above the intent's maximum for the captured amount, or above what this capture moves")]
    FeeTooHigh,
    #[msg("The fee is below what was taken before: the fee is cumulative")]
    FeeBelowTaken,
    #[msg("The release is below what was already captured")]
    ReleaseBelowCaptured,
    #[msg("Nothing is left to release")]
    NothingToRelease,
    #[msg("The hold's refund deadline has passed")]
    RefundDeadlinePassed,
    #[msg("The refund is above what was captured and not yet refunded")]
    RefundAboveCaptured,
    #[msg("The hold is not finished: something is held, or can still be refunded")]
    HoldNotFinished,
    #[msg("The withdrawal is above the escrow's balance")]
    WithdrawalAboveBalance,
    #[msg("No withdrawal is requested")]
    NoWithdrawalRequested,
    #[msg("The withdraw delay has not passed yet")]
    WithdrawalNotDue,
    #[msg("All of the balance is held: nothing can be withdrawn now")]
    NothingToWithdraw,
    #[msg("The escrow still has sessions: close them first")]
    EscrowHasSessions,
    #[msg("The escrow or its vault still has tokens: sync and withdraw them first")]
    EscrowNotEmpty,
    #[msg("The charge is above the intent's amount")]
    ChargeAboveIntent,
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
    #[msg("The session may only pay one receiver: its intents can't allow a fee, which would go to another")]
    FeeNotAllowed,
    #[msg("The capture deadline is more than 30 days away")]
    CaptureDeadlineTooFar,
    #[msg("The refund deadline is more than 90 days after the capture deadline")]
    RefundDeadlineTooFar,
}
