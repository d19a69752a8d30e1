//! Compute units of what opens, funds, changes and closes escrows and sessions.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::Session,
    address::{self, ESCROW_SEED, SESSION_SEED, TOKEN_PROGRAM_ID},
    instruction::{self, Consent, SessionLimits},
    message::{Revoke, RevokeScope},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

use crate::samples::{Bench, CANDIDATES, Cases, PERIOD_SECONDS, SAMPLES, test_address, tries, work};

pub(crate) fn measure(cases: &mut Cases) {
    open_escrow(cases);
    money(cases);
    sessions(cases);
    revocations(cases);
    close_escrow(cases);
}

/// The two instructions that open the escrow of the payer called `name`, whose key the chain gets to know.
fn opening(world: &mut World, name: &str) -> [Instruction; 2] {
    let payer = world.chain.key(name);
    let opening =
        instruction::open_escrow(&program_id(), &world.relay, &payer, &world.mint, &TOKEN_PROGRAM_ID);
    opening.try_into().expect("the vault's creation and the escrow's")
}

fn open_escrow(cases: &mut Cases) {
    let mut bench = Bench::of(World::with_session());
    let samples = (0..SAMPLES).map(|index| {
        let [create_vault, open] = opening(&mut bench.world, &format!("payer {index}"));
        bench.run(create_vault);
        bench.run(open)
    });
    let samples = samples.collect();
    cases.add("open_escrow", "beside its vault", work(0, 0, 1), samples);

    let (program, mint) = (program_id(), bench.world.mint);
    let escrow_tries = |payer: &Address| tries(&[ESCROW_SEED, payer.as_ref(), mint.as_ref()], &program);
    let vault_tries = |payer: &Address| {
        let escrow = address::escrow(&program, payer, &mint);
        let seeds = [escrow.as_ref(), TOKEN_PROGRAM_ID.as_ref(), mint.as_ref()];
        tries(&seeds, &address::ASSOCIATED_TOKEN_PROGRAM_ID)
    };
    let name = (0..CANDIDATES)
        .map(|index| format!("payer {}", SAMPLES as u64 + index))
        .max_by_key(|name| {
            let payer = test_address(name);
            u16::from(escrow_tries(&payer)) + u16::from(vault_tries(&payer))
        })
        .expect("there are candidates");
    let [create_vault, open] = opening(&mut bench.world, &name);
    bench.run(create_vault);
    bench.send_lamports(&address::escrow(&program, &test_address(&name), &mint));
    let samples = vec![bench.run(open)];
    cases.add("open_escrow", "unlucky addresses, lamports at the escrow's", work(0, 0, 1), samples);
}

fn money(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = bench.sample(|bench| bench.world.deposit(usdc(1)));
    cases.add("deposit", "by the payer", work(0, 1, 0), samples);

    let samples = bench.sample(|bench| {
        let world = &mut bench.world;
        let (from, to) = (world.token_account(&world.stranger), world.escrow().vault);
        world.chain.transfer(&from, &to, 1);
        world.sync()
    });
    cases.add("sync", "of a plain transfer", work(0, 0, 0), samples);

    let samples = bench.sample(|bench| bench.world.withdraw(Some(usdc(1))));
    cases.add("withdraw", "to the payer", work(0, 1, 0), samples);
    let samples = vec![bench.run(bench.world.withdraw(None))];
    cases.add("withdraw", "all that is free", work(0, 1, 0), samples);

    let guardians = [bench.world.guardian, Address::default()];
    let samples = guardians.map(|guardian| bench.run(bench.world.set_guardian(&guardian)));
    cases.add("set_guardian", "", work(0, 0, 0), samples.to_vec());
}

