use alloc::{vec, vec::Vec};

use borsh::BorshSerialize;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

use super::consent::ConsentArgument;
use super::{Consent, Signature, instruction, readonly, writable, writable_signer};
use crate::{
    account::{Escrow, Hold},
    address::{self, SYSTEM_PROGRAM_ID},
    message::{Capture, Digest, Intent, Release},
};

/// Where a hold hangs: its address and the accounts above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldAccounts<'a> {
    /// The escrow program's address.
    pub program: Address,
    /// The escrow's address.
    pub escrow_address: Address,
    /// What the escrow stores.
    pub escrow: &'a Escrow,
    /// The hold's address.
    pub hold_address: Address,
    /// What the hold stores.
    pub hold: &'a Hold,
}

/// What a capture is bounded by, where that is more than the amount it pays.
#[derive(Clone, Copy, BorshSerialize)]
struct CaptureBound {
    amount: u64,
    fee: u64,
}

impl CaptureBound {
    /// The bound of a capture that pays up to `amount`; `None` is a bound of that amount without a fee.
    fn of(capture: &Capture, amount: u64) -> Option<Self> {
        let Capture { amount: bound, fee, .. } = *capture;
        (bound != amount || fee != 0).then_some(Self { amount: bound, fee })
    }
}

/// Where the payment ends after a capture.
#[derive(Clone, Copy, BorshSerialize)]
enum End {
    /// Where it ended before.
    Unchanged,
    /// At the capture's bound: it is the last. Only where one key is both authorizers.
    AtBound,
    /// At what the capture pays, by the receiver authorizer's signature over that release.
    AtAmount(Signature),
}

/// Who is paid besides the receiver, or what shows that the session may pay the receiver.
#[derive(BorshSerialize)]
enum ReceiverTerms {
    /// Nobody: the receiver gets everything.
    NoFee,
    /// The fee recipient, at most these basis points of what is captured.
    FeeUpTo(u16),
    /// Nobody, and the proof shows that the receiver is in the session's list.
    Listed(Vec<Digest>),
}

#[derive(BorshSerialize)]
struct IntentTerms {
    amount: u64,
    nonce: u64,
    authorize_by: i64,
    capture_deadline: i64,
    refund_deadline: i64,
    receiver_terms: ReceiverTerms,
    resource_hash: [u8; 32],
    signature: Signature,
}

impl IntentTerms {
    fn new(intent: &Intent, signature: &Signature, receiver_proof: &[Digest]) -> Self {
        let receiver_terms = match intent.maximum_fee_bps {
            0 if receiver_proof.is_empty() => ReceiverTerms::NoFee,
            0 => ReceiverTerms::Listed(receiver_proof.to_vec()),
            maximum_fee_bps => ReceiverTerms::FeeUpTo(maximum_fee_bps),
        };
        Self {
            amount: intent.amount,
            nonce: intent.nonce,
            authorize_by: intent.authorize_by,
            capture_deadline: intent.capture_deadline,
            refund_deadline: intent.refund_deadline,
            receiver_terms,
            resource_hash: intent.resource_hash,
            signature: *signature,
        }
    }
}

/// Holds the intent's amount. `rent_payer` pays for the hold's account and gets the rent back. `receiver_proof` shows that
/// the receiver is in the session's list; it is empty for a list of one and where there is no list.
pub fn authorize(
    rent_payer: &Address,
    intent: &Intent,
    signature: &Signature,
    receiver_proof: &[Digest],
) -> Instruction {
    let session = address::session(&intent.program, &intent.escrow, &intent.session_key);
    instruction(
        &intent.program,
        11,
        IntentTerms::new(intent, signature, receiver_proof),
        vec![
            writable_signer(*rent_payer),
            writable(intent.escrow),
            writable(session),
            writable(address::hold(&intent.program, &session, intent.nonce)),
            readonly(intent.receiver),
            readonly(intent.capture_authorizer),
            readonly(intent.receiver_authorizer),
            readonly(intent.fee_recipient),
            readonly(SYSTEM_PROGRAM_ID),
        ],
    )
}

/// Pays up to the cumulative `amount`, which is at most the capture's.
pub fn capture(accounts: HoldAccounts<'_>, amount: u64, capture: &Capture, consent: Consent) -> Instruction {
    let end = if capture.last { End::AtBound } else { End::Unchanged };
    capture_ending(accounts, amount, capture, consent, end)
}

/// Like [`capture`], and ends the payment at `amount` in the same instruction, by the receiver authorizer's signature over
/// that release. The capture itself is not the last.
pub fn capture_and_release(
    accounts: HoldAccounts<'_>,
    amount: u64,
    capture: &Capture,
    consent: Consent,
    release_signature: &Signature,
) -> Instruction {
    capture_ending(accounts, amount, capture, consent, End::AtAmount(*release_signature))
}

