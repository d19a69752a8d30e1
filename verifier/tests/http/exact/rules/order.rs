//! Where several rules are broken, the code is the one that the reference implementation reports.

use serde_json::json;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::{instruction::AccountMeta, message::VersionedMessage, signer::Signer};
use x402_escrow_interface::{Address, address::SYSTEM_PROGRAM_ID};

use super::{
    super::wallet::{Draft, assert_refused, body, buyer, draft, requirements, signed_by},
    STRANGER, code,
};
use crate::world::{World, keypair};

/// Every fault of a transaction that can be there with all that come after it, and the code of each, in the order in
/// which `@x402/svm` 2.27.0 looks for them.
#[tokio::test]
async fn the_first_fault_is_told_in_the_reference_order() {
    let world = World::new().await;
    let mut requirements = requirements(&world, 1000);
    requirements.extra.insert("memo".to_owned(), json!("invoice-1"));
    let stranger = keypair(STRANGER).pubkey();
    let fee_payer = world.fee_payer();
    type Fault = Box<dyn Fn(&mut Draft)>;
    let fault = |change: fn(&mut Draft)| Box::new(change) as Fault;
    let account = |index: usize, address: Address| {
        Box::new(move |draft: &mut Draft| draft.instructions[2].accounts[index].pubkey = address) as Fault
    };
    let no_memo = fault(|draft| draft.instructions.truncate(3));
    let unknown = fault(|draft| draft.instructions[3].program_id = SYSTEM_PROGRAM_ID);
    let amount = fault(|draft| draft.instructions[2].data[1] ^= 1);
    let price = fault(|draft| draft.instructions[1].data[0] = 2);
    let limit = fault(|draft| {
        draft.instructions[0] = ComputeBudgetInstruction::set_compute_unit_limit(400_001);
    });
    let length = fault(|draft| draft.instructions.truncate(2));
    let faults: [(Fault, String); 9] = [
        (length, code("transaction_instructions_length")),
        (limit, code("transaction_instructions_compute_limit_instruction_too_high")),
        (price, code("transaction_instructions_compute_price_instruction")),
        (account(0, fee_payer), code("transaction_fee_payer_transferring_funds")),
        (account(1, stranger), code("mint_mismatch")),
        (account(2, stranger), code("recipient_mismatch")),
        (amount, code("amount_mismatch")),
        (unknown, code("unknown_fourth_instruction")),
        (no_memo, code("memo_count")),
    ];
    for (first, (_, code)) in faults.iter().enumerate() {
        let mut draft = draft(&world, &requirements, "invoice-1");
        // Later faults first: those that shorten the transaction would take others away.
        for (change, _) in faults[first..]
            .iter()
            .rev()
            .filter(|(_, other)| other == code || !other.contains("memo_count") && !other.contains("length"))
        {
            change(&mut draft);
        }
        // The payer signs what it broke, and is not the authority.
        draft.instructions[2..].iter_mut().take(1).for_each(|transfer| {
            transfer.accounts[3] = AccountMeta::new_readonly(stranger, false);
            transfer.accounts.push(AccountMeta::new_readonly(buyer().pubkey(), true));
        });
        if draft.instructions.len() == 2 {
            draft.instructions[1].accounts.push(AccountMeta::new_readonly(buyer().pubkey(), true));
        }
        let signed = signed_by(draft.unsigned(&world), &[&buyer()]);
        assert_refused(&world, &body(&requirements, &signed), code, "paymentPayload").await;
    }
}

#[tokio::test]
async fn what_nobody_but_the_fee_payer_signs_is_refused_for_what_it_does() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    // The fee payer's own tokens: its signature is the only one.
    let mut draining = draft(&world, &requirements, "nonce");
    draining.instructions[2].accounts[3].pubkey = world.fee_payer();
    let transferring = code("transaction_fee_payer_transferring_funds");
    let transaction = draining.unsigned(&world);
    assert_refused(&world, &body(&requirements, &transaction), &transferring, "from the fee payer").await;
    let mut other = draft(&world, &requirements, "nonce");
    other.instructions[2].accounts[3].is_signer = false;
    other.instructions[2].data[1] ^= 1;
    let transaction = other.unsigned(&world);
    assert_refused(&world, &body(&requirements, &transaction), &code("amount_mismatch"), "exactly").await;
}

#[tokio::test]
async fn too_many_signers_are_told_before_whose_they_are() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let mut draft = draft(&world, &requirements, "nonce");
    draft.fee_payer = keypair(STRANGER).pubkey();
    let more = AccountMeta::new_readonly(keypair(STRANGER + 1).pubkey(), true);
    draft.instructions[3].accounts.push(more);
    let unsigned = draft.unsigned(&world);
    assert_refused(&world, &body(&requirements, &unsigned), &code("excessive_signers"), "3 signatures").await;
}

#[tokio::test]
async fn a_broken_signature_is_told_before_what_it_signs() {
    let world = World::new().await;
    let requirements = requirements(&world, 1000);
    let mut changed = draft(&world, &requirements, "nonce").signed(&world);
    if let VersionedMessage::V0(message) = &mut changed.message {
        message.instructions[2].data[1] ^= 1;
    }
    let invalid = code("signature_invalid");
    assert_refused(&world, &body(&requirements, &changed), &invalid, "no valid signature").await;
}
