//! Relayers: they bring captures and reclaims on chain that the verifier was given too.

use ed25519_dalek::Signer;
use rand::Rng;
use x402_escrow_interface::{
    account::{Escrow, Hold},
    address,
    instruction::{self, Consent, HoldAccounts},
    message::Capture,
};

use super::{World, sign::Terms};
use crate::setup::{keypair, program, signing_key};

/// A merchant captures by itself what the verifier holds; then it asks the verifier too.
pub async fn relay(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let merchant = world.merchants[merchant].clone();
    let amount = dice.random_range(1_000..100_000);
    let capture_deadline = world.time.now() + 300;
    let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
    let Some(signed) = world.held(wallet, terms, "relayed").await else { return };
    let session = address::session(&program(), &signed.intent.escrow, &signed.intent.session_key);
    let hold_address = address::hold(&program(), &session, signed.intent.nonce);
    let read = |at| world.cluster.newest(|svm| svm.get_account(at)).map(|account| account.data);
    let escrow = read(&signed.intent.escrow).and_then(|data| Escrow::decode(&data).ok());
    let hold = read(&hold_address).and_then(|data| Hold::decode(&data).ok());
    let (Some(escrow), Some(hold)) = (escrow, hold) else { return };
    let part = dice.random_range(1..=amount);
    let capture = Capture { intent_digest: signed.id, amount: part, fee: 0, last: false };
    let by = signing_key(&merchant).sign(&capture.signed_bytes()).to_bytes();
    let accounts = HoldAccounts {
        program: program(),
        escrow_address: signed.intent.escrow,
        escrow: &escrow,
        hold_address,
        hold: &hold,
    };
    let capture = instruction::capture(accounts, part, &capture, Consent::Signature(by));
    world.ledger.update(&signed.id, |deal| deal.signed = deal.signed.max(part));
    world.act(&[capture], &keypair(&merchant));
    _ = world.captured(&signed, &merchant, part, false, "relayed capture").await;
}
