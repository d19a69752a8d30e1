use alloc::vec;

use borsh::BorshSerialize;
use solana_address::Address;
use solana_instruction::Instruction;

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

/// Holds the intent's amount. `rent_payer` pays for the hold's account and gets the rent back.
pub fn authorize(rent_payer: &Address, intent: &Intent, signature: &Signature) -> Instruction {
    let session = address::session(&intent.escrow, &intent.session_key);
    let terms = IntentTerms {
        amount: intent.amount,
        nonce: intent.nonce,
        authorize_by: intent.authorize_by,
        capture_deadline: intent.capture_deadline,
        refund_deadline: intent.refund_deadline,
        maximum_fee_bps: intent.maximum_fee_bps,
        resource_hash: intent.resource_hash,
        signature: *signature,
    };
    instruction(
        6,
        terms,
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
        let token_account =
            address::associated_token(&hold.fee_recipient, &escrow.mint, &escrow.token_program);
        metas.push(writable(token_account));
    }
    instruction(7, (capture.amount, capture.last, fee, proof.signature()), metas)
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
