//! Compute units of what opens, funds, changes and closes escrows and sessions.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    address::{self, ESCROW_SEED, SESSION_SEED, TOKEN_PROGRAM_ID},
    instruction::{self, SessionLimits},
};
use x402_escrow_tests::svm::{World, usdc};

use crate::samples::{Bench, CANDIDATES, Cases, PERIOD_SECONDS, SAMPLES, test_address, tries, work};

pub(crate) fn measure(cases: &mut Cases) {
    open_escrow(cases);
    money(cases);
    sessions(cases);
    close_escrow(cases);
}

/// The two instructions that open the escrow of the payer called `name`, whose key the chain gets to know.
fn opening(world: &mut World, name: &str) -> [Instruction; 2] {
    let payer = world.chain.key(name);
    let opening = instruction::open_escrow(&world.relay, &payer, &world.mint, &TOKEN_PROGRAM_ID, 3_600);
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

    let mint = bench.world.mint;
    let escrow_tries =
        |payer: &Address| tries(&[ESCROW_SEED, payer.as_ref(), mint.as_ref()], &x402_escrow_interface::ID);
    let vault_tries = |payer: &Address| {
        let seeds = [&address::escrow(payer, &mint).to_bytes()[..], TOKEN_PROGRAM_ID.as_ref(), mint.as_ref()];
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
    bench.send_lamports(&address::escrow(&test_address(&name), &mint));
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

    let samples = bench.sample(|bench| bench.world.request_withdrawal(usdc(1)));
    cases.add("request_withdrawal", "", work(0, 0, 0), samples);
    let samples = bench.sample(|bench| {
        bench.run(bench.world.request_withdrawal(usdc(1)));
        bench.world.cancel_withdrawal()
    });
    cases.add("cancel_withdrawal", "", work(0, 0, 0), samples);
    let samples = bench.sample(|bench| {
        bench.run(bench.world.request_withdrawal(usdc(1)));
        let time = bench.world.chain.time() + i64::from(World::WITHDRAW_DELAY_SECONDS);
        bench.world.chain.set_time(time);
        bench.world.withdraw()
    });
    cases.add("withdraw", "to the payer", work(0, 1, 0), samples);
}

fn sessions(cases: &mut Cases) {
    let mut bench = Bench::new();
    let open = |world: &World, agent: &Address| {
        instruction::open_session(&world.relay, &world.payer, &world.escrow, agent, &World::limits())
    };
    let samples = (0..SAMPLES)
        .map(|index| bench.run(open(&bench.world, &test_address(&format!("agent {index}")))))
        .collect();
    cases.add("open_session", "", work(0, 0, 1), samples);

    let escrow = bench.world.escrow;
    let agent = (0..CANDIDATES)
        .map(|index| test_address(&format!("agent {}", SAMPLES as u64 + index)))
        .max_by_key(|agent| {
            tries(&[SESSION_SEED, escrow.as_ref(), agent.as_ref()], &x402_escrow_interface::ID)
        })
        .expect("there are candidates");
    bench.send_lamports(&address::session(&escrow, &agent));
    let samples = vec![bench.run(open(&bench.world, &agent))];
    cases.add("open_session", "unlucky address, lamports at it", work(0, 0, 1), samples);

    let samples = (1..=SAMPLES as u64)
        .map(|longer| {
            let period_seconds = PERIOD_SECONDS + longer;
            let limits = SessionLimits { period_seconds, maximum_per_period: usdc(1), ..World::limits() };
            bench.run(bench.world.update_session(&limits))
        })
        .collect();
    cases.add("update_session", "another length of period", work(0, 0, 0), samples);

    let mut samples = Vec::new();
    let mut closing = Vec::new();
    for index in 0..SAMPLES {
        let world = &bench.world;
        let session = address::session(&world.escrow, &test_address(&format!("agent {index}")));
        let revoke = instruction::revoke_session(&world.payer, &world.escrow, &session);
        let close = instruction::close_session(&world.payer, &world.escrow, &session, &world.relay);
        samples.push(bench.run(revoke));
        // Not in the slot that it was opened in.
        bench.world.chain.next_slot();
        closing.push(bench.run(close));
    }
    cases.add("revoke_session", "", work(0, 0, 0), samples);
    cases.add("close_session", "", work(0, 0, 0), closing);
}

fn close_escrow(cases: &mut Cases) {
    let mut bench = Bench::of(World::with_escrow());
    bench.run(bench.world.request_withdrawal(World::DEPOSIT));
    let time = bench.world.chain.time() + i64::from(World::WITHDRAW_DELAY_SECONDS);
    bench.world.chain.set_time(time);
    bench.run(bench.world.withdraw());
    let samples = vec![bench.run(bench.world.close_escrow())];
    cases.add("close_escrow", "and its vault", work(0, 0, 0), samples);
}
