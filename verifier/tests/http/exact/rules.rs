//! Every rule about the client's transaction, broken.

use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    instruction::{AccountMeta, Instruction},
    message::{Message, VersionedMessage, v0},
    signer::Signer,
    transaction::VersionedTransaction,
};
use x402_escrow_interface::address::{self, SYSTEM_PROGRAM_ID, TOKEN_PROGRAM_ID};
use x402_escrow_verifier::exact::instructions::LIGHTHOUSE_PROGRAM_ID;

use super::wallet::{
    Draft, assert_refused, body, buyer, draft, encode, memo, requirements, signed_by, transfer_checked,
};
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

#[tokio::test]
async fn there_are_three_to_seven_instructions() {
    let world = World::new().await;
    let length = code("transaction_instructions_length");
    refuses(
        &world,
        |draft| {
            let transfer = draft.instructions.remove(2);
            draft.instructions = vec![draft.instructions[0].clone(), transfer];
        },
        &length,
        "has 2 instructions",
    )
    .await;
    refuses(
        &world,
        |draft| draft.instructions.extend((0..4).map(|index| memo(&index.to_string()))),
        &length,
        "has 8 instructions",
    )
    .await;
}

#[tokio::test]
async fn the_compute_budget_is_set_within_bounds() {
    let world = World::new().await;
    let limit = code("transaction_instructions_compute_limit_instruction");
    let price = code("transaction_instructions_compute_price_instruction");
    let set_limit = ComputeBudgetInstruction::set_compute_unit_limit;
    let set_price = ComputeBudgetInstruction::set_compute_unit_price;
    let mut long = set_limit(1);
    long.data.push(0);
    let mut named = set_limit(1);
    named.accounts.push(AccountMeta::new_readonly(SYSTEM_PROGRAM_ID, false));
    for other in
        [set_price(1), ComputeBudgetInstruction::request_heap_frame(1024), memo("first"), long, named]
    {
        refuses(&world, |draft| draft.instructions[0] = other, &limit, "instruction 1 must set").await;
    }
    let mut short = set_price(1);
    short.data.pop();
    for other in [set_limit(1), memo("second"), short] {
        refuses(&world, |draft| draft.instructions[1] = other, &price, "instruction 2 must set").await;
    }
    let too_high = format!("{limit}_too_high");
    refuses(&world, |draft| draft.instructions[0] = set_limit(400_001), &too_high, "400001").await;
    let too_high = format!("{price}_too_high");
    refuses(&world, |draft| draft.instructions[1] = set_price(5_000_001), &too_high, "5000001").await;

    // At the bounds it is paid.
    let requirements = requirements(&world, 1000);
    let mut draft = draft(&world, &requirements, "nonce");
    draft.instructions[0] = set_limit(400_000);
    draft.instructions[1] = set_price(5_000_000);
    world.settled(&body(&requirements, &draft.signed(&world))).await;
}

#[tokio::test]
async fn the_third_instruction_is_the_transfer() {
    let world = World::new().await;
    let none = code("no_transfer_instruction");
    let reason = "must be TransferChecked";
    let of = |world: &World| draft(world, &requirements(world, 1000), "nonce").instructions[2].clone();
    let change = |edit: fn(&mut Instruction)| {
        let mut transfer = of(&world);
        edit(&mut transfer);
        transfer
    };
    for other in [
        // Transfer, without the mint.
        change(|transfer| transfer.data = [[3].as_slice(), &1000u64.to_le_bytes()].concat()),
        // Approve, which has the same shape.
        change(|transfer| transfer.data[0] = 13),
        change(|transfer| transfer.data.truncate(9)),
        change(|transfer| transfer.data.push(0)),
        change(|transfer| transfer.data.clear()),
        change(|transfer| transfer.program_id = SYSTEM_PROGRAM_ID),
    ] {
        refuses(&world, |draft| draft.instructions[2] = other, &none, reason).await;
    }
    refuses(
        &world,
        |draft| {
            let authority = draft.instructions[2].accounts.remove(3);
            draft.instructions[3].accounts.push(authority);
        },
        &none,
        reason,
    )
    .await;
}

#[tokio::test]
async fn the_transfer_is_of_the_asked_mint_to_the_receiver_in_the_exact_amount() {
    let world = World::new().await;
    let [buyer, stranger] = [buyer().pubkey(), keypair(STRANGER).pubkey()];
    let token = |owner| address::associated_token(&owner, &world.mint, &TOKEN_PROGRAM_ID);
    let paid = |accounts, amount| transfer_checked(TOKEN_PROGRAM_ID, accounts, amount);
    let good = [token(buyer), world.mint, token(world.merchant()), buyer];
    let with = |index: usize, account| {
        let mut accounts = good;
        accounts[index] = account;
        accounts
    };
    let mint = code("mint_mismatch");
    let recipient = code("recipient_mismatch");
    for (accounts, amount, code, reason) in [
        (with(1, stranger), 1000, &mint, "asked is"),
        (with(2, token(stranger)), 1000, &recipient, "associated token account"),
        (with(2, world.merchant()), 1000, &recipient, "associated token account"),
        (with(2, token(buyer)), 1000, &recipient, "associated token account"),
        // From the receiver to itself: whoever may debit that account would pay with it.
        (with(0, token(world.merchant())), 1000, &recipient, "from another"),
        (good, 999, &code("amount_mismatch"), "exactly 1000"),
        (good, 1001, &code("amount_mismatch"), "exactly 1000"),
        (good, 0, &code("amount_mismatch"), "exactly 1000"),
    ] {
        refuses(&world, |draft| draft.instructions[2] = paid(accounts, amount), code, reason).await;
    }
}

