//! The rules about the transaction's instructions.

use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    instruction::{AccountMeta, Instruction},
    signer::Signer,
};
use x402_escrow_domain::exact::instructions::LIGHTHOUSE_PROGRAM_ID;
use x402_escrow_interface::address::{self, SYSTEM_PROGRAM_ID, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID};

use super::{
    super::wallet::{Draft, assert_refused, body, buyer, draft, memo, requirements, transfer_checked},
    STRANGER, code, refuses,
};
use crate::world::{Options, World, keypair};

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

    // At the bounds it is paid.
    let requirements = requirements(&world, 1000);
    let mut draft = draft(&world, &requirements, "nonce");
    draft.instructions[0] = set_limit(400_000);
    draft.instructions[1] = set_price(12_500);
    world.settled(&body(&requirements, &draft.signed(&world))).await;
}

#[tokio::test]
async fn a_priority_fee_is_paid_as_far_as_recent_blocks_needed_it() {
    let options = Options { compute_unit_price: 10_000, ..Options::default() };
    let world = World::with(options).await;
    let too_high = code("transaction_instructions_compute_price_instruction_too_high");
    let set_limit = ComputeBudgetInstruction::set_compute_unit_limit;
    let set_price = ComputeBudgetInstruction::set_compute_unit_price;
    let offering = |units: u32, price: u64| {
        move |draft: &mut Draft| {
            draft.instructions[0] = set_limit(units);
            draft.instructions[1] = set_price(price);
        }
    };
    // However it is made up: 5,001 lamports, and the most of all.
    for (units, price) in [(20_000, 250_050), (400_000, 12_503), (400_000, u64::MAX)] {
        refuses(&world, offering(units, price), &too_high, "at most 5000 are paid now").await;
    }
    // Never more than our own would offer.
    world.cluster.state().prices = vec![u64::MAX; 150];
    refuses(&world, offering(400_000, 150_003), &too_high, "at most 60000 are paid now").await;
    // Blocks are full: one of twenty took 200,000 for a unit, and a transfer may have 60,000.
    world.cluster.state().prices = [vec![0; 140], vec![200_000; 10]].concat();
    refuses(&world, offering(400_000, 30_003), &too_high, "at most 12000 are paid now").await;
    let requirements = requirements(&world, 1000);
    let mut draft = draft(&world, &requirements, "busy");
    offering(60_000, 200_000)(&mut draft);
    let before = world.fee_payer_lamports();
    world.settled(&body(&requirements, &draft.signed(&world))).await;
    assert_eq!(before - world.fee_payer_lamports(), 2 * 5000 + 12_000);
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
    // Or as the source, in whichever program's account: a delegate's signature would do.
    let token_2022 = address::associated_token(&fee_payer, &world.mint, &TOKEN_2022_PROGRAM_ID);
    for source in [fee_payer, token(fee_payer), token_2022] {
        refuses(
            &world,
            |draft| draft.instructions[2] = transfer(source, buyer().pubkey()),
            &transferring,
            "from the fee payer",
        )
        .await;
    }
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
        for program in [memo("").program_id, LIGHTHOUSE_PROGRAM_ID] {
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
