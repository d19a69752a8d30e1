use solana_sdk::instruction::InstructionError::AccountDataTooSmall;
use spl_token_interface::error::TokenError::{MintMismatch, OwnerMismatch};
use x402_escrow_interface::{error::EscrowError::*, instruction::Proof, message::Intent};
use x402_escrow_tests::svm::{World, usdc};

use super::{
    matrix::{
        ANY, Case, DUPLICATE, Row,
        Verdict::{Right, Rule, Solana, Token},
    },
    neighbours::{Neighbours, with_hold},
    payments::FEE_TOKEN_ACCOUNT,
};

/// The slots of every instruction about a hold. What another hold of the session gets depends on who signs for what.
const HOLD_OF_SESSION: &[Row] = &[
    ("escrow", ANY, Rule(WrongSession)),
    ("session", Neighbours::SECOND_SESSION, Rule(WrongHold)),
    ("session", ANY, Rule(WrongSession)),
    ("hold", Neighbours::NO_HOLD_YET, Solana(AccountDataTooSmall)),
    ("hold", ANY, Rule(WrongHold)),
];

/// The slots of a payout.
const PAID_OUT: &[Row] = &[
    ("vault", Neighbours::RECEIVERS_TOKENS, DUPLICATE),
    ("vault", ANY, Rule(WrongVault)),
    ("receiver_token_account", Neighbours::VAULT, DUPLICATE),
    ("receiver_token_account", ANY, Rule(WrongReceiverTokenAccount)),
    ("rent_payer", ANY, Rule(WrongRentPayer)),
    ("mint", ANY, Rule(WrongMint)),
    ("token_program", ANY, Rule(WrongTokenProgram)),
];

pub(crate) const CASES: &[Case] = &[
    Case {
        instruction: "capture",
        shape: "by signature",
        remaining: &[],
        world: with_hold,
        build: |world| world.capture(&world.intent(), usdc(4)),
        rows: &[&[("hold", Neighbours::SAME_SESSION, Rule(InvalidSignature))], HOLD_OF_SESSION, PAID_OUT],
    },
    Case {
        instruction: "capture",
        shape: "with a fee, by a signer",
        remaining: &["signing_capture_authorizer", "fee_token_account"],
        world: with_hold,
        build: |world| {
            let intent = world.intent();
            let mut capture = world.capture_message(&intent, usdc(4));
            capture.fee = 40_000;
            world.capture_by(&intent, &capture, Proof::Signer)
        },
        rows: &[
            &[(
                "hold",
                Neighbours::SAME_SESSION,
                Right("the capture authorizer signs for the hold it names"),
            )],
            HOLD_OF_SESSION,
            PAID_OUT,
            FEE_TOKEN_ACCOUNT,
            &[("signing_capture_authorizer", ANY, Rule(MissingAuthorizer))],
        ],
    },
    Case {
        instruction: "void",
        shape: "by signature",
        remaining: &[],
        world: with_hold,
        build: |world| world.void(&world.intent(), usdc(4)),
        rows: &[
            &[("hold", Neighbours::SAME_SESSION, Rule(InvalidSignature))],
            HOLD_OF_SESSION,
            &[("rent_payer", ANY, Rule(WrongRentPayer))],
        ],
    },
    Case {
        instruction: "void",
        shape: "by a signer",
        remaining: &["signing_receiver_authorizer"],
        world: with_hold,
        build: |world| world.void_by(&world.intent(), usdc(4), Proof::Signer),
        rows: &[
            &[(
                "hold",
                Neighbours::SAME_SESSION,
                Right("the receiver authorizer signs for the hold it names"),
            )],
            HOLD_OF_SESSION,
            &[
                ("rent_payer", ANY, Rule(WrongRentPayer)),
                ("signing_receiver_authorizer", ANY, Rule(MissingAuthorizer)),
            ],
        ],
    },
    Case {
        instruction: "reclaim",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| {
            world.chain.set_time(World::CAPTURE_DEADLINE + 1);
            world.reclaim(&world.intent())
        },
        rows: &[
            &[("hold", Neighbours::SAME_SESSION, Right("anyone may reclaim any hold after its deadline"))],
            HOLD_OF_SESSION,
            &[("rent_payer", ANY, Rule(WrongRentPayer))],
        ],
    },
    Case {
        instruction: "refund",
        shape: "",
        remaining: &[],
        world: captured,
        build: |world| world.refund(&refundable(world), usdc(1)),
        rows: &[
            &[("hold", Neighbours::SAME_SESSION, Right("the receiver signs for the payment it refunds"))],
            HOLD_OF_SESSION,
            &[
                ("receiver", ANY, Rule(WrongReceiver)),
                ("source", Neighbours::VAULT, DUPLICATE),
                (
                    "source",
                    Neighbours::RECEIVERS_OTHER_TOKENS,
                    Right("the receiver signs, and pays from any account of its own"),
                ),
                ("source", Neighbours::OTHER_MINT_VAULT, Token(MintMismatch)),
                ("source", Neighbours::RECEIVERS_TOKENS_OF_OTHER_MINT, Token(MintMismatch)),
                ("source", ANY, Token(OwnerMismatch)),
                ("vault", Neighbours::RECEIVERS_TOKENS, DUPLICATE),
                ("vault", ANY, Rule(WrongVault)),
                ("mint", ANY, Rule(WrongMint)),
                ("token_program", ANY, Rule(WrongTokenProgram)),
            ],
        ],
    },
    Case {
        instruction: "close_hold",
        shape: "",
        remaining: &[],
        world: captured,
        build: |world| {
            world.chain.set_time(Neighbours::REFUND_DEADLINE + 1);
            world.close_hold(&refundable(world))
        },
        rows: &[&[
            ("session", ANY, Rule(WrongHold)),
            ("hold", Neighbours::SAME_SESSION, Rule(HoldNotFinished)),
            ("hold", Neighbours::NO_HOLD_YET, Solana(AccountDataTooSmall)),
            ("hold", ANY, Rule(WrongHold)),
            ("rent_payer", ANY, Rule(WrongRentPayer)),
        ]],
    },
];

/// The usual intent with refunds.
fn refundable(world: &World) -> Intent {
    Intent { refund_deadline: Neighbours::REFUND_DEADLINE, ..world.intent() }
}

/// With such a hold, wholly captured.
fn captured() -> World {
    let mut world = World::with_session();
    let intent = refundable(&world);
    world.succeed(&[world.authorize(&intent)]);
    world.succeed(&[world.capture(&intent, intent.amount)]);
    world
}
