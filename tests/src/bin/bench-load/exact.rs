//! Payments by `exact`, settled and verified, beside another facilitator, which stores nothing: how many a second, and how
//! much processor time each takes.

use std::{env, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_load::{
    measured::{Measured, Round},
    paying::{self, Paid},
};
use x402_escrow_tests::local::{Grant, Local, ONE_TOKEN, Verifier};
use x402_escrow_wire::{payment::PaymentRequirements, text::Decimal};

use crate::{
    Plan,
    figures::Figure,
    holds::{LAMPORTS, SETTINGS},
    parts::{self, Part},
    processor,
};

pub(crate) const NAME: &str = "exact";

/// Names the other facilitator's program.
const PEER: &str = "X402_BENCH_PEER_FACILITATOR";

const FEW: usize = 32;
const MANY: usize = 200;
const PAYERS: usize = 40;
/// How many are given tokens in one transaction.
const GRANTS: usize = 5;
/// What each payment is of, in base units.
const AMOUNT: u64 = 100;
/// Before settlements are measured: as long as the first answers take.
const WARM_UP: Duration = Duration::from_secs(2);

/// One of the two.
struct Facilitator {
    address: String,
    process: u32,
    /// What it asks for: they differ in their fee payers.
    accepted: PaymentRequirements,
    /// Whether it follows payments until they are final.
    follows: bool,
}

struct Bench<'a> {
    local: &'a Local,
    payers: Vec<[u8; 32]>,
    plan: Plan,
}

pub(crate) fn measure(plan: Plan) -> Result<Vec<Figure>> {
    let local = parts::cluster()?;
    let settings = [&SETTINGS[..], &[("X402_PAYMENTS_PER_MINUTE_PER_SESSION", "0")]].concat();
    let verifier = Verifier::start_with(&local, &settings)?;
    let peer_key = Keypair::new();
    for fee_payer in [verifier.fee_payer, peer_key.pubkey()] {
        local.chain.give_sol(&fee_payer, 1_000 * LAMPORTS)?;
    }
    let merchant = Keypair::new().pubkey();
    local.chain.give_tokens(&merchant, &local.mint, 0)?;
    let asked_by = |address: &str| {
        let (network, extra) = supported(address)?;
        let (asset, pay_to) = (local.mint.into(), merchant.into());
        let (scheme, amount, max_timeout_seconds) = (NAME.to_owned(), Decimal(AMOUNT), 60);
        anyhow::Ok(PaymentRequirements { scheme, network, amount, asset, pay_to, max_timeout_seconds, extra })
    };
    let our_address = parts::address(&verifier.url);
    let accepted = asked_by(&our_address)?;
    let ours = Facilitator { address: our_address, process: verifier.process_id(), accepted, follows: true };
    let mut peer = start_peer(&local, &peer_key, &ours.accepted.network)?;
    let peer_address: String = peer.said()?;
    let accepted = asked_by(&peer_address)?;
    let theirs = Facilitator { address: peer_address, process: peer.process_id(), accepted, follows: false };
    let bench = Bench { local: &local, payers: open(&local)?, plan };
    let mut figures = Vec::new();
    for callers in [FEW, MANY] {
        let (mut settled, mut processor) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let (compared, of_compared) = bench.settle(&theirs, callers)?;
            let (subject, of_subject) = bench.settle(&ours, callers)?;
            settled.push(Round { subject, compared });
            processor.push(Round { subject: of_subject, compared: of_compared });
        }
        let name = format!("settled, {callers} callers");
        figures.push(figure(&name, "a second", 0.95, settled));
        let unit = "settled for a second of processor time";
        figures.push(figure(&format!("{name}, processor"), unit, 1.0, processor));
    }
    let mut verified = Vec::new();
    for _ in 0..plan.rounds {
        let compared = bench.pay(&theirs, "/verify", FEW, plan.warm_up)?.measured;
        let subject = bench.pay(&ours, "/verify", FEW, plan.warm_up)?.measured;
        verified.push(Round { subject, compared });
    }
    figures.push(figure(&format!("verified, {FEW} callers"), "a second", 1.6, verified));
    Ok(figures)
}

