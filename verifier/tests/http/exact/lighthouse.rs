//! What wallets have Lighthouse watch.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{
    instruction::{AccountMeta, Instruction},
    signer::Signer,
};
use x402_escrow_domain::exact::instructions::LIGHTHOUSE_PROGRAM_ID;
use x402_escrow_interface::{
    Address,
    address::{self, SYSTEM_PROGRAM_ID, TOKEN_PROGRAM_ID},
};

use super::{
    rules::refuses,
    wallet::{Draft, buyer, memo},
};
use crate::world::{World, keypair};

/// The cluster has no Lighthouse: that the simulation is what refuses shows that the rules let it pass.
const PASSES: &str = "invalid_exact_svm_transaction_simulation_failed";

#[tokio::test]
async fn lighthouse_passes_the_rules() {
    let world = World::new().await;
    let fee_payer = world.fee_payer();
    let assertions = |draft: &mut Draft| {
        let watched = draft.instructions[2].accounts[0].pubkey;
        draft.instructions.extend([9, 5, 6].map(|kind| lighthouse(kind, &[watched])));
    };
    refuses(&world, assertions, PASSES, "would fail").await;
    // As Phantom has it: the fee payer's lamports are what the user was shown.
    for kind in [5, 6] {
        let watch = |draft: &mut Draft| draft.instructions.push(lighthouse(kind, &[fee_payer]));
        refuses(&world, watch, PASSES, "would fail").await;
    }
}

/// As Phantom signs since August 2026: three guards before the transfer, and one after the memo.
#[tokio::test]
async fn guards_before_the_transfer_pass_the_rules() {
    let world = World::new().await;
    let fee_payer = world.fee_payer();
    let phantom = |draft: &mut Draft| {
        let source = draft.instructions[2].accounts[0].pubkey;
        let before = [lighthouse(5, &[fee_payer]), lighthouse(6, &[source]), lighthouse(9, &[source])];
        draft.instructions.splice(2..2, before);
        draft.instructions.push(lighthouse(5, &[fee_payer]));
    };
    refuses(&world, phantom, PASSES, "would fail").await;
    for place in 0..=4 {
        let guard = |draft: &mut Draft| draft.instructions.insert(place, lighthouse(5, &[fee_payer]));
        refuses(&world, guard, PASSES, "would fail").await;
    }
}

#[tokio::test]
async fn there_are_at_most_four_guards() {
    let world = World::new().await;
    let length = "invalid_exact_svm_payload_transaction_instructions_length";
    let guards = |draft: &mut Draft| {
        draft.instructions.splice(2..2, (0..5).map(|_| lighthouse(5, &[buyer().pubkey()])));
    };
    refuses(&world, guards, length, "has 5 guards").await;
}

#[tokio::test]
async fn between_the_guards_the_transaction_is_what_it_must_be_without_them() {
    let world = World::new().await;
    let guard = || lighthouse(5, &[buyer().pubkey()]);
    let payload = |name: &str| format!("invalid_exact_svm_payload_{name}");
    let limit = payload("transaction_instructions_compute_limit_instruction");
    let price = payload("transaction_instructions_compute_price_instruction");
    let set_limit = ComputeBudgetInstruction::set_compute_unit_limit;
    let guarded = |change: fn(&mut Draft)| {
        move |draft: &mut Draft| {
            change(draft);
            draft.instructions.splice(0..0, [guard(), guard()]);
        }
    };
    refuses(&world, guarded(|draft| draft.instructions[0].data.clear()), &limit, "instruction 3 must").await;
    refuses(
        &world,
        guarded(|draft| draft.instructions[1] = ComputeBudgetInstruction::set_compute_unit_limit(1)),
        &price,
        "instruction 4 must",
    )
    .await;
    refuses(
        &world,
        guarded(|draft| draft.instructions[2].data[0] = 13),
        &payload("no_transfer_instruction"),
        "instruction 5 must",
    )
    .await;
    refuses(
        &world,
        guarded(|draft| draft.instructions[3].program_id = SYSTEM_PROGRAM_ID),
        &payload("unknown_fourth_instruction"),
        "instruction 6 is of",
    )
    .await;
    // A second limit after the transfer would replace the first.
    let again = |draft: &mut Draft| draft.instructions.extend([guard(), set_limit(1_400_000)]);
    refuses(&world, again, &payload("unknown_fifth_instruction"), "instruction 6 is of").await;
    // Nor is there a second transfer.
    let twice = |draft: &mut Draft| {
        let transfer = draft.instructions[2].clone();
        draft.instructions.splice(2..2, [transfer, guard()]);
    };
    refuses(&world, twice, &payload("unknown_fourth_instruction"), "instruction 5 is of").await;
}

/// What writes, calls another program, or is not known to do neither.
#[tokio::test]
async fn lighthouse_gets_the_fee_payer_only_to_look_at_it() {
    let world = World::new().await;
    let (fee_payer, other) = (world.fee_payer(), keypair(40).pubkey());
    let isolated = "invalid_exact_svm_smart_wallet_fee_payer_not_isolated";
    for kind in (0..=u8::MAX).filter(|kind| ![5, 6].contains(kind)) {
        let named = |draft: &mut Draft| draft.instructions.push(lighthouse(kind, &[fee_payer]));
        refuses(&world, named, isolated, "instruction 5 names").await;
    }
    for place in [0, 2] {
        let named = |draft: &mut Draft| draft.instructions.insert(place, lighthouse(0, &[fee_payer]));
        refuses(&world, named, isolated, &format!("instruction {} names", place + 1)).await;
    }
    for accounts in [vec![fee_payer, other], vec![other, fee_payer], vec![fee_payer, fee_payer]] {
        let named = |draft: &mut Draft| draft.instructions.push(lighthouse(5, &accounts));
        refuses(&world, named, isolated, "instruction 5 names").await;
    }
    let no_data = |draft: &mut Draft| {
        draft.instructions.push(Instruction { data: Vec::new(), ..lighthouse(5, &[fee_payer]) });
    };
    refuses(&world, no_data, isolated, "instruction 5 names").await;
    let memo = |draft: &mut Draft| {
        draft
            .instructions
            .push(Instruction { program_id: memo("").program_id, ..lighthouse(5, &[fee_payer]) });
    };
    refuses(&world, memo, isolated, "instruction 5 names").await;
}

/// A guard that gets the fee payer's token account may watch it: only the fee payer's signature moves its tokens.
#[tokio::test]
async fn a_guard_may_watch_the_fee_payers_token_account() {
    let world = World::new().await;
    let watched = address::associated_token(&world.fee_payer(), &world.mint, &TOKEN_PROGRAM_ID);
    let guard = |draft: &mut Draft| draft.instructions.insert(2, lighthouse(9, &[watched]));
    refuses(&world, guard, PASSES, "would fail").await;
}

fn lighthouse(kind: u8, accounts: &[Address]) -> Instruction {
    Instruction {
        program_id: LIGHTHOUSE_PROGRAM_ID,
        accounts: accounts.iter().map(|account| AccountMeta::new_readonly(*account, false)).collect(),
        data: vec![kind, 0],
    }
}
