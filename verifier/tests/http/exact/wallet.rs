//! What a standard client builds and sends, and what a test may change of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    instruction::{AccountMeta, Instruction},
    message::{VersionedMessage, v0},
    signer::{Signer, keypair::Keypair},
    transaction::VersionedTransaction,
};
use x402_escrow_domain::exact::instructions::MEMO_PROGRAM_ID;
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_PROGRAM_ID},
};
use x402_escrow_wire::{
    payment::PaymentRequirements,
    text::{Decimal, Hex32},
};

use crate::world::{NETWORK, World, keypair};

/// The client's key. Its token account has what the escrow was not funded with.
pub(super) fn buyer() -> Keypair {
    keypair(crate::world::PAYER)
}

/// What an unchanged merchant asks for.
pub(super) fn requirements(world: &World, amount: u64) -> PaymentRequirements {
    PaymentRequirements {
        scheme: "exact".to_owned(),
        network: NETWORK.to_owned(),
        amount: Decimal(amount),
        asset: world.mint.into(),
        pay_to: world.merchant().into(),
        max_timeout_seconds: 60,
        extra: Map::from_iter([("feePayer".to_owned(), json!(world.fee_payer().to_string()))]),
    }
}

/// What the client's transaction is made of.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) fee_payer: Address,
    pub(super) instructions: Vec<Instruction>,
    pub(super) lookup_tables: Vec<v0::MessageAddressTableLookup>,
}

/// The transaction of an unchanged client for these requirements. `nonce` makes it unique.
pub(super) fn draft(world: &World, requirements: &PaymentRequirements, nonce: &str) -> Draft {
    let (mint, receiver) = (Address::from(requirements.asset), Address::from(requirements.pay_to));
    let buyer = buyer().pubkey();
    let source = address::associated_token(&buyer, &mint, &TOKEN_PROGRAM_ID);
    let destination = address::associated_token(&receiver, &mint, &TOKEN_PROGRAM_ID);
    Draft {
        fee_payer: world.fee_payer(),
        instructions: vec![
            ComputeBudgetInstruction::set_compute_unit_limit(20_000),
            ComputeBudgetInstruction::set_compute_unit_price(1),
            transfer_checked(TOKEN_PROGRAM_ID, [source, mint, destination, buyer], requirements.amount.0),
            memo(nonce),
        ],
        lookup_tables: Vec::new(),
    }
}

/// `TransferChecked` of `[source, mint, destination, authority]`, 6 decimals.
pub(super) fn transfer_checked(program: Address, accounts: [Address; 4], amount: u64) -> Instruction {
    let [source, mint, destination, authority] = accounts;
    let accounts = vec![
        AccountMeta::new(source, false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new(destination, false),
        AccountMeta::new_readonly(authority, true),
    ];
    let data = [[12].as_slice(), &amount.to_le_bytes(), &[6]].concat();
    Instruction { program_id: program, accounts, data }
}

pub(super) fn memo(text: &str) -> Instruction {
    Instruction { program_id: MEMO_PROGRAM_ID, accounts: Vec::new(), data: text.as_bytes().to_vec() }
}

impl Draft {
    /// The transaction as it is before these keys sign.
    pub(super) fn unsigned(&self, world: &World) -> VersionedTransaction {
        let blockhash = world.cluster.state().svm.latest_blockhash();
        let mut message =
            v0::Message::try_compile(&self.fee_payer, &self.instructions, &[], blockhash).unwrap();
        message.address_table_lookups.clone_from(&self.lookup_tables);
        let signers = usize::from(message.header.num_required_signatures);
        VersionedTransaction {
            signatures: vec![Default::default(); signers],
            message: VersionedMessage::V0(message),
        }
    }

    /// The transaction signed by the buyer alone.
    pub(super) fn signed(&self, world: &World) -> VersionedTransaction {
        signed_by(self.unsigned(world), &[&buyer()])
    }
}

/// Puts the signatures of those of these keys into the transaction that are among its signers.
pub(super) fn signed_by(mut transaction: VersionedTransaction, keys: &[&Keypair]) -> VersionedTransaction {
    let message = transaction.message.serialize();
    let accounts = transaction.message.static_account_keys().to_vec();
    for (place, account) in transaction.signatures.iter_mut().zip(accounts) {
        if let Some(key) = keys.iter().find(|key| key.pubkey() == account) {
            *place = key.sign_message(&message);
        }
    }
    transaction
}

pub(super) fn encode(transaction: &VersionedTransaction) -> String {
    STANDARD.encode(bincode::serialize(transaction).unwrap())
}

/// The body of `/verify` and `/settle`.
pub(super) fn body(requirements: &PaymentRequirements, transaction: &VersionedTransaction) -> Value {
    crate::world::envelope(requirements, json!({ "transaction": encode(transaction) }))
}

/// The body of an unchanged client's payment.
pub(crate) fn payment(world: &World, amount: u64, nonce: &str) -> Value {
    let requirements = requirements(world, amount);
    body(&requirements, &draft(world, &requirements, nonce).signed(world))
}

/// The id by which `/payments/{id}` knows a payment.
pub(crate) fn payment_id(body: &Value) -> Hex32 {
    let text = body["paymentPayload"]["payload"]["transaction"].as_str().unwrap();
    let transaction: VersionedTransaction = bincode::deserialize(&STANDARD.decode(text).unwrap()).unwrap();
    Hex32(solana_sdk::hash::hash(&transaction.message.serialize()).to_bytes())
}

/// What the buyer's token account has.
pub(super) fn buyers_tokens(world: &World) -> u64 {
    world.tokens(buyer().pubkey())
}

/// Asserts that both endpoints say no with this code, for a reason that names what is wrong, and that nothing moved.
pub(super) async fn assert_refused(world: &World, body: &Value, code: &str, reason: &str) {
    let before = (world.everything().await, buyers_tokens(world), world.fee_payer_lamports());
    let (_, verdict) = world.post("/verify", body).await;
    assert_eq!((&verdict["isValid"], &verdict["invalidReason"]), (&json!(false), &json!(code)), "{verdict}");
    let message = verdict["invalidMessage"].as_str().unwrap();
    assert!(message.contains(reason), "{reason:?} is not in {message:?}");
    let answer = world.settle(body).await;
    assert_eq!(
        (&answer["success"], &answer["errorReason"], &answer["transaction"]),
        (&json!(false), &json!(code), &json!("")),
        "{answer}"
    );
    let after = (world.everything().await, buyers_tokens(world), world.fee_payer_lamports());
    assert_eq!(after, before, "{code}");
    assert_eq!(world.exact_rows().await, 0);
}