#[tokio::test]
async fn the_fee_payer_pays_the_fee_and_nothing_else() {
    let world = World::new().await;
    let fee_payer = world.fee_payer();
    world.set_token_account(fee_payer, spl_token_interface::state::AccountState::Initialized, 5000);
    let token = |owner| address::associated_token(&owner, &world.mint, &TOKEN_PROGRAM_ID);
    let transferring = code("transaction_fee_payer_transferring_funds");
    let transfer = |source, authority| {
        transfer_checked(TOKEN_PROGRAM_ID, [source, world.mint, token(world.merchant()), authority], 1000)
    };
    // The fee payer as authority: its own tokens. The buyer signs a memo, so that both sign.
    refuses(
        &world,
        |draft| {
            draft.instructions[2] = transfer(token(fee_payer), fee_payer);
            draft.instructions[3].accounts.push(AccountMeta::new_readonly(buyer().pubkey(), true));
        },
        &transferring,
        "from the fee payer",
    )
    .await;
    refuses(
        &world,
        |draft| draft.instructions[2] = transfer(fee_payer, buyer().pubkey()),
        &transferring,
        "from the fee payer",
    )
    .await;
    assert_eq!(world.tokens(fee_payer), 5000);

    // Named by any instruction, in any place, however harmless it looks.
    let isolated = "invalid_exact_svm_smart_wallet_fee_payer_not_isolated";
    let names = |program_id, is_signer| Instruction {
        program_id,
        accounts: vec![AccountMeta::new_readonly(fee_payer, is_signer)],
        data: b"x".to_vec(),
    };
    for is_signer in [true, false] {
        refuses(
            &world,
            |draft| draft.instructions[2].accounts.push(AccountMeta::new_readonly(fee_payer, is_signer)),
            isolated,
            "instruction 3 names",
        )
        .await;
        for program in [super::wallet::memo("").program_id, LIGHTHOUSE_PROGRAM_ID] {
            refuses(
                &world,
                |draft| draft.instructions.push(names(program, is_signer)),
                isolated,
                "instruction 5",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn only_lighthouse_and_memos_follow_the_transfer() {
    let world = World::new().await;
    for (number, name) in [(4, "fourth"), (5, "fifth"), (6, "sixth"), (7, "seventh")] {
        let unknown = code(&format!("unknown_{name}_instruction"));
        // A transfer of the fee payer's SOL would need the fee payer; this one is of the buyer's.
        let mut drain = Instruction {
            program_id: SYSTEM_PROGRAM_ID,
            accounts: vec![
                AccountMeta::new(buyer().pubkey(), true),
                AccountMeta::new(keypair(STRANGER).pubkey(), false),
            ],
            data: vec![2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        };
        let fill = |draft: &mut Draft, last| {
            draft.instructions.truncate(3);
            draft.instructions.extend((4..number).map(|index| memo(&index.to_string())));
            draft.instructions.push(last);
        };
        let reason = format!("instruction {number} is of");
        refuses(&world, |draft| fill(draft, drain.clone()), &unknown, &reason).await;
        drain.program_id = TOKEN_PROGRAM_ID;
        refuses(&world, |draft| fill(draft, drain), &unknown, &reason).await;
    }
    // Seven with memos are paid.
    let requirements = requirements(&world, 1000);
    let mut seven = draft(&world, &requirements, "nonce");
    seven.instructions[0] = ComputeBudgetInstruction::set_compute_unit_limit(100_000);
    seven.instructions.extend((0..3).map(|index| memo(&index.to_string())));
    world.settled(&body(&requirements, &seven.signed(&world))).await;
}

#[tokio::test]
async fn the_memo_is_the_asked_one() {
    let world = World::new().await;
    let mut requirements = requirements(&world, 1000);
    requirements.extra.insert("memo".to_owned(), json!("invoice-1"));
    let good = draft(&world, &requirements, "invoice-1");
    let with = |memos: &[&str]| {
        let mut draft = good.clone();
        draft.instructions.truncate(3);
        draft.instructions.extend(memos.iter().map(|text| memo(text)));
        body(&requirements, &draft.signed(&world))
    };
    for memos in [vec![], vec!["invoice-1", "invoice-1"], vec!["invoice-1", "other"]] {
        assert_refused(&world, &with(&memos), &code("memo_count"), "exactly one memo").await;
    }
    for text in ["invoice-2", "invoice-1 ", ""] {
        assert_refused(&world, &with(&[text]), &code("memo_mismatch"), "invoice-1").await;
    }
    world.settled(&with(&["invoice-1"])).await;
    assert_eq!(world.received(), 1000);
}
