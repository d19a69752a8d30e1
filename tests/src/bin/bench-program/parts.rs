//! What no escrow can do without, measured on its own.

use solana_system_interface::instruction::create_account;
use spl_token_interface::instruction::transfer_checked;
use x402_escrow_interface::{
    address::TOKEN_PROGRAM_ID, instruction::create_associated_token, message::Intent,
};
use x402_escrow_tests::svm::{HOLD_BYTES, World};

use crate::{
    report::Parts,
    samples::{Bench, Cases, test_address},
};

/// What the runtime takes for each call of another program: `DEFAULT_INVOCATION_COST` in Agave's
/// `program-runtime/src/execution_budget.rs` (SIMD-0339).
const CALL: u64 = 946;

pub(crate) fn measure(cases: &Cases) -> Parts {
    let mut world = World::with_session();
    let (stranger, receiver) = (world.token_account(&world.stranger), world.token_account(&world.receiver));
    let transfer =
        transfer_checked(&TOKEN_PROGRAM_ID, &stranger, &world.mint, &receiver, &world.stranger, &[], 1, 6)
            .expect("the token program's builders only check its own address");
    let token_transfer = world.succeed(&[transfer]).compute_units;

    let owner = test_address("owner of a bare token account");
    let create_vault = create_associated_token(&world.relay, &owner, &world.mint, &TOKEN_PROGRAM_ID);
    let vault_creation = world.succeed(&[create_vault]).compute_units;

    // An account that does not exist yet, of any program.
    let account = world.chain.key_without_lamports("bare account");
    let rent = world.chain.rent(HOLD_BYTES);
    let owner = world.token_program;
    let create = create_account(&world.relay, &account, rent, HOLD_BYTES as u64, &owner);
    let account_creation = world.succeed(&[create]).compute_units;

    let address_try = measure_address_try();
    let signed = cases.typical("capture", "signed, part");
    let by_signer = cases.typical("capture", "by signer, part");
    Parts {
        signature_check: signed - by_signer,
        token_transfer,
        account_creation,
        vault_creation,
        address_try,
        call: CALL,
    }
}

/// By authorizing for a lucky and for an unlucky receiver, with holds that are equally lucky.
fn measure_address_try() -> u64 {
    let mut bench = Bench::new();
    let unlucky = bench.unlucky_owner("unlucky receiver");
    let lucky = bench.lucky_owner("lucky receiver");
    let [dear, cheap] = [unlucky, lucky].map(|receiver| {
        let intent = bench.intent_with_lucky_hold();
        bench.run(bench.world.authorize(&Intent { receiver, ..intent }))
    });
    (dear - cheap) / u64::from(bench.owner_tries(&unlucky))
}
