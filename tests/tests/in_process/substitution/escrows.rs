use solana_sdk::instruction::InstructionError::{IncorrectProgramId, InvalidSeeds, PrivilegeEscalation};
use spl_token_interface::error::TokenError::{MintMismatch, OwnerMismatch};
use x402_escrow_interface::{error::EscrowError::*, instruction};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

use super::{
    matrix::{
        ANY, Case, DUPLICATE, Row, Slot,
        Verdict::{Right, Rule, Solana, Token},
    },
    neighbours::{Neighbours, with_hold},
};

pub(crate) const CASES: &[Case] = &[
    Case {
        instruction: "open_escrow",
        shape: "",
        remaining: &[],
        world: World::with_session,
        build: |world| {
            let payer = world.chain.key("new payer");
            let instructions = instruction::open_escrow(
                &program_id(),
                &world.relay,
                &payer,
                &world.mint,
                &world.token_program,
            );
            let [create, open] = instructions.try_into().unwrap();
            world.succeed(&[create]);
            open
        },
        rows: &[&[
            ("rent_payer", ANY, Right("whoever signs as rent payer pays")),
            ("payer", ANY, Solana(InvalidSeeds)),
            ("mint", ANY, Solana(InvalidSeeds)),
            ("escrow", Slot::READ_ONLY, Solana(PrivilegeEscalation)),
            ("escrow", ANY, Solana(InvalidSeeds)),
            ("vault", ANY, Rule(WrongVault)),
            ("token_program", ANY, Rule(WrongVault)),
            ("system_program", ANY, Solana(IncorrectProgramId)),
        ]],
    },
    Case {
        instruction: "deposit",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.deposit(usdc(1)),
        rows: &[&[
            ("depositor", ANY, Token(OwnerMismatch)),
            ("source", Neighbours::VAULT, DUPLICATE),
            ("source", Neighbours::OTHER_MINT_VAULT, Token(MintMismatch)),
            ("source", Neighbours::RECEIVERS_TOKENS_OF_OTHER_MINT, Token(MintMismatch)),
            ("source", ANY, Token(OwnerMismatch)),
            ("escrow", ANY, Rule(WrongVault)),
            ("vault", Neighbours::PAYERS_TOKENS, DUPLICATE),
            ("vault", ANY, Rule(WrongVault)),
            ("mint", ANY, Rule(WrongMint)),
            ("token_program", ANY, Rule(WrongTokenProgram)),
        ]],
    },
    Case {
        instruction: "sync",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| {
            let (from, vault) = (world.token_account(&world.stranger), world.escrow().vault);
            world.chain.transfer(&from, &vault, 1);
            world.sync()
        },
        rows: &[&[("escrow", ANY, Rule(WrongVault)), ("vault", ANY, Rule(WrongVault))]],
    },
    Case {
        instruction: "set_guardian",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.set_guardian(&world.guardian),
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Right("the payer signs for the escrow it names")),
            ("escrow", ANY, Rule(WrongPayer)),
        ]],
    },
    Case {
        instruction: "withdraw",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.withdraw(Some(usdc(1))),
        rows: &[
            PAID_TO_DESTINATION,
            &[
                ("destination", Neighbours::OTHER_MINT_VAULT, Token(MintMismatch)),
                ("destination", Neighbours::RECEIVERS_TOKENS_OF_OTHER_MINT, Token(MintMismatch)),
                ("destination", ANY, Right("the payer signs for the destination it names")),
            ],
        ],
    },
    Case {
        instruction: "close_escrow",
        shape: "with a balance",
        remaining: &[],
        world: World::with_escrow,
        build: |world| world.close_escrow(),
        rows: &[
            PAID_TO_DESTINATION,
            &[
                ("destination", Neighbours::OTHER_MINT_VAULT, Token(MintMismatch)),
                ("destination", Neighbours::RECEIVERS_TOKENS_OF_OTHER_MINT, Token(MintMismatch)),
                ("destination", ANY, Right("the payer signs for the destination it names")),
                ("rent_payer", ANY, Rule(WrongRentPayer)),
            ],
        ],
    },
    Case {
        instruction: "close_escrow",
        shape: "without a balance",
        remaining: &[],
        world: || {
            let mut world = World::new();
            world.succeed(&world.open_escrow());
            world
        },
        build: |world| world.close_escrow(),
        rows: &[
            PAID_TO_DESTINATION,
            &[
                ("destination", ANY, Right("nothing is paid to it")),
                ("rent_payer", ANY, Rule(WrongRentPayer)),
            ],
        ],
    },
];

/// The slots of what the payer takes out of its escrow.
const PAID_TO_DESTINATION: &[Row] = &[
    ("payer", ANY, Rule(WrongPayer)),
    ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongVault)),
    ("escrow", ANY, Rule(WrongPayer)),
    ("vault", Neighbours::PAYERS_TOKENS, DUPLICATE),
    ("vault", ANY, Rule(WrongVault)),
    ("destination", Neighbours::VAULT, DUPLICATE),
    ("mint", ANY, Rule(WrongMint)),
    ("token_program", ANY, Rule(WrongTokenProgram)),
];
