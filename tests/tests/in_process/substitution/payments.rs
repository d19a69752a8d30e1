use solana_sdk::instruction::InstructionError::{IncorrectProgramId, InvalidSeeds, PrivilegeEscalation};
use x402_escrow_interface::{
    error::EscrowError::*,
    instruction::{Charge, ChargeCapture, Consent},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

use super::{
    matrix::{
        ANY, Case, DUPLICATE, Row, Slot,
        Verdict::{Right, Rule, Solana},
    },
    neighbours::{Neighbours, with_hold},
};

/// The slot of the account that a fee goes to.
pub(crate) const FEE_TOKEN_ACCOUNT: &[Row] = &[
    ("fee_token_account", Neighbours::VAULT, DUPLICATE),
    ("fee_token_account", Neighbours::RECEIVERS_TOKENS, DUPLICATE),
    ("fee_token_account", Slot::READ_ONLY, Solana(PrivilegeEscalation)),
    ("fee_token_account", ANY, Rule(WrongFeeTokenAccount)),
];

/// The slots of every charge.
const CHARGED: &[Row] = &[
    ("escrow", ANY, Rule(WrongSession)),
    ("session", Neighbours::SECOND_SESSION, Rule(InvalidSignature)),
    ("session", ANY, Rule(WrongSession)),
    ("vault", Neighbours::RECEIVERS_TOKENS, DUPLICATE),
    ("vault", ANY, Rule(WrongVault)),
    ("receiver_token_account", Neighbours::VAULT, DUPLICATE),
    ("receiver_token_account", ANY, Rule(WrongReceiverTokenAccount)),
    ("receiver", ANY, Rule(WrongReceiverTokenAccount)),
    ("capture_authorizer", ANY, Rule(InvalidSignature)),
    ("receiver_authorizer", ANY, Rule(InvalidSignature)),
    ("fee_recipient", Neighbours::RECEIVER, Rule(WrongFeeRecipient)),
    ("fee_recipient", ANY, Rule(InvalidSignature)),
    ("mint", ANY, Rule(WrongMint)),
    ("token_program", ANY, Rule(WrongTokenProgram)),
];

pub(crate) const CASES: &[Case] = &[
    Case {
        instruction: "authorize",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.authorize(&Intent { nonce: 2, ..world.intent() }),
        rows: &[&[
            ("rent_payer", ANY, Right("whoever signs as rent payer pays")),
            ("escrow", ANY, Rule(WrongSession)),
            ("session", Neighbours::SECOND_SESSION, Solana(InvalidSeeds)),
            ("session", ANY, Rule(WrongSession)),
            ("hold", ANY, Solana(InvalidSeeds)),
            ("receiver", Neighbours::FEE_RECIPIENT, Rule(WrongFeeRecipient)),
            ("receiver", ANY, Rule(InvalidSignature)),
            ("capture_authorizer", ANY, Rule(InvalidSignature)),
            ("receiver_authorizer", ANY, Rule(InvalidSignature)),
            ("fee_recipient", Neighbours::RECEIVER, Rule(WrongFeeRecipient)),
            ("fee_recipient", ANY, Rule(InvalidSignature)),
            ("system_program", ANY, Solana(IncorrectProgramId)),
        ]],
    },
    Case {
        instruction: "charge",
        shape: "of the whole amount, by signature",
        remaining: &[],
        world: with_hold,
        build: |world| world.charge(&to_charge(world)),
        rows: &[CHARGED],
    },
    Case {
        instruction: "charge",
        shape: "of less, with a fee, by signers",
        remaining: &["signing_capture_authorizer", "signing_receiver_authorizer", "fee_token_account"],
        world: with_hold,
        build: |world| {
            let intent = to_charge(world);
            let message = Capture { fee: 40_000, ..world.capture_message(&intent, usdc(9)) };
            let capture = Some(ChargeCapture::new(&message, Consent::Signer));
            let charge = Charge { amount: usdc(4), capture, release: Some(Consent::Signer) };
            world.charge_as(&intent, &charge)
        },
        rows: &[
            CHARGED,
            FEE_TOKEN_ACCOUNT,
            &[
                ("signing_capture_authorizer", ANY, Rule(MissingAuthorizer)),
                ("signing_receiver_authorizer", ANY, Rule(MissingAuthorizer)),
            ],
        ],
    },
];

/// The usual intent, to be charged.
fn to_charge(world: &World) -> Intent {
    Intent { flow: PaymentFlow::Authorization, nonce: 2, ..world.intent() }
}
