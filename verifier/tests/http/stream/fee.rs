//! Vouchers of holds that allow a fee.

use serde_json::json;
use spl_token_interface::state::AccountState;
use x402_escrow_wire::{
    auth_capture::{LifecyclePayload, VoucherPayload},
    text::Decimal,
};

use super::{Channel, HOLD, PRICE, opening, signed, terms, with_extra};
use crate::world::{FUNDS, SESSION, World, envelope};

/// A hold of whose captures one in a hundred may be fee.
async fn open() -> Channel {
    let world = World::new().await;
    world.set_token_account(world.fee_payer(), AccountState::Initialized, 0);
    let terms = with_extra(terms(&world), |extra| {
        extra.max_fee_bps = 100;
        extra.fee_recipient = Some(world.fee_payer().into());
    });
    let body = opening(&world, &terms, 1, PRICE);
    world.settled(&body).await;
    Channel { id: world.payment_id(&body), world, terms }
}

#[tokio::test]
async fn the_fee_of_a_later_voucher_may_be_lower() {
    let channel = open().await;
    for (amount, fee) in [(200, 2), (300, 0), (400, 4)] {
        let voucher = signed(channel.id, amount, fee, SESSION);
        channel.world.settled(&envelope(&channel.terms, json!(voucher))).await;
    }
    let too_high = signed(channel.id, 500, 6, SESSION);
    channel.refuse(&envelope(&channel.terms, json!(too_high)), "voucher_fee").await;
    channel.world.settled(&channel.close(400)).await;
    assert_eq!((channel.world.tokens(channel.world.fee_payer()), channel.world.received()), (4, 396));
}

/// Whatever the payer captures under its own signature, the best voucher is worth what it says.
#[tokio::test]
async fn a_payer_that_captures_by_itself_spoils_no_voucher() {
    for (amount, fee) in [(100, 1), (100, 0), (900, 9), (899, 0)] {
        let channel = open().await;
        channel.accept(900, 800).await;
        let VoucherPayload { payment_id, amount, fee, signature } = signed(channel.id, amount, fee, SESSION);
        let capture = LifecyclePayload::Capture { payment_id, amount, fee, last: false, signature };
        channel.world.relay_operation(1, &envelope(&channel.terms, json!(capture)));
        channel.world.settled(&channel.close(900)).await;
        let fees = channel.world.tokens(channel.world.fee_payer());
        assert_eq!((channel.world.received() + fees, Decimal(fees)), (900, fee));
        assert_eq!(channel.world.escrow_account().balance, FUNDS - 900);
        assert_eq!(channel.world.escrow_account().held, 0, "the rest of {HOLD} is free");
    }
}