fn sessions(cases: &mut Cases) {
    let mut bench = Bench::new();
    let samples = (0..SAMPLES)
        .map(|index| {
            let agent = test_address(&format!("agent {index}"));
            bench.run(bench.world.open_session_of(&agent, &World::limits()))
        })
        .collect();
    cases.add("open_session", "", work(0, 0, 1), samples);

    let (program, escrow) = (program_id(), bench.world.escrow);
    let agent = (0..CANDIDATES)
        .map(|index| test_address(&format!("agent {}", SAMPLES as u64 + index)))
        .max_by_key(|agent| tries(&[SESSION_SEED, escrow.as_ref(), agent.as_ref()], &program))
        .expect("there are candidates");
    bench.send_lamports(&address::session(&program, &escrow, &agent));
    let samples = vec![bench.run(bench.world.open_session_of(&agent, &World::limits()))];
    cases.add("open_session", "unlucky address, lamports at it", work(0, 0, 1), samples);

    let samples = (1..=SAMPLES as u64)
        .map(|longer| {
            let period_seconds = PERIOD_SECONDS + longer;
            let limits = SessionLimits { period_seconds, maximum_per_period: usdc(1), ..World::limits() };
            bench.run(bench.world.update_session(&limits))
        })
        .collect();
    cases.add("update_session", "another length of period", work(0, 0, 0), samples);

    // Not in the slot that they were opened in.
    bench.world.chain.next_slot();
    let samples = (0..SAMPLES)
        .map(|index| {
            let World { payer, relay, .. } = bench.world;
            let session = address::session(&program, &escrow, &test_address(&format!("agent {index}")));
            bench.run(instruction::close_session(&program, &payer, &escrow, &session, &relay))
        })
        .collect();
    cases.add("close_session", "", work(0, 0, 0), samples);
}

/// By the guardian, who is compared after the payer.
fn revocations(cases: &mut Cases) {
    let mut bench = Bench::new();
    let guardian = bench.world.guardian;
    bench.run(bench.world.set_guardian(&guardian));
    let sessions: Vec<Session> = (0..2 * SAMPLES)
        .map(|index| {
            let world = &mut bench.world;
            let agent = test_address(&format!("agent {index}"));
            world.succeed(&[world.open_session_of(&agent, &World::limits())]);
            world.session_at(&address::session(&program_id(), &world.escrow, &agent))
        })
        .collect();
    let (by_message, by_signer) = sessions.split_at(SAMPLES);

    let samples = by_message.iter().map(|session| {
        let Session { escrow, session_key, incarnation, .. } = *session;
        let scope = RevokeScope::Session { session_key, incarnation };
        let consent = bench.world.sign_revoke(&guardian, &Revoke::new(program_id(), escrow, scope));
        bench.run(instruction::revoke_session(&program_id(), &guardian, session, consent))
    });
    let samples = samples.collect();
    cases.add("revoke_session", "by message", work(1, 0, 0), samples);
    let samples = by_signer.iter().map(|session| {
        bench.run(instruction::revoke_session(&program_id(), &guardian, session, Consent::Signer))
    });
    let samples = samples.collect();
    cases.add("revoke_session", "by signer", work(0, 0, 0), samples);

    let samples = bench.sample(|bench| {
        bench.world.chain.next_slot();
        let slot = bench.world.chain.slot();
        let consent = bench.world.sign_revoke(&guardian, &bench.world.revoke_all_message(slot));
        bench.world.revoke_sessions_by(&guardian, slot, consent)
    });
    cases.add("revoke_sessions", "by message", work(1, 0, 0), samples);
    let samples = bench.sample(|bench| {
        bench.world.chain.next_slot();
        bench.world.revoke_sessions_by(&guardian, bench.world.chain.slot(), Consent::Signer)
    });
    cases.add("revoke_sessions", "by signer", work(0, 0, 0), samples);
}

fn close_escrow(cases: &mut Cases) {
    let mut bench = Bench::of(World::with_escrow());
    bench.run(bench.world.withdraw(None));
    let samples = vec![bench.run(bench.world.close_escrow())];
    cases.add("close_escrow", "and its empty vault", work(0, 0, 0), samples);

    let mut bench = Bench::of(World::with_escrow());
    let world = &mut bench.world;
    let (from, to) = (world.token_account(&world.stranger), world.escrow().vault);
    world.chain.transfer(&from, &to, 1);
    let samples = vec![bench.run(bench.world.close_escrow())];
    cases.add("close_escrow", "with free balance and a surplus in the vault", work(0, 1, 0), samples);
}
