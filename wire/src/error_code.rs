//! Why a payment is refused: the codes of x402 (section 9), those of `auth-capture` on Solana, which follow the EVM
//! binding's pattern (`invalid_auth_capture_svm_*`), and those of `exact` on Solana, as its reference implementation
//! has them (`invalid_exact_svm_*`).

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// A reason for a "no".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

error_codes! {
    /// The escrow's free balance is below the amount.
    InsufficientFunds = "insufficient_funds",
    /// Another network than this facilitator's.
    InvalidNetwork = "invalid_network",
    /// The scheme's payload can't be read.
    InvalidPayload = "invalid_payload",
    /// The requirements can't be read, or are not what the client accepted.
    InvalidPaymentRequirements = "invalid_payment_requirements",
    /// The payload names another scheme than the requirements.
    InvalidScheme = "invalid_scheme",
    /// A scheme that this facilitator doesn't settle.
    UnsupportedScheme = "unsupported_scheme",
    /// Another protocol version than the scheme has here: `auth-capture` has 2, `exact` has 1 and 2.
    InvalidX402Version = "invalid_x402_version",
    /// The transaction failed on chain.
    InvalidTransactionState = "invalid_transaction_state",
    /// Verification itself failed; says nothing about the payment.
    UnexpectedVerifyError = "unexpected_verify_error",
    /// Settlement itself failed; says nothing about the payment.
    UnexpectedSettleError = "unexpected_settle_error",
    /// The transaction was sent and its outcome is not known yet, or the hold that is to be captured or released is in no
    /// block now; settle again to learn it.
    SettlementPending = "settlement_pending",
    /// This payment was settled before.
    DuplicateSettlement = "duplicate_settlement",
    /// The operator of this facilitator does not serve the payer, the receiver or the token.
    PaymentDenied = "payment_denied",
    /// `extra` lacks a field, or one of its fields can't be read.
    InvalidExtra = "invalid_auth_capture_svm_extra",
    /// `extra.program` is not the escrow program that this facilitator settles with.
    ProgramMismatch = "invalid_auth_capture_svm_program_mismatch",
    /// `extra.paymentFlow` is not one that this facilitator settles.
    UnsupportedPaymentFlow = "invalid_auth_capture_svm_unsupported_payment_flow",
    /// The amount is below what this facilitator holds.
    AmountTooSmall = "invalid_auth_capture_svm_amount_too_small",
    /// A token that this facilitator does not hold.
    UnsupportedAsset = "invalid_auth_capture_svm_unsupported_asset",
    /// The escrow has as many payments that are not over as this facilitator allows.
    TooManyOpenHolds = "invalid_auth_capture_svm_too_many_open_holds",
    /// The escrow account doesn't exist.
    EscrowNotFound = "invalid_auth_capture_svm_escrow_not_found",
    /// The escrow is of another mint than `asset`.
    AssetMismatch = "invalid_auth_capture_svm_asset_mismatch",
    /// The session account doesn't exist.
    SessionNotFound = "invalid_auth_capture_svm_session_not_found",
    /// The session was closed and opened again since: the incarnation is another.
    IncarnationMismatch = "invalid_auth_capture_svm_incarnation_mismatch",
    /// The payer or the escrow's guardian revoked the session.
    SessionRevoked = "invalid_auth_capture_svm_session_revoked",
    /// The session has expired.
    SessionExpired = "invalid_auth_capture_svm_session_expired",
    /// The session may only pay listed receivers, without fees, and no proof shows that this is one.
    ReceiverNotAllowed = "invalid_auth_capture_svm_receiver_not_allowed",
    /// The receiver has no token account of `asset`: nothing could be captured.
    ReceiverTokenAccountMissing = "invalid_auth_capture_svm_receiver_token_account",
    /// The amount is above one of the session's limits.
    LimitExceeded = "invalid_auth_capture_svm_limit_exceeded",
    /// The nonce was used, is too old, or is more than 1,024 above the highest that the session has seen.
    NonceInvalid = "invalid_auth_capture_svm_nonce",
    /// The intent's authorize-by time has passed, or leaves too little time.
    IntentExpired = "invalid_auth_capture_svm_intent_expired",
    /// The deadlines are out of order, leave too little time, or lie too far ahead.
    DeadlinesInvalid = "invalid_auth_capture_svm_deadlines",
    /// The signature is not a strict Ed25519 signature of the intent by the session key.
    SignatureInvalid = "invalid_auth_capture_svm_signature",
    /// The payment to capture or void is not known here.
    PaymentNotFound = "invalid_auth_capture_svm_payment_not_found",
    /// The capture is above the hold or after the deadline, its fee is too high, or it can't be the last.
    CaptureInvalid = "invalid_auth_capture_svm_capture",
    /// A `void` is below the last voucher, a `close` is below what is captured or above the last voucher, or nothing is held.
    ReleaseInvalid = "invalid_auth_capture_svm_release",
    /// The capture's or release's signature is not by the authorizer that the intent names.
    AuthorizerSignatureInvalid = "invalid_auth_capture_svm_authorizer_signature",
    /// The payment's hold is not streamed, or not for these requirements.
    VoucherWrongHold = "invalid_auth_capture_svm_voucher_wrong_hold",
    /// The hold is not on chain as finally as it must be, or not any more.
    VoucherHoldNotFinal = "invalid_auth_capture_svm_voucher_hold_not_final",
    /// The hold was captured for the last time or released: it takes no vouchers any more.
    VoucherHoldClosed = "invalid_auth_capture_svm_voucher_hold_closed",
    /// The hold's capture deadline is too near.
    VoucherTooLate = "invalid_auth_capture_svm_voucher_too_late",
    /// A voucher of this amount was accepted before: it paid for another request.
    VoucherRepeated = "invalid_auth_capture_svm_voucher_repeated",
    /// The amount is below the last voucher's; it is cumulative.
    VoucherDecreased = "invalid_auth_capture_svm_voucher_decreased",
    /// The amount is above the last voucher's by less than the request costs.
    VoucherBelowPrice = "invalid_auth_capture_svm_voucher_below_price",
    /// The amount is above what the hold can still come to.
    VoucherAboveHold = "invalid_auth_capture_svm_voucher_above_hold",
    /// The voucher's fee is above what the intent allows.
    VoucherFee = "invalid_auth_capture_svm_voucher_fee",
    /// The refund would return nothing, or is not the transaction that this facilitator drafts.
    RefundInvalid = "invalid_auth_capture_svm_refund",
    /// The client accepted another scheme than the requirements have.
    ExactUnsupportedScheme = "invalid_exact_svm_unsupported_scheme",
    /// The client accepted another network than the requirements have.
    ExactNetworkMismatch = "invalid_exact_svm_network_mismatch",
    /// `extra.feePayer` is missing or is no address.
    ExactFeePayerMissing = "invalid_exact_svm_payload_missing_fee_payer",
    /// `extra.feePayer` is not this facilitator's.
    ExactFeePayerNotManaged = "invalid_exact_svm_fee_payer_not_managed_by_facilitator",
    /// A token that this facilitator does not transfer.
    ExactUnsupportedAsset = "invalid_exact_svm_unsupported_asset",
    /// The amount is 0, or below what this facilitator transfers of the token.
    ExactAmountTooSmall = "invalid_exact_svm_amount_too_small",
    /// `payload.transaction` is not one legacy or version 0 transaction in base64.
    ExactTransactionNotDecoded = "invalid_exact_svm_payload_transaction_could_not_be_decoded",
    /// The transaction's fee payer is not `extra.feePayer`.
    ExactFeePayerMismatch = "invalid_exact_svm_fee_payer_mismatch",
    /// The transaction needs other signatures than the payer's and the fee payer's.
    ExactExcessiveSigners = "invalid_exact_svm_payload_excessive_signers",
    /// The payer's signature is missing or wrong.
    ExactSignatureInvalid = "invalid_exact_svm_payload_signature_invalid",
    /// The transaction loads accounts from lookup tables, which are not resolved here.
    ExactLookupTables = "invalid_exact_svm_smart_wallet_alt_resolution_not_available",
    /// The transaction has fewer than 3 or more than 7 instructions, or more than 4 guards besides.
    ExactInstructionsLength = "invalid_exact_svm_payload_transaction_instructions_length",
    /// The first instruction, guards aside, does not set the compute unit limit.
    ExactComputeLimit = "invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction",
    /// The compute unit limit is above what this facilitator pays for.
    ExactComputeLimitTooHigh =
        "invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction_too_high",
    /// The second instruction, guards aside, does not set the compute unit price.
    ExactComputePrice = "invalid_exact_svm_payload_transaction_instructions_compute_price_instruction",
    /// The compute unit price is above what this facilitator pays.
    ExactComputePriceTooHigh =
        "invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high",
    /// The third instruction, guards aside, is no `TransferChecked` of SPL Token or Token-2022.
    ExactNoTransfer = "invalid_exact_svm_payload_no_transfer_instruction",
    /// A fee payer of this facilitator would be the transfer's authority, or its account the source.
    ExactFeePayerTransferring = "invalid_exact_svm_payload_transaction_fee_payer_transferring_funds",
    /// The fee payer is among an instruction's accounts, or its program.
    ExactFeePayerNotIsolated = "invalid_exact_svm_smart_wallet_fee_payer_not_isolated",
    /// The transfer is of another mint than `asset`.
    ExactMintMismatch = "invalid_exact_svm_payload_mint_mismatch",
    /// The transfer does not go to the associated token account of `payTo`.
    ExactRecipientMismatch = "invalid_exact_svm_payload_recipient_mismatch",
    /// The receiver would not get exactly `amount`.
    ExactAmountMismatch = "invalid_exact_svm_payload_amount_mismatch",
    /// The fourth instruction, guards aside, is no memo.
    ExactUnknownFourth = "invalid_exact_svm_payload_unknown_fourth_instruction",
    /// The same of the fifth.
    ExactUnknownFifth = "invalid_exact_svm_payload_unknown_fifth_instruction",
    /// The same of the sixth.
    ExactUnknownSixth = "invalid_exact_svm_payload_unknown_sixth_instruction",
    /// The same of the seventh.
    ExactUnknownSeventh = "invalid_exact_svm_payload_unknown_seventh_instruction",
    /// `extra.memo` asks for one memo, and there is none or more than one.
    ExactMemoCount = "invalid_exact_svm_payload_memo_count",
    /// The memo is not `extra.memo`.
    ExactMemoMismatch = "invalid_exact_svm_payload_memo_mismatch",
    /// The receiver has no token account of `asset`.
    ExactReceiverAccountMissing = "invalid_exact_svm_receiver_token_account",
    /// The simulation says that the transaction would fail: no tokens, no account, an old blockhash.
    ExactSimulationFailed = "invalid_exact_svm_transaction_simulation_failed",
    /// The transaction failed on chain, or expired before a block took it.
    ExactTransactionFailed = "invalid_exact_svm_transaction_failed",
    /// The transaction is on chain, but did not bring the receiver the amount.
    PostSettlementTransferNotConfirmed = "post_settlement_transfer_not_confirmed",
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
