use solana_sdk::instruction::InstructionError::{IncorrectProgramId, InvalidSeeds, PrivilegeEscalation};
use x402_escrow_interface::{error::EscrowError::*, instruction};
use x402_escrow_tests::svm::World;

use super::{
    matrix::{
        ANY, Case, Row, Slot,
        Verdict::{Right, Rule, Solana},
    },
    neighbours::{Neighbours, with_hold},
};

/// The slots of what the payer may do with any of its sessions.
const SESSION_OF_PAYER: &[Row] = &[
    ("payer", ANY, Rule(WrongPayer)),
    ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongSession)),
    ("escrow", ANY, Rule(WrongPayer)),
    ("session", Neighbours::SECOND_SESSION, Right("the payer signs for the session it names")),
    ("session", ANY, Rule(WrongSession)),
];

pub(crate) const CASES: &[Case] = &[
    Case {
        instruction: "open_session",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| {
            let agent = world.chain.key("new agent");
            instruction::open_session(&world.relay, &world.payer, &world.escrow, &agent, &World::limits())
        },
        rows: &[&[
            ("rent_payer", ANY, Right("whoever signs as rent payer pays")),
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", ANY, Solana(InvalidSeeds)),
            ("session_key", ANY, Solana(InvalidSeeds)),
            ("session", Slot::READ_ONLY, Solana(PrivilegeEscalation)),
            ("session", ANY, Solana(InvalidSeeds)),
            ("system_program", ANY, Solana(IncorrectProgramId)),
        ]],
    },
    Case {
        instruction: "update_session",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.update_session(&World::limits()),
        rows: &[SESSION_OF_PAYER],
    },
    Case {
        instruction: "revoke_session",
        shape: "",
        remaining: &[],
        world: with_hold,
        build: |world| world.revoke_session(),
        rows: &[SESSION_OF_PAYER],
    },
    Case {
        instruction: "close_session",
        shape: "",
        remaining: &[],
        world: World::with_session,
        build: |world| world.close_session(),
        rows: &[&[
            ("payer", ANY, Rule(WrongPayer)),
            ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongSession)),
            ("escrow", ANY, Rule(WrongPayer)),
            ("session", Neighbours::SECOND_SESSION, Rule(SessionHasHolds)),
            ("session", ANY, Rule(WrongSession)),
            ("rent_payer", ANY, Rule(WrongRentPayer)),
        ]],
    },
];
