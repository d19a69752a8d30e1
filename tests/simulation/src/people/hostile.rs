//! Payers that cheat, and strangers.

use std::time::Duration;

use rand::Rng;
use solana_sdk::{
    instruction::Instruction,
    signer::{Signer, keypair::Keypair},
    transaction::Transaction,
};
use tokio::time::sleep;
use x402_escrow_interface::{
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, Consent},
};

use super::{Verdict, World, sign::Terms};
use crate::{
    patience::CALLER_MARGIN_SECONDS,
    setup::{FUNDS, keypair, program},
};

impl World {
    /// Puts instructions on chain without the verifier.
    pub(super) fn act(&self, instructions: &[Instruction], signer: &Keypair) {
        let hash = self.cluster.blockhash().into();
        let transaction =
            Transaction::new_signed_with_payer(instructions, Some(&signer.pubkey()), &[signer], hash);
        self.cluster.submit(transaction.into());
    }

    fn account(&self, at: &x402_escrow_interface::Address) -> Option<Vec<u8>> {
        self.cluster.account(at).map(|account| account.data)
    }

    pub(super) fn escrow(&self, wallet: usize) -> Option<Escrow> {
        Escrow::decode(&self.account(&self.wallets[wallet].escrow)?).ok()
    }

    /// Asks for a hold whose payer cheats: it may be refused, and if it is not, it is captured.
    async fn try_hold(self, signed: super::sign::Signed, merchant: String, amount: u64) {
        let until = signed.intent.authorize_by - CALLER_MARGIN_SECONDS;
        if let Some(Verdict::Yes(_)) = self.settle_until(&signed.body, until, "a cheat's hold").await {
            self.ledger.update(&signed.id, |deal| deal.is_held = true);
            self.captured(&signed, &merchant, amount, true, "capture of a cheat's hold").await;
        }
    }
}

/// Signs far more at once than there is, and the same nonce twice.
pub async fn double_spend(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let capture_deadline = world.time.now() + 300;
    for index in 0..6 {
        let merchant = world.merchants[(merchant + index) % world.merchants.len()].clone();
        let amount = FUNDS * dice.random_range(20..60) / 100;
        let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
        let signed = if index % 2 == 0 {
            world.sign(&world.wallets[wallet], terms, "double spender")
        } else {
            let used = world.wallets[wallet].nonce.load(std::sync::atomic::Ordering::Relaxed) - 1;
            world.sign_with(&world.wallets[wallet], used, terms, "double spender")
        };
        tokio::spawn(world.clone().try_hold(signed, merchant, amount));
        sleep(Duration::from_millis(dice.random_range(0..400))).await;
    }
}

/// Withdraws all that is free, again and again, while it pays.
pub async fn withdraw(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let owner = keypair(&world.wallets[wallet].payer);
    let destination = address::associated_token(&owner.pubkey(), &world.mint, &TOKEN_PROGRAM_ID);
    for _ in 0..4 {
        let Some(escrow) = world.escrow(wallet) else { return };
        let merchant = world.merchants[merchant].clone();
        let amount = (escrow.free() / 3).max(1_000);
        let capture_deadline = world.time.now() + 300;
        let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
        let signed = world.sign(&world.wallets[wallet], terms, "withdrawer");
        tokio::spawn(world.clone().try_hold(signed, merchant, amount));
        sleep(Duration::from_millis(dice.random_range(0..3_000))).await;
        let at = world.wallets[wallet].escrow;
        let all = instruction::withdraw(&program(), &at, &escrow, &destination, Some(escrow.free()));
        world.act(&[all], &owner);
        sleep(Duration::from_secs(5)).await;
    }
}

/// Revokes its session in the middle of its payments.
pub async fn revoke(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let owner = keypair(&world.wallets[wallet].payer);
    let at = address::session(
        &program(),
        &world.wallets[wallet].escrow,
        &keypair(&world.wallets[wallet].key).pubkey(),
    );
    let capture_deadline = world.time.now() + 300;
    for index in 0..6 {
        let merchant = world.merchants[merchant].clone();
        let amount = dice.random_range(1_000..100_000);
        let terms = Terms { merchant: &merchant, amount, price: None, capture_deadline };
        let signed = world.sign(&world.wallets[wallet], terms, "revoker");
        tokio::spawn(world.clone().try_hold(signed, merchant, amount));
        sleep(Duration::from_millis(dice.random_range(0..1_000))).await;
        if index == 3
            && let Some(session) = world.account(&at).and_then(|data| Session::decode(&data).ok())
        {
            let revoke = instruction::revoke_session(&program(), &owner.pubkey(), &session, Consent::Signer);
            world.act(&[revoke], &owner);
        }
    }
}

/// Sends what nobody can read.
pub async fn garbage(world: World, mut dice: impl Rng) {
    for _ in 0..20 {
        let body = match dice.random_range(0..4) {
            0 => "{}".to_owned(),
            1 => "[".repeat(2000),
            2 => "{\"x402Version\":2,\"paymentPayload\":null,\"paymentRequirements\":{}}".to_owned(),
            _ => String::new(),
        };
        let path = ["/settle", "/verify", "/intents", "/refunds"][dice.random_range(0..4)];
        world.server.ask("POST", path, body).await;
        sleep(Duration::from_millis(dice.random_range(0..5_000))).await;
    }
}
