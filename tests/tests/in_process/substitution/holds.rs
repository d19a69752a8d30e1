use solana_sdk::instruction::InstructionError::AccountDataTooSmall;
use x402_escrow_interface::{error::EscrowError::*, instruction::Consent};
use x402_escrow_tests::svm::{World, usdc};

use super::{
    matrix::{
        ANY, BY_A_SIGNER, Case, DUPLICATE, Row,
        Verdict::{Right, Rule, Solana},
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
        shape: "under a higher bound with a fee, by a signer",
        remaining: &["signing_capture_authorizer", "fee_token_account"],
        world: with_hold,
        build: |world| {
            let intent = world.intent();
            let mut capture = world.capture_message(&intent, usdc(9));
            capture.fee = 40_000;
            world.capture_part_by(&intent, usdc(4), &capture, Consent::Signer)
        },
        rows: &[
            &[("hold", Neighbours::SAME_SESSION, Rule(WrongConsent))],
            HOLD_OF_SESSION,
            PAID_OUT,
            FEE_TOKEN_ACCOUNT,
            &[("signing_capture_authorizer", ANY, Rule(MissingAuthorizer))],
        ],
    },
    Case {
        instruction: "capture",
        shape: "with a release",
        remaining: &[],
        world: with_hold,
        build: |world| world.capture_and_release(&world.intent(), usdc(4)),
        rows: &[&[("hold", Neighbours::SAME_SESSION, Rule(InvalidSignature))], HOLD_OF_SESSION, PAID_OUT],
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
        shape: BY_A_SIGNER,
        remaining: &["signing_receiver_authorizer"],
        world: with_hold,
        build: |world| world.void_by(&world.intent(), usdc(4), Consent::Signer),
        rows: &[
            &[("hold", Neighbours::SAME_SESSION, Rule(WrongConsent))],
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
];
