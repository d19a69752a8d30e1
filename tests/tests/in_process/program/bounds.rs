//! A capture is an upper bound: the instruction names what is paid under it, and no order of captures and releases
//! spoils a higher one.

use x402_escrow_interface::{error::EscrowError, instruction::Consent, message::Capture};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn less_than_the_bound_is_paid_and_the_rest_of_it_later() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(8));
    for (amount, paid) in [(usdc(3), usdc(3)), (usdc(2), usdc(3)), (usdc(5), usdc(5)), (usdc(8), usdc(8))] {
        world.succeed(&[world.capture_part(&intent, amount, &bound)]);
        assert_eq!((world.hold(&intent).captured, world.tokens(&world.receiver)), (paid, paid));
    }
}

#[test]
fn more_than_the_bound_refused_whoever_consents() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(8));
    for consent in [world.sign_capture(&intent, &bound), Consent::Signer] {
        for amount in [usdc(8) + 1, usdc(10), u64::MAX] {
            let more = world.capture_part_by(&intent, amount, &bound, consent);
            world.refuse(more, EscrowError::CaptureAboveBound);
        }
    }
    world.succeed(&[world.capture_part(&intent, usdc(8), &bound)]);
}

#[test]
fn bound_above_the_hold_pays_up_to_where_the_payment_ends() {
    for bound in [usdc(10) + 1, u64::MAX] {
        let (mut world, intent) = World::with_hold();
        let message = world.capture_message(&intent, bound);
        world.succeed(&[world.capture_part(&intent, usdc(4), &message)]);
        assert_eq!(world.hold(&intent).captured, usdc(4));
        world.succeed(&[world.capture_as(&intent, &message)]);
        assert!(!world.hold_exists(&intent));
        assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(10), usdc(90)));
    }
}

#[test]
fn lower_capture_relayed_first_spoils_no_higher_one() {
    let (mut world, intent) = World::with_hold();
    let higher = world.capture(&intent, usdc(9));
    for amount in [1, usdc(2), usdc(9) - 1] {
        world.succeed(&[world.capture(&intent, amount)]);
    }
    world.succeed(&[higher]);
    assert_eq!(world.tokens(&world.receiver), usdc(9));
}

#[test]
fn release_ends_the_payment_below_the_bound_in_one_instruction() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    world.succeed(&[world.capture_part_and_release(&intent, usdc(4), &bound)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().held), (usdc(4), 0));
    assert_eq!(world.escrow().balance, usdc(96));
}

#[test]
fn release_before_the_capture_lowers_what_a_higher_bound_pays() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    let highest = world.capture_as(&intent, &bound);
    world.succeed(&[world.capture(&intent, usdc(1)), world.void(&intent, usdc(4))]);
    assert_eq!((world.hold(&intent).amount, world.escrow().held), (usdc(4), usdc(3)));
    world.succeed(&[highest]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(4), usdc(96)));
}

#[test]
fn release_after_a_capture_under_a_higher_bound_ends_the_payment_at_what_was_taken() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    world.succeed(&[world.capture_part(&intent, usdc(4), &bound)]);
    let rest = world.capture_as(&intent, &bound);
    world.succeed(&[world.void(&intent, usdc(4))]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(4), usdc(96)));
    // The account is gone with all that the bound still allowed.
    world.refuse(rest, solana_sdk::instruction::InstructionError::AccountDataTooSmall);
}

#[test]
fn capture_and_release_below_what_is_captured_ends_the_payment_there() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    world.succeed(&[world.capture_part(&intent, usdc(6), &bound)]);
    world.succeed(&[world.capture_part_and_release(&intent, usdc(4), &bound)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(6), usdc(94)));
}

#[test]
fn capture_and_release_above_where_the_payment_ends_pays_all_of_it() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.void(&intent, usdc(5))]);
    let bound = world.capture_message(&intent, usdc(10));
    world.succeed(&[world.capture_part_and_release(&intent, usdc(7), &bound)]);
    assert!(!world.hold_exists(&intent));
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(5), usdc(95)));
}

#[test]
fn release_at_another_amount_than_what_is_paid_refused() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    let mut good = world.capture_part_and_release(&intent, usdc(4), &bound);
    for other in [usdc(10), usdc(3), usdc(5)] {
        // The release's signature follows the amount and the kind of end.
        let mut forged = good.clone();
        forged.data[10..74].copy_from_slice(&world.sign_release(&intent, other));
        world.refuse(forged, EscrowError::InvalidSignature);
    }
    // Another amount under the same bound needs another release.
    good.data[1..9].copy_from_slice(&usdc(5).to_le_bytes());
    world.refuse(good, EscrowError::InvalidSignature);
}

#[test]
fn signature_under_one_bound_is_none_under_another() {
    let (mut world, intent) = World::with_hold();
    let signed = world.capture_message(&intent, usdc(8));
    let consent = world.sign_capture(&intent, &signed);
    for other in [usdc(8) + 1, usdc(8) - 1, usdc(10), u64::MAX] {
        let message = Capture { amount: other, ..signed };
        let forged = world.capture_part_by(&intent, usdc(4), &message, consent);
        world.refuse(forged, EscrowError::InvalidSignature);
    }
    world.succeed(&[world.capture_part_by(&intent, usdc(4), &signed, consent)]);
}

#[test]
fn rest_of_a_bound_is_worth_nothing_after_the_deadline() {
    let (mut world, intent) = World::with_hold();
    let bound = world.capture_message(&intent, usdc(10));
    world.succeed(&[world.capture_part(&intent, usdc(4), &bound)]);
    world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    world.refuse(world.capture_as(&intent, &bound), EscrowError::CaptureDeadlinePassed);
    world.succeed(&[world.reclaim(&intent)]);
    assert_eq!((world.tokens(&world.receiver), world.escrow().balance), (usdc(4), usdc(96)));
}
