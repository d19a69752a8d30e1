use alloc::vec;

use borsh::BorshSerialize;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

use super::{instruction, readonly, signer, writable, writable_signer};
use crate::{
    account::{Escrow, Hold},
    address::{self, SYSTEM_PROGRAM_ID},
    message::{Capture, Intent, Release},
};

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// How an authorizer consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By a signature over the message; anyone may relay it.
    Signature(Signature),
    /// By signing the transaction.
    Signer,
}

impl Proof {
    fn signature(self) -> Option<Signature> {
        match self {
            Self::Signature(signature) => Some(signature),
            Self::Signer => None,
        }
    }
}

/// Where a hold hangs: its address and the accounts above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldAccounts<'a> {
    /// The escrow's address.
    pub escrow_address: Address,
    /// What the escrow stores.
    pub escrow: &'a Escrow,
    /// The hold's address.
    pub hold_address: Address,
    /// What the hold stores.
    pub hold: &'a Hold,
}

/// What becomes of the part of a hold that a capture leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
enum Rest {
    /// It stays held.
    Held,
    /// The capture is the last and releases it. Only where one key is both authorizers.
    Released,
    /// The receiver authorizer releases it, by this signature over the release at the captured amount.
    ReleasedBySignature(Signature),
}

#[derive(BorshSerialize)]
struct IntentTerms {
    amount: u64,
    nonce: u64,
    authorize_by: i64,
    capture_deadline: i64,
    refund_deadline: i64,
    maximum_fee_bps: u16,
    resource_hash: [u8; 32],
    signature: Signature,
}

impl IntentTerms {
    fn new(intent: &Intent, signature: &Signature) -> Self {
        Self {
            amount: intent.amount,
            nonce: intent.nonce,
            authorize_by: intent.authorize_by,
            capture_deadline: intent.capture_deadline,
            refund_deadline: intent.refund_deadline,
            maximum_fee_bps: intent.maximum_fee_bps,
            resource_hash: intent.resource_hash,
            signature: *signature,
        }
    }
}

/// Holds the intent's amount. `rent_payer` pays for the hold's account and gets the rent back.
pub fn authorize(rent_payer: &Address, intent: &Intent, signature: &Signature) -> Instruction {
    let session = address::session(&intent.escrow, &intent.session_key);
    instruction(
        6,
        IntentTerms::new(intent, signature),
        vec![
            writable_signer(*rent_payer),
            writable(intent.escrow),
            writable(session),
            writable(address::hold(&session, intent.nonce)),
            readonly(intent.receiver),
            readonly(intent.capture_authorizer),
            readonly(intent.receiver_authorizer),
            readonly(intent.fee_recipient),
            readonly(SYSTEM_PROGRAM_ID),
        ],
    )
}

/// Pays the receiver up to the capture's cumulative amount, and the fee recipient its part of it.
pub fn capture(accounts: HoldAccounts<'_>, capture: &Capture, proof: Proof) -> Instruction {
    let rest = if capture.last { Rest::Released } else { Rest::Held };
    capture_and(accounts, capture, proof, rest)
}

/// Like [`capture`], and releases the rest in the same instruction by the receiver authorizer's signature over the
/// release at the captured amount. The capture itself is not the last.
pub fn capture_and_release(
    accounts: HoldAccounts<'_>,
    capture: &Capture,
    proof: Proof,
    release_signature: &Signature,
) -> Instruction {
    capture_and(accounts, capture, proof, Rest::ReleasedBySignature(*release_signature))
}

fn capture_and(accounts: HoldAccounts<'_>, capture: &Capture, proof: Proof, rest: Rest) -> Instruction {
    let HoldAccounts { escrow_address, escrow, hold_address, hold } = accounts;
    let fee = (capture.fee > 0).then_some(capture.fee);
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
    if proof == Proof::Signer {
        metas.push(signer(hold.capture_authorizer));
    }
    if capture.fee > hold.fee {
        metas.push(fee_token_account(&hold.fee_recipient, escrow));
    }
    instruction(7, (capture.amount, rest, fee, proof.signature()), metas)
}

