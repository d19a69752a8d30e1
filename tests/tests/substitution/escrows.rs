use solana_sdk::instruction::InstructionError::{IncorrectProgramId, InvalidSeeds, PrivilegeEscalation};
use spl_token_interface::error::TokenError::{MintMismatch, OwnerMismatch};
use x402_escrow_interface::{error::EscrowError::*, instruction};
use x402_escrow_tests::svm::{World, usdc};

use super::{
    matrix::{
        ANY, Case, DUPLICATE, Slot,
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
            let instructions =
                instruction::open_escrow(&world.relay, &payer, &world.mint, &world.token_program, 0);
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
        instruction: "request_withdrawal",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.request_withdrawal(1),
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Right("the payer signs for the escrow it names")),
            ("escrow", ANY, Rule(WrongPayer)),
        ]],
    },
    Case {
        instruction: "cancel_withdrawal",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| {
            world.succeed(&[world.request_withdrawal(1)]);
            world.cancel_withdrawal()
        },
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(NoWithdrawalRequested)),
            ("escrow", ANY, Rule(WrongPayer)),
        ]],
    },
    Case {
        instruction: "withdraw",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| {
            world.succeed(&[world.request_withdrawal(usdc(1))]);
            let due = world.chain.time() + i64::from(World::WITHDRAW_DELAY_SECONDS);
            world.chain.set_time(due);
            world.withdraw()
        },
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongVault)),
            ("escrow", ANY, Rule(WrongPayer)),
            ("vault", Neighbours::PAYERS_TOKENS, DUPLICATE),
            ("vault", ANY, Rule(WrongVault)),
            ("destination", Neighbours::VAULT, DUPLICATE),
            ("destination", Neighbours::OTHER_MINT_VAULT, Token(MintMismatch)),
            ("destination", Neighbours::RECEIVERS_TOKENS_OF_OTHER_MINT, Token(MintMismatch)),
            ("destination", ANY, Right("the payer signs for the destination it names")),
            ("mint", ANY, Rule(WrongMint)),
            ("token_program", ANY, Rule(WrongTokenProgram)),
        ]],
    },
    Case {
        instruction: "close_escrow",
        shape: "",
        remaining: &[],
        world: || {
            let mut world = World::new();
            world.succeed(&world.open_escrow(0));
            world
        },
        build: |world| world.close_escrow(),
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongVault)),
            ("escrow", ANY, Rule(WrongPayer)),
            ("vault", ANY, Rule(WrongVault)),
            ("rent_payer", ANY, Rule(WrongRentPayer)),
            ("token_program", ANY, Rule(WrongTokenProgram)),
        ]],
    },
];
