//! Holds a second through `/settle`, beside the same authorizations sent one to a transaction, and what a payment that is
//! held and captured so costs in fees.

use std::time::Duration;

use anyhow::Result;
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_load::{
    holding::Held,
    measured::{Measured, Round},
    relaying::{self, Relayed},
    settling,
};
use x402_escrow_tests::local::{Local, Verifier};

use crate::{
    Plan,
    figures::Figure,
    market::{Market, WARM_UP},
    parts::{self, Part},
};

pub(crate) const NAME: &str = "holds";

/// How many pay; one more is hostile.
const PAYERS: usize = 64;
/// How many are captured at the same time.
const CAPTURING: usize = 64;
pub(crate) const LAMPORTS: u64 = 1_000_000_000;
/// Nobody else limits what is measured.
const AMPLE: &str = "{ hour = 9000000000000, day = 9000000000000 }";

pub(crate) const SETTINGS: [(&str, &str); 18] = [
    ("X402_REQUESTS_PER_MINUTE_PER_CLIENT", "0"),
    // Several times what an honest one asks for here.
    ("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "1200"),
    ("X402_PAYMENTS_PER_MINUTE_PER_PAYER", "0"),
    ("X402_PAYMENTS_PER_MINUTE_PER_RECEIVER", "0"),
    ("X402_PAYMENTS_PER_MINUTE", "0"),
    ("X402_MAXIMUM_OPEN_HOLDS_PER_ESCROW", "1000000"),
    ("X402_MAXIMUM_CONCURRENT_REQUESTS", "8192"),
    ("X402_MAXIMUM_WAITING_PER_CLIENT", "8192"),
    ("X402_MAXIMUM_BODIES_PER_CLIENT", "8192"),
    ("X402_FEE_BUDGET", AMPLE),
    ("X402_FEE_BUDGET_PER_PAYER", AMPLE),
    ("X402_FEE_BUDGET_PER_RECEIVER", AMPLE),
    ("X402_RENT_BUDGET", AMPLE),
    ("X402_RENT_BUDGET_PER_PAYER", AMPLE),
    ("X402_RENT_BUDGET_PER_RECEIVER", AMPLE),
    // What a cluster under Alpenglow has as final after as long.
    ("X402_FINALITY", "[{ commitment = 'confirmed' }]"),
    ("X402_FINALITY_ON_CONFIRMED_HOLD", "[{ commitment = 'reserved' }]"),
    ("X402_FINALITY_ON_FINALIZED_HOLD", "[{ commitment = 'reserved' }]"),
];

/// A cluster, a verifier, and who pays there.
struct Bench {
    local: Local,
    verifier: Verifier,
    relay: Keypair,
    market: Market,
    plan: Plan,
}

pub(crate) fn measure(plan: Plan) -> Result<Vec<Figure>> {
    let local = parts::cluster()?;
    let verifier = Verifier::start_with(&local, &SETTINGS)?;
    let relay = Keypair::new();
    for payer in [verifier.fee_payer, relay.pubkey()] {
        local.chain.give_sol(&payer, 1_000 * LAMPORTS)?;
    }
    eprintln!("opening {} escrows", PAYERS + 1);
    let market = Market::open(&local, &verifier, PAYERS + 1)?;
    let mut bench = Bench { local, verifier, relay, market, plan };
    let (mut few, mut many, mut attacked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let compared = bench.relay()?;
        let subject = bench.hold(256, 0)?.measured;
        few.push(Round { subject, compared });
        many.push(Round { subject: bench.hold(1024, 0)?.measured, compared });
        let hostile = bench.hold(256, 13)?.measured;
        attacked.push(Round { subject: answers(&hostile), compared: answers(&subject) });
    }
    let fees = (0..plan.rounds).map(|_| bench.fees()).collect::<Result<_>>()?;
    let figure = |name: &str, compared_with: &str, unit: &str, target, rounds| {
        Figure::new(format!("{NAME}, {name}"), compared_with, unit, Some(target), rounds)
    };
    let relayed = "the same authorizations one to a transaction, straight to the node";
    Ok(vec![
        figure("256 callers", relayed, "a second", 1.0, few),
        figure("1,024 callers", relayed, "a second", 1.0, many),
        figure(
            "one caller in twenty hostile",
            "the same without hostile callers",
            "honest answers a second, each as slow as the slowest of 100",
            0.5,
            attacked,
        ),
        figure("fees", "one payment at a time", "payments held and captured for 1 SOL of fees", 9.9, fees),
    ])
}

/// How often in a second an answer comes that takes as long as the slowest of a hundred.
fn answers(measured: &Measured) -> Measured {
    let slowest = measured.slowest_of_hundred_milliseconds.unwrap_or(f64::INFINITY);
    Measured { per_second: 1000.0 / slowest, ..*measured }
}

impl Bench {
    fn relay(&mut self) -> Result<Measured> {
        let job = relaying::Job {
            node: parts::address(self.local.rpc_url()),
            relay: *self.relay.secret_bytes(),
            accepted: self.market.accepted.clone(),
            payers: self.market.payers.clone(),
            warm_up: WARM_UP,
            measured: self.plan.measured,
        };
        let relayed: Relayed = Part::start(relaying::ROLE, &job)?.said()?;
        self.market.payers = relayed.payers;
        eprintln!("{:.0} a second straight to the node", relayed.measured.per_second);
        Ok(relayed.measured)
    }

    fn hold(&mut self, callers: usize, hostile: usize) -> Result<Held> {
        let hostile = (hostile, *self.relay.secret_bytes());
        self.market.hold(&self.local, &self.verifier, callers, hostile, self.plan)
    }

    /// For how many payments a SOL of fees is enough, of many at once and of one at a time.
    fn fees(&mut self) -> Result<Round> {
        let subject = self.held_and_captured(256, CAPTURING)?;
        let compared = self.held_and_captured(1, 1)?;
        Ok(Round { subject, compared })
    }

    fn held_and_captured(&mut self, callers: usize, capturing: usize) -> Result<Measured> {
        let open_before = self.market.open_holds(&self.local)?;
        let before = self.local.chain.lamports(&self.verifier.fee_payer)?;
        let held = self.hold(callers, 0)?;
        self.local.chain.wait_until_final()?;
        let is_hurried = capturing == 1;
        let bodies = held
            .payments
            .iter()
            .map(|id| self.market.merchant.capture(*id, is_hurried))
            .collect::<Result<_>>()?;
        let job = settling::Job { to: parts::address(&self.verifier.url), bodies, callers: capturing };
        Part::start(settling::ROLE, &job)?.said::<()>()?;
        let is_over = || Ok(self.market.open_holds(&self.local)? == open_before);
        self.local.chain.wait_until("all holds to be captured", Duration::from_secs(120), is_over)?;
        let spent = before - self.local.chain.lamports(&self.verifier.fee_payer)?;
        let each = spent as f64 / held.payments.len() as f64;
        eprintln!("{each:.0} lamports for each payment that was held and captured");
        Ok(Measured::rate(LAMPORTS as f64 / each))
    }
}
