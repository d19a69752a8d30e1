//! Payers of the scheme `exact`, as standard clients are, and those that show one payment twice.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use rand::Rng;
use serde_json::{Map, json};
use solana_sdk::{
    hash::hash,
    instruction::{AccountMeta, Instruction},
    message::{VersionedMessage, v0},
    signer::Signer,
    transaction::VersionedTransaction,
};
use tokio::time::sleep;
use x402_escrow_domain::exact::instructions::MEMO_PROGRAM_ID;
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
    message::Digest,
};
use x402_escrow_wire::{payment::PaymentRequirements, text::Decimal};

use super::{Verdict, World, sign::envelope};
use crate::{
    patience::RETRY,
    setup::{NETWORK, keypair},
};

/// How long a payer asks: its blockhash is dead by then.
const PATIENCE_SECONDS: i64 = 100;

impl World {
    /// A transfer that the payer signed: its id, and the body of `/settle`.
    fn transfer(&self, payer: &str, merchant: &str, amount: u64, nonce: u64) -> (Digest, serde_json::Value) {
        let (owner, receiver) = (keypair(payer), keypair(merchant).pubkey());
        let fee_payer = keypair("fee payer").pubkey();
        let account = |owner: &Address| address::associated_token(owner, &self.mint, &TOKEN_PROGRAM_ID);
        let budget = |data: Vec<u8>| Instruction {
            program_id: crate::cluster::COMPUTE_BUDGET,
            accounts: Vec::new(),
            data,
        };
        let transfer = Instruction {
            program_id: TOKEN_PROGRAM_ID,
            accounts: vec![
                AccountMeta::new(account(&owner.pubkey()), false),
                AccountMeta::new_readonly(self.mint, false),
                AccountMeta::new(account(&receiver), false),
                AccountMeta::new_readonly(owner.pubkey(), true),
            ],
            data: [[12].as_slice(), &amount.to_le_bytes(), &[6]].concat(),
        };
        let memo = Instruction {
            program_id: MEMO_PROGRAM_ID,
            accounts: Vec::new(),
            data: nonce.to_string().into_bytes(),
        };
        let instructions = [
            budget([[2].as_slice(), &60_000_u32.to_le_bytes()].concat()),
            budget([[3].as_slice(), &1_u64.to_le_bytes()].concat()),
            transfer,
            memo,
        ];
        let blockhash = self.cluster.blockhash().into();
        let message =
            v0::Message::try_compile(&fee_payer, &instructions, &[], blockhash).expect("it is short");
        let message = VersionedMessage::V0(message);
        let bytes = message.serialize();
        let signatures = vec![Default::default(), owner.sign_message(&bytes)];
        let transaction = VersionedTransaction { signatures, message };
        let requirements = PaymentRequirements {
            scheme: "exact".to_owned(),
            network: NETWORK.to_owned(),
            amount: Decimal(amount),
            asset: self.mint.into(),
            pay_to: receiver.into(),
            max_timeout_seconds: 60,
            extra: Map::from_iter([("feePayer".to_owned(), json!(fee_payer.to_string()))]),
        };
        let text = BASE64_STANDARD.encode(bincode::serialize(&transaction).expect("it is one"));
        let id = hash(&bytes).to_bytes();
        self.ledger.sign_transfer(id);
        (id, envelope(&requirements, json!({ "transaction": text })))
    }

    async fn settle_transfer(self, id: Digest, body: serde_json::Value) {
        let until = self.time.now() + PATIENCE_SECONDS;
        while self.time.now() < until {
            match self.settle("/settle", &body, "transfer").await {
                Verdict::Yes(_) => return self.ledger.tell_transfer(id),
                Verdict::No(..) => return,
                Verdict::Again | Verdict::NotFinal => sleep(RETRY).await,
            }
        }
    }
}

/// Pays at once.
pub async fn transfer(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let (payer, merchant) = (&world.wallets[wallet].payer, &world.merchants[merchant]);
    let (id, body) = world.transfer(payer, merchant, dice.random_range(1_000..1_000_000), dice.random());
    world.clone().settle_transfer(id, body).await;
}

/// Shows the same payment to two servers.
pub async fn transfer_twice(world: World, wallet: usize, merchant: usize, mut dice: impl Rng) {
    let (payer, merchant) = (&world.wallets[wallet].payer, &world.merchants[merchant]);
    let (id, body) = world.transfer(payer, merchant, 5_000, dice.random());
    let pause = Duration::from_millis(dice.random_range(0..3_000));
    tokio::join!(world.clone().settle_transfer(id, body.clone()), async {
        sleep(pause).await;
        world.clone().settle_transfer(id, body.clone()).await;
    });
}
