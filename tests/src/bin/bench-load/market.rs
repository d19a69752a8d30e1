//! Many payers with an escrow and a session each, who all pay one merchant.

use std::{thread, time::Duration};

use anyhow::{Context, Result, ensure};
use ed25519_dalek::SigningKey;
use solana_sdk::signature::{Keypair, Signer};
use x402_escrow_interface::{
    address,
    instruction::{SessionLimits, deposit, open_escrow, open_session},
    receivers::ANYONE,
};
use x402_escrow_load::{holding, merchant::Merchant, payer::Payer};
use x402_escrow_tests::local::{Grant, Local, ONE_TOKEN, Verifier, parties::now, program_id};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra},
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

use crate::{
    Plan,
    parts::{self, Part},
};

/// What each payment is of, in base units.
pub(crate) const AMOUNT: u64 = 100;
/// What each payer deposits, in base units.
pub(crate) const DEPOSIT: u64 = 1_000 * ONE_TOKEN;
/// Before each measurement: as long as the first answers take.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);
const CAPTURE_SECONDS: i64 = 7200;
const DAY_SECONDS: i64 = 86_400;
/// How many escrows are opened at the same time.
const OPENING: usize = 13;

pub(crate) struct Market {
    pub(crate) payers: Vec<Payer>,
    /// What the merchant asks for.
    pub(crate) accepted: PaymentRequirements,
    pub(crate) merchant: Merchant,
}

impl Market {
    pub(crate) fn open(local: &Local, verifier: &Verifier, count: usize) -> Result<Self> {
        let merchant = Keypair::new();
        let pay_to = Base58(merchant.pubkey().to_bytes());
        local.chain.give_tokens(&pay_to.into(), &local.mint, 0)?;
        let extra = Extra {
            payment_flow: "escrow".to_owned(),
            capture_mode: None,
            program: program_id().into(),
            fee_payer: verifier.fee_payer.into(),
            capture_authorizer: CaptureAuthorizer::Key(pay_to),
            request_price: None,
            receiver_authorizer: pay_to,
            capture_deadline: now() + CAPTURE_SECONDS,
            refund_deadline: 0,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32([7; 32]),
            commitment: None,
        };
        let supported: serde_json::Value =
            reqwest::blocking::get(format!("{}/supported", verifier.url))?.json()?;
        let network = supported["kinds"][0]["network"].as_str().context("the network")?.to_owned();
        let accepted = PaymentRequirements {
            scheme: "auth-capture".to_owned(),
            network,
            amount: Decimal(AMOUNT),
            asset: local.mint.into(),
            pay_to,
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        };
        let open = |count: usize| (0..count).map(|_| open_one(local)).collect::<Result<Vec<_>>>();
        // Most of it is waiting for blocks.
        let payers = thread::scope(|scope| {
            let parts: Vec<_> =
                (0..OPENING).map(|part| scope.spawn(move || open((count + part) / OPENING))).collect();
            parts.into_iter().map(|part| part.join().expect("it does not panic")).collect::<Result<Vec<_>>>()
        })?;
        let merchant = Merchant::new(*merchant.secret_bytes(), accepted.clone());
        Ok(Self { payers: payers.concat(), accepted, merchant })
    }

    /// Has callers ask for holds. So many of them are hostile, and pay with that key for what they send.
    pub(crate) fn hold(
        &mut self,
        local: &Local,
        verifier: &Verifier,
        callers: usize,
        (hostile, relay): (usize, [u8; 32]),
        plan: Plan,
    ) -> Result<holding::Held> {
        let job = holding::Job {
            to: parts::address(&verifier.url),
            accepted: self.accepted.clone(),
            payers: self.payers.clone(),
            callers,
            hostile,
            node: parts::address(local.rpc_url()),
            relay,
            warm_up: WARM_UP,
            measured: plan.measured,
        };
        let held: holding::Held = Part::start(holding::ROLE, &job)?.said()?;
        self.payers.clone_from(&held.payers);
        let (refused, answer) = &held.refused;
        let rate = held.measured.per_second;
        eprintln!("{rate:.0} holds a second of {callers} callers, {hostile} of them hostile");
        ensure!(*refused == 0, "{refused} honest callers were answered no, one of them {answer:?}");
        Ok(held)
    }

    /// How many payments are held, but for those of the first payer.
    pub(crate) fn open_holds(&self, local: &Local) -> Result<u64> {
        self.payers[1..].iter().try_fold(0, |sum, payer| {
            let key = SigningKey::from_bytes(&payer.session_key).verifying_key().to_bytes();
            let address = address::session(&program_id(), &payer.escrow.into(), &key.into());
            Ok(sum + u64::from(local.chain.session(&address)?.open_holds))
        })
    }
}

fn open_one(local: &Local) -> Result<Payer> {
    let (owner, session_key) = (Keypair::new(), Keypair::new());
    let (program, faucet, mint) = (program_id(), local.chain.faucet.pubkey(), local.mint);
    local
        .chain
        .give(&mint, &[Grant { owner: owner.pubkey(), lamports: 100_000_000, tokens: Some(DEPOSIT) }])?;
    let escrow = address::escrow(&program, &owner.pubkey(), &mint);
    let limits = SessionLimits {
        expires_at: now() + DAY_SECONDS,
        maximum_payment: DEPOSIT,
        maximum_total: DEPOSIT,
        maximum_per_period: 0,
        period_seconds: 0,
        receivers_root: ANYONE,
    };
    let mut open = open_escrow(&program, &faucet, &owner.pubkey(), &mint, &address::TOKEN_PROGRAM_ID);
    open.push(open_session(&program, &faucet, &owner.pubkey(), &escrow, &session_key.pubkey(), &limits));
    local.chain.send(&open, &[&owner])?;
    let source = address::associated_token(&owner.pubkey(), &mint, &address::TOKEN_PROGRAM_ID);
    let opened = local.chain.escrow(&owner.pubkey(), &mint)?;
    local.chain.send(&[deposit(&program, &owner.pubkey(), &source, &escrow, &opened, DEPOSIT)], &[&owner])?;
    let stored = local.chain.session(&address::session(&program, &escrow, &session_key.pubkey()))?;
    Ok(Payer {
        escrow: escrow.into(),
        session_key: *session_key.secret_bytes(),
        incarnation: Base58(stored.incarnation),
        next_nonce: 1,
    })
}
