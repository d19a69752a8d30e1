use solana_sdk::instruction::InstructionError::{IncorrectProgramId, InvalidSeeds, PrivilegeEscalation};
use x402_escrow_interface::{error::EscrowError::*, instruction::Consent};
use x402_escrow_tests::svm::World;

use super::{
    matrix::{
        ANY, BY_A_SIGNER, Case, Row, Slot,
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
            world.open_session_of(&agent, &World::limits())
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
        shape: "by message",
        remaining: &[],
        world: guarded,
        build: |world| {
            let consent = world.sign_revoke(&world.payer, &world.revoke_message());
            world.revoke_session_by(&world.payer, consent)
        },
        rows: &[
            &[("revoker", Neighbours::GUARDIAN, Rule(InvalidSignature))],
            REVOKED,
            &[("session", Neighbours::SECOND_SESSION, Rule(InvalidSignature))],
            &[("session", ANY, Rule(WrongSession))],
        ],
    },
    Case {
        instruction: "revoke_session",
        shape: BY_A_SIGNER,
        remaining: &[],
        world: guarded,
        build: |world| world.revoke_session(),
        rows: &[
            &[
                ("revoker", Neighbours::GUARDIAN, Right("the guardian signs in the payer's place")),
                ("revoker", Slot::UNSIGNED, Rule(MissingAuthorizer)),
            ],
            REVOKED,
            &[("session", Neighbours::SECOND_SESSION, Rule(WrongConsent))],
            &[("session", ANY, Rule(WrongSession))],
        ],
    },
    Case {
        instruction: "revoke_sessions",
        shape: "by message",
        remaining: &[],
        world: guarded,
        build: |world| {
            let slot = world.chain.slot();
            let consent = world.sign_revoke(&world.payer, &world.revoke_all_message(slot));
            world.revoke_sessions_by(&world.payer, slot, consent)
        },
        rows: &[
            &[
                ("revoker", Neighbours::GUARDIAN, Rule(InvalidSignature)),
                ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(InvalidSignature)),
            ],
            &[("revoker", ANY, Rule(WrongRevoker)), ("escrow", ANY, Rule(WrongRevoker))],
        ],
    },
    Case {
        instruction: "revoke_sessions",
        shape: BY_A_SIGNER,
        remaining: &[],
        world: guarded,
        build: |world| world.revoke_sessions_by(&world.payer, world.chain.slot(), Consent::Signer),
        rows: &[
            &[
                ("revoker", Neighbours::GUARDIAN, Right("the guardian signs in the payer's place")),
                ("revoker", Slot::UNSIGNED, Rule(MissingAuthorizer)),
                ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongConsent)),
            ],
            &[("revoker", ANY, Rule(WrongRevoker)), ("escrow", ANY, Rule(WrongRevoker))],
        ],
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

/// The slots of a session's revocation by the payer.
const REVOKED: &[Row] = &[
    ("revoker", ANY, Rule(WrongRevoker)),
    ("escrow", Neighbours::PAYERS_OTHER_ESCROW, Rule(WrongSession)),
    ("escrow", ANY, Rule(WrongRevoker)),
];

/// With the usual hold and a guardian.
fn guarded() -> World {
    let mut world = with_hold();
    let guardian = world.guardian;
    world.succeed(&[world.set_guardian(&guardian)]);
    world
}