fn fee_token_account(recipient: &Address, escrow: &Escrow) -> AccountMeta {
    writable(address::associated_token(recipient, &escrow.mint, &escrow.token_program))
}

/// How much of an intent is charged, and who allows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is paid, the fee included, in base units.
    pub amount: u64,
    /// The part of `amount` that goes to the fee recipient.
    pub fee: u64,
    /// The receiver authorizer's, over the release at `amount`: for less than the intent's amount.
    pub release: Option<Proof>,
    /// The capture authorizer's, over the last capture of `amount` and `fee`: for a fee.
    pub capture: Option<Proof>,
}

/// Pays the receiver at once, against an intent of the flow `authorization`.
pub fn charge(intent: &Intent, signature: &Signature, escrow: &Escrow, charge: &Charge) -> Instruction {
    let mut metas = vec![
        writable(intent.escrow),
        writable(address::session(&intent.escrow, &intent.session_key)),
        writable(escrow.vault),
        writable(address::associated_token(&intent.receiver, &escrow.mint, &escrow.token_program)),
        readonly(intent.receiver),
        readonly(intent.capture_authorizer),
        readonly(intent.receiver_authorizer),
        readonly(intent.fee_recipient),
        readonly(escrow.mint),
        readonly(escrow.token_program),
    ];
    if charge.release == Some(Proof::Signer) {
        metas.push(signer(intent.receiver_authorizer));
    }
    if charge.capture == Some(Proof::Signer) {
        metas.push(signer(intent.capture_authorizer));
    }
    if charge.fee > 0 {
        metas.push(fee_token_account(&intent.fee_recipient, escrow));
    }
    let release_signature = charge.release.and_then(Proof::signature);
    let capture_signature = charge.capture.and_then(Proof::signature);
    let terms = (charge.amount, charge.fee, release_signature, capture_signature);
    instruction(17, (IntentTerms::new(intent, signature), terms), metas)
}

/// Ends the payment at the release's amount.
pub fn void(accounts: HoldAccounts<'_>, release: &Release, proof: Proof) -> Instruction {
    let HoldAccounts { escrow_address, hold_address, hold, .. } = accounts;
    let mut metas = vec![
        writable(escrow_address),
        writable(hold.session),
        writable(hold_address),
        writable(hold.rent_payer),
    ];
    if proof == Proof::Signer {
        metas.push(signer(hold.receiver_authorizer));
    }
    instruction(8, (release.amount, proof.signature()), metas)
}

/// Releases what is left after the capture deadline.
pub fn reclaim(accounts: HoldAccounts<'_>) -> Instruction {
    let HoldAccounts { escrow_address, hold_address, hold, .. } = accounts;
    instruction(
        9,
        (),
        vec![
            writable(escrow_address),
            writable(hold.session),
            writable(hold_address),
            writable(hold.rent_payer),
        ],
    )
}

/// Returns `amount` base units from `source`, a token account of the receiver, to the escrow.
pub fn refund(accounts: HoldAccounts<'_>, source: &Address, amount: u64) -> Instruction {
    let HoldAccounts { escrow_address, escrow, hold_address, hold } = accounts;
    instruction(
        10,
        amount,
        vec![
            signer(hold.receiver),
            writable(*source),
            writable(escrow_address),
            readonly(hold.session),
            writable(hold_address),
            writable(escrow.vault),
            readonly(escrow.mint),
            readonly(escrow.token_program),
        ],
    )
}

/// Closes a finished hold that was kept for refunds.
pub fn close_hold(hold_address: &Address, hold: &Hold) -> Instruction {
    instruction(11, (), vec![writable(hold.session), writable(*hold_address), writable(hold.rent_payer)])
}