fn capture_ending(
    accounts: HoldAccounts<'_>,
    amount: u64,
    capture: &Capture,
    consent: Consent,
    end: End,
) -> Instruction {
    let HoldAccounts { program, escrow_address, escrow, hold_address, hold } = accounts;
    let mut metas = vec![
        writable(escrow_address),
        writable(hold.session),
        writable(hold_address),
        writable(escrow.vault),
        writable(hold.receiver_token_account),
        writable(hold.rent_payer),
        readonly(escrow.mint),
        readonly(escrow.token_program),
    ];
    consent.push_signer(hold.capture_authorizer, &mut metas);
    metas.extend(fee_token_account(capture.fee, hold.maximum_fee_bps, &hold.fee_recipient, escrow));
    let bound = CaptureBound::of(capture, amount);
    instruction(&program, 12, (amount, end, bound, consent.to(hold.intent_digest)), metas)
}

/// The token account that the fee goes to; `None` where no fee can be due. The recipient may then be the receiver, whose
/// token account is among the accounts already.
fn fee_token_account(
    fee: u64,
    maximum_fee_bps: u16,
    recipient: &Address,
    escrow: &Escrow,
) -> Option<AccountMeta> {
    (fee > 0 && maximum_fee_bps > 0)
        .then(|| writable(address::associated_token(recipient, &escrow.mint, &escrow.token_program)))
}

/// How much of an intent is charged, and who allows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is paid, the fee included, in base units.
    pub amount: u64,
    /// The capture authorizer's: needed unless it is the session key.
    pub capture: Option<ChargeCapture>,
    /// The receiver authorizer's, over the release at `amount`: for less than the intent's amount, unless the capture is
    /// the last.
    pub release: Option<Consent>,
}

/// The capture under which a charge pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeCapture {
    /// The most that may be paid, in base units.
    pub amount: u64,
    /// The most that may go to the fee recipient, in base units.
    pub fee: u64,
    /// Whether the payment ends at `amount`.
    pub last: bool,
    /// The capture authorizer's.
    pub consent: Consent,
}

impl ChargeCapture {
    /// The capture authorizer's consent to `capture`.
    pub fn new(capture: &Capture, consent: Consent) -> Self {
        let Capture { amount, fee, last, .. } = *capture;
        Self { amount, fee, last, consent }
    }
}

#[derive(BorshSerialize)]
struct ChargeCaptureArgument {
    bound: Option<CaptureBound>,
    last: bool,
    consent: ConsentArgument,
}

/// Pays the receiver at once, against an intent of the flow `authorization`. `receiver_proof` is as for [`authorize`].
pub fn charge(
    intent: &Intent,
    signature: &Signature,
    receiver_proof: &[Digest],
    escrow: &Escrow,
    charge: &Charge,
) -> Instruction {
    let intent_digest = intent.digest();
    let mut metas = vec![
        writable(intent.escrow),
        writable(address::session(&intent.program, &intent.escrow, &intent.session_key)),
        writable(escrow.vault),
        writable(address::associated_token(&intent.receiver, &escrow.mint, &escrow.token_program)),
        readonly(intent.receiver),
        readonly(intent.capture_authorizer),
        readonly(intent.receiver_authorizer),
        readonly(intent.fee_recipient),
        readonly(escrow.mint),
        readonly(escrow.token_program),
    ];
    let capture = charge.capture.map(|ChargeCapture { amount, fee, last, consent }| {
        consent.push_signer(intent.capture_authorizer, &mut metas);
        let bound = CaptureBound::of(&Capture { intent_digest, amount, fee, last }, charge.amount);
        ChargeCaptureArgument { bound, last, consent: consent.to(intent_digest) }
    });
    let release = charge.release.map(|consent| {
        consent.push_signer(intent.receiver_authorizer, &mut metas);
        consent.to(intent_digest)
    });
    let fee = charge.capture.map_or(0, |capture| capture.fee);
    metas.extend(fee_token_account(fee, intent.maximum_fee_bps, &intent.fee_recipient, escrow));
    let terms = IntentTerms::new(intent, signature, receiver_proof);
    instruction(&intent.program, 15, (terms, charge.amount, capture, release), metas)
}

/// Ends the payment at the release's amount.
pub fn void(accounts: HoldAccounts<'_>, release: &Release, consent: Consent) -> Instruction {
    let HoldAccounts { program, escrow_address, hold_address, hold, .. } = accounts;
    let mut metas = vec![
        writable(escrow_address),
        writable(hold.session),
        writable(hold_address),
        writable(hold.rent_payer),
    ];
    consent.push_signer(hold.receiver_authorizer, &mut metas);
    instruction(&program, 13, (release.amount, consent.to(hold.intent_digest)), metas)
}

/// Releases what is left after the capture deadline.
pub fn reclaim(accounts: HoldAccounts<'_>) -> Instruction {
    let HoldAccounts { program, escrow_address, hold_address, hold, .. } = accounts;
    instruction(
        &program,
        14,
        (),
        vec![
            writable(escrow_address),
            writable(hold.session),
            writable(hold_address),
            writable(hold.rent_payer),
        ],
    )
}
