//! What wallets have Lighthouse watch.

use solana_sdk::{
    instruction::{AccountMeta, Instruction},
    signer::Signer,
};
use x402_escrow_domain::exact::instructions::LIGHTHOUSE_PROGRAM_ID;
use x402_escrow_interface::Address;

use super::{
    rules::refuses,
    wallet::{Draft, memo},
};
use crate::world::{World, keypair};

/// The cluster has no Lighthouse: that the simulation is what refuses shows that the rules let it pass.
#[tokio::test]
async fn lighthouse_passes_the_rules() {
    let world = World::new().await;
    let (fee_payer, passes) = (world.fee_payer(), "invalid_exact_svm_transaction_simulation_failed");
    let assertions = |draft: &mut Draft| {
        let watched = draft.instructions[2].accounts[0].pubkey;
        draft.instructions.extend([9, 5, 6].map(|kind| lighthouse(kind, &[watched])));
    };
    refuses(&world, assertions, passes, "would fail").await;
    // As Phantom has it: the fee payer's lamports are what the user was shown.
    for kind in [5, 6] {
        let watch = |draft: &mut Draft| draft.instructions.push(lighthouse(kind, &[fee_payer]));
        refuses(&world, watch, passes, "would fail").await;
    }
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

fn lighthouse(kind: u8, accounts: &[Address]) -> Instruction {
    Instruction {
        program_id: LIGHTHOUSE_PROGRAM_ID,
        accounts: accounts.iter().map(|account| AccountMeta::new_readonly(*account, false)).collect(),
        data: vec![kind, 0],
    }
}
