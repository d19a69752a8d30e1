//! Payers of the scheme `exact`, who sign as `@x402/svm` has standard clients do.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    hash::Hash,
    instruction::Instruction,
    message::{VersionedMessage, v0},
    signer::{Signer, keypair::Keypair},
};
use spl_token_interface::instruction::transfer_checked;
use x402_escrow_domain::exact::instructions::MEMO_PROGRAM_ID;
use x402_escrow_interface::{
    Address,
    address::{TOKEN_PROGRAM_ID, associated_token},
};
use x402_escrow_wire::{exact::Extra, payment::PaymentRequirements};

use crate::connection::body;

const COMPUTE_UNIT_LIMIT: u32 = 20_000;
const COMPUTE_UNIT_PRICE_MICRO_LAMPORTS: u64 = 1;
const DECIMALS: u8 = 6;

/// All of them, signing in turn for one receiver.
pub(crate) struct Wallets {
    payers: Vec<(Keypair, Address)>,
    accepted: PaymentRequirements,
    fee_payer: Address,
    destination: Address,
    /// What the next payment's memo says.
    memo: u128,
    pub(crate) blockhash: [u8; 32],
}

impl Wallets {
    pub(crate) fn new(keys: &[[u8; 32]], accepted: PaymentRequirements, blockhash: [u8; 32]) -> Result<Self> {
        let extra: Extra = serde_json::from_value(json!(accepted.extra)).context("what is asked for")?;
        let account = |owner: &Address| associated_token(owner, &accepted.asset.into(), &TOKEN_PROGRAM_ID);
        let payers = keys.iter().map(|key| {
            let key = Keypair::new_from_array(*key);
            let source = account(&key.pubkey());
            (key, source)
        });
        Ok(Self {
            payers: payers.collect(),
            fee_payer: extra.fee_payer.into(),
            destination: account(&accepted.pay_to.into()),
            // No process that signed before got as far.
            memo: SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos(),
            accepted,
            blockhash,
        })
    }

    /// The body that verifies or settles the next payer's payment.
    pub(crate) fn sign(&mut self) -> Result<String> {
        self.payers.rotate_left(1);
        self.memo += 1;
        let (payer, source) = self.payers.first().context("nobody pays")?;
        let (mint, amount) = (Address::from(self.accepted.asset), self.accepted.amount.0);
        let instructions = [
            ComputeBudgetInstruction::set_compute_unit_limit(COMPUTE_UNIT_LIMIT),
            ComputeBudgetInstruction::set_compute_unit_price(COMPUTE_UNIT_PRICE_MICRO_LAMPORTS),
            transfer_checked(
                &TOKEN_PROGRAM_ID,
                source,
                &mint,
                &self.destination,
                &payer.pubkey(),
                &[],
                amount,
                DECIMALS,
            )?,
            Instruction {
                program_id: MEMO_PROGRAM_ID,
                accounts: Vec::new(),
                data: format!("{:032x}", self.memo).into_bytes(),
            },
        ];
        let blockhash = Hash::new_from_array(self.blockhash);
        let message = v0::Message::try_compile(&self.fee_payer, &instructions, &[], blockhash)?;
        let message = VersionedMessage::V0(message).serialize();
        // Of the two signatures the facilitator's is missing.
        let signature = payer.sign_message(&message);
        let transaction = [[2_u8].as_slice(), &[0_u8; 64], signature.as_ref(), &message].concat();
        Ok(body(&self.accepted, &json!({ "transaction": STANDARD.encode(transaction) })))
    }
}