fn figure(name: &str, unit: &str, target: f64, rounds: Vec<Round>) -> Figure {
    let peer = "x402-facilitator-local 2.0.2, which stores nothing";
    Figure::new(format!("{NAME}, {name}"), peer, unit, Some(target), rounds)
}

impl Bench<'_> {
    /// How many a second, and how many for a second of processor time. That includes following them until they are final.
    fn settle(&self, facilitator: &Facilitator, callers: usize) -> Result<(Measured, Measured)> {
        let before = processor::seconds(facilitator.process)?;
        let paid = self.pay(facilitator, "/settle", callers, WARM_UP)?;
        let answered = processor::seconds(facilitator.process)? - before;
        if facilitator.follows {
            self.local.chain.wait_until_final()?;
        }
        let spent = processor::seconds(facilitator.process)? - before;
        let each = |seconds: f64| seconds * 1000.0 / paid.count as f64;
        let (all, until_answered) = (each(spent), each(answered));
        eprintln!("  {all:.2} ms of processor time each, {until_answered:.2} until all were answered");
        Ok((paid.measured, Measured::rate(paid.count as f64 / spent)))
    }

    fn pay(&self, facilitator: &Facilitator, path: &str, callers: usize, warm_up: Duration) -> Result<Paid> {
        let job = paying::Job {
            to: facilitator.address.clone(),
            path: path.to_owned(),
            accepted: facilitator.accepted.clone(),
            payers: self.payers.clone(),
            node: parts::address(self.local.rpc_url()),
            callers,
            warm_up,
            measured: self.plan.measured,
        };
        let paid: Paid = Part::start(paying::ROLE, &job)?.said()?;
        let (refused, answer) = &paid.refused;
        eprintln!("{:.0} a second at {path} of {}", paid.measured.per_second, facilitator.address);
        ensure!(*refused == 0, "{refused} callers were answered no, one of them {answer:?}");
        Ok(paid)
    }
}

/// Starts the other facilitator. It is told of confirmed transactions by the node, as the verifier is of blocks.
fn start_peer(local: &Local, fee_payer: &Keypair, network: &str) -> Result<Part> {
    let program =
        env::var(PEER).with_context(|| format!("{PEER} is not set: the other facilitator's program"))?;
    let told = json!({
        "network": network.split_once(':').context("no CAIP-2 id")?.1,
        "chain": {
            "signer": fee_payer.to_base58_string(),
            "rpc": local.rpc_url(),
            "pubsub": local.validator().web_socket_url(),
        },
    });
    Part::run(&mut Command::new(program), &told)
}

/// The network, and what a merchant puts into `extra`.
fn supported(address: &str) -> Result<(String, Map<String, Value>)> {
    let supported: Value = reqwest::blocking::get(format!("http://{address}/supported"))?.json()?;
    let mut kinds = supported["kinds"].as_array().into_iter().flatten();
    let kind = kinds.find(|kind| kind["scheme"] == NAME && kind["x402Version"] == 2);
    let kind = kind.with_context(|| format!("{address} does not take {NAME}"))?;
    let network = kind["network"].as_str().context("no network")?.to_owned();
    Ok((network, Map::from_iter([("feePayer".to_owned(), kind["extra"]["feePayer"].clone())])))
}

/// Gives payers tokens, and returns their keys.
fn open(local: &Local) -> Result<Vec<[u8; 32]>> {
    let keys: Vec<_> = (0..PAYERS).map(|_| Keypair::new()).collect();
    for keys in keys.chunks(GRANTS) {
        let grant =
            |key: &Keypair| Grant { owner: key.pubkey(), lamports: 0, tokens: Some(1_000 * ONE_TOKEN) };
        local.chain.give(&local.mint, &keys.iter().map(grant).collect::<Vec<_>>())?;
    }
    // The other facilitator looks at their accounts in final blocks.
    local.chain.wait_until_final()?;
    Ok(keys.iter().map(|key| *key.secret_bytes()).collect())
}
