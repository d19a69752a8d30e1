//! Every rule about the client's transaction, broken.

mod instructions;
mod order;

use serde_json::json;
use solana_sdk::{
    instruction::AccountMeta,
    message::{Message, VersionedMessage, v0},
    signer::Signer,
    transaction::VersionedTransaction,
};

use super::wallet::{Draft, assert_refused, body, buyer, draft, encode, requirements, signed_by};
use crate::world::{World, keypair};

const STRANGER: u8 = 40;

/// Changes an unchanged client's transaction, has the buyer sign it, and asserts the refusal.
pub(super) async fn refuses(world: &World, change: impl FnOnce(&mut Draft), code: &str, reason: &str) {
    let requirements = requirements(world, 1000);
    let mut draft = draft(world, &requirements, "nonce");
    change(&mut draft);
    assert_refused(world, &body(&requirements, &draft.signed(world)), code, reason).await;
}

fn code(name: &str) -> String {
    format!("invalid_exact_svm_payload_{name}")
}

#[tokio::test]
async fn the_transaction_must_be_one_and_only_one() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let good = encode(&draft(&world, &requirements, "nonce").signed(&world));
    let mut trailing = super::wallet::draft(&world, &requirements, "nonce").signed(&world);
    trailing.signatures.push(Default::default());
    let bytes = |change: fn(&mut Vec<u8>)| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut bytes = STANDARD.decode(&good).unwrap();
        change(&mut bytes);
        STANDARD.encode(bytes)
    };
    // A message of version 1 in place of version 0: the version's byte follows two signatures.
    let another_version = bytes(|bytes| bytes[1 + 2 * 64] = 0x81);
    for (text, reason) in [
        ("%".to_owned(), "is not base64"),
        (String::new(), "is not a transaction"),
        (bytes(|bytes| bytes.truncate(100)), "is not a transaction"),
        (bytes(|bytes| bytes.push(0)), "bytes behind its end"),
        (bytes(|bytes| bytes.resize(1233, 0)), "has 1233 bytes"),
        (encode(&trailing), "is not a transaction"),
        (another_version, "transaction"),
    ] {
        let body = crate::world::envelope(&requirements, json!({ "transaction": text }));
        assert_refused(&world, &body, &code("transaction_could_not_be_decoded"), reason).await;
    }
    let body = crate::world::envelope(&requirements, json!({ "transaction": 5 }));
    assert_refused(&world, &body, "invalid_payload", "paymentPayload.payload.transaction").await;
}

#[tokio::test]
async fn a_legacy_transaction_is_as_good() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let draft = draft(&world, &requirements, "nonce");
    let blockhash = world.cluster.state().svm.latest_blockhash();
    let message = Message::new_with_blockhash(&draft.instructions, Some(&draft.fee_payer), &blockhash);
    let legacy = VersionedTransaction {
        signatures: vec![Default::default(); 2],
        message: VersionedMessage::Legacy(message),
    };
    world.settled(&body(&requirements, &signed_by(legacy, &[&buyer()]))).await;
    assert_eq!(world.received(), 1000);
}

#[tokio::test]
async fn the_fee_payer_must_be_the_named_one() {
    let world = World::new().await;
    refuses(
        &world,
        |draft| draft.fee_payer = keypair(STRANGER).pubkey(),
        "invalid_exact_svm_fee_payer_mismatch",
        "its fee payer is",
    )
    .await;
    refuses(&world, |draft| draft.fee_payer = buyer().pubkey(), "invalid_exact_svm_fee_payer_mismatch", "is")
        .await;
}

#[tokio::test]
async fn the_payer_must_have_signed_and_nobody_else_must_have_to() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let draft = draft(&world, &requirements, "nonce");
    let invalid = code("signature_invalid");
    let unsigned = draft.unsigned(&world);
    assert_refused(&world, &body(&requirements, &unsigned), &invalid, &buyer().pubkey().to_string()).await;
    // Signed, and then changed.
    let mut changed = draft.signed(&world);
    if let VersionedMessage::V0(message) = &mut changed.message {
        message.instructions[3].data = b"other".to_vec();
    }
    assert_refused(&world, &body(&requirements, &changed), &invalid, "no valid signature").await;
    // By a key that is not the transfer's authority.
    let stranger = keypair(STRANGER);
    let mut other = draft.clone();
    other.instructions[2].accounts[3].is_signer = false;
    other.instructions[3].accounts.push(AccountMeta::new_readonly(stranger.pubkey(), true));
    let signed = signed_by(other.unsigned(&world), &[&stranger]);
    assert_refused(&world, &body(&requirements, &signed), &invalid, "needs the signature of").await;
    // By nobody but the fee payer.
    let mut alone = draft.clone();
    alone.instructions[2].accounts[3].is_signer = false;
    assert_refused(&world, &body(&requirements, &alone.unsigned(&world)), &invalid, "nobody but").await;
    // By one more.
    let mut more = draft.clone();
    more.instructions[3].accounts.push(AccountMeta::new_readonly(stranger.pubkey(), true));
    let signed = signed_by(more.unsigned(&world), &[&buyer(), &stranger]);
    assert_refused(&world, &body(&requirements, &signed), &code("excessive_signers"), "3 signatures").await;
}

#[tokio::test]
async fn lookup_tables_are_not_resolved() {
    let world = World::new().await;
    let table = v0::MessageAddressTableLookup {
        account_key: keypair(STRANGER).pubkey(),
        writable_indexes: vec![0],
        readonly_indexes: vec![],
    };
    refuses(
        &world,
        |draft| draft.lookup_tables.push(table),
        "invalid_exact_svm_smart_wallet_alt_resolution_not_available",
        "lookup tables",
    )
    .await;
}
