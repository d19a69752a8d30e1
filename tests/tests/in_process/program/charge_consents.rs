//! Whose consent a charge needs: the capture authorizer's to every token that moves, and to less than the intent's amount
//! the receiver authorizer's.

use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{Charge, ChargeCapture, Consent},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

use super::lingering_signers::naming;

#[test]
fn session_key_as_capture_authorizer_has_consented_to_the_whole_amount_by_its_intent() {
    let (mut world, intent) = ready(|world| (world.agent, world.receiver_authorizer));
    world.succeed(&[world.charge_as(&intent, &whole())]);
    assert_eq!(world.tokens(&world.receiver), usdc(10));
}

#[test]
fn session_key_as_capture_authorizer_leaves_less_to_the_receiver_authorizer() {
    let (mut world, intent) = ready(|world| (world.agent, world.receiver_authorizer));
    let less = Charge { amount: usdc(4), ..whole() };
    world.refuse(world.charge_as(&intent, &less), EscrowError::MissingRelease);
    let by_agent = world.sign_release(&Intent { receiver_authorizer: world.agent, ..intent }, usdc(4));
    for forged in [by_agent, world.sign_release(&intent, usdc(4) + 1)] {
        let charge = Charge { release: Some(Consent::Signature(forged)), ..less };
        world.refuse(world.charge_as(&intent, &charge), EscrowError::InvalidSignature);
    }
    let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
    world.succeed(&[world.charge_as(&intent, &Charge { release, ..less })]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn session_key_as_capture_authorizer_allows_no_fee_without_a_capture() {
    let (mut world, intent) = ready(|world| (world.agent, world.receiver_authorizer));
    let message = Capture { fee: 1_000, ..world.capture_message(&intent, usdc(10)) };
    let unsigned = ChargeCapture::new(&message, Consent::Signature([0; 64]));
    let charge = Charge { capture: Some(unsigned), ..whole() };
    world.refuse(world.charge_as(&intent, &charge), EscrowError::InvalidSignature);
    let charge = Charge { capture: Some(world.charge_capture(&intent, &message)), ..whole() };
    world.succeed(&[world.charge_as(&intent, &charge)]);
    assert_eq!(world.tokens(&world.fee_recipient), 1_000);
}

#[test]
fn whoever_sees_an_intent_for_at_most_x_can_not_charge_x() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    world.refuse(world.charge_as(&intent, &whole()), EscrowError::MissingCapture);
    // The capture authorizer agreed to 4, and only the receiver authorizer could end there.
    let four = world.charge_capture(&intent, &world.capture_message(&intent, usdc(4)));
    let above = Charge { capture: Some(four), ..whole() };
    world.refuse(world.charge_as(&intent, &above), EscrowError::CaptureAboveBound);
    let unreleased = Charge { amount: usdc(4), ..above };
    world.refuse(world.charge_as(&intent, &unreleased), EscrowError::MissingRelease);
    let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
    world.succeed(&[world.charge_as(&intent, &Charge { release, ..unreleased })]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
}

#[test]
fn release_alone_moves_nothing() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
    let charge = Charge { amount: usdc(4), capture: None, release };
    world.refuse(world.charge_as(&intent, &charge), EscrowError::MissingCapture);
}

#[test]
fn another_key_consents_to_the_whole_amount_by_a_capture() {
    for consent in [None, Some(Consent::Signer)] {
        let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
        let message = world.capture_message(&intent, usdc(10));
        let consent = consent.unwrap_or_else(|| world.sign_capture(&intent, &message));
        let charge = Charge { capture: Some(ChargeCapture::new(&message, consent)), ..whole() };
        world.succeed(&[world.charge_as(&intent, &charge)]);
        assert_eq!(world.tokens(&world.receiver), usdc(10));
    }
}

#[test]
fn capture_with_a_higher_bound_and_a_release_charge_less() {
    for bound in [usdc(4), usdc(10), u64::MAX] {
        let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
        let capture = Some(world.charge_capture(&intent, &world.capture_message(&intent, bound)));
        let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
        world.succeed(&[world.charge_as(&intent, &Charge { amount: usdc(4), capture, release })]);
        assert_eq!((world.tokens(&world.receiver), world.session().spent), (usdc(4), usdc(4)));
    }
}

#[test]
fn one_key_with_a_last_capture_consents_to_the_amount_and_to_ending_there() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.capture_authorizer));
    let last = Capture { last: true, ..world.capture_message(&intent, usdc(4)) };
    let capture = Some(world.charge_capture(&intent, &last));
    for part in [1, usdc(4) - 1] {
        let charge = Charge { amount: part, capture, release: None };
        world.refuse(world.charge_as(&intent, &charge), EscrowError::LastCaptureNotInFull);
    }
    let above = Charge { amount: usdc(4) + 1, capture, release: None };
    world.refuse(world.charge_as(&intent, &above), EscrowError::CaptureAboveBound);
    let charge = Charge { amount: usdc(4), capture, release: None };
    let receipt = world.succeed(&[world.charge_as(&intent, &charge)]);
    assert_eq!(world.tokens(&world.receiver), usdc(4));
    assert!(receipt.compute_units <= 30_500, "{}", receipt.compute_units);
}

#[test]
fn one_key_with_a_capture_that_is_not_the_last_needs_its_release_too() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.capture_authorizer));
    let capture = Some(world.charge_capture(&intent, &world.capture_message(&intent, usdc(4))));
    let charge = Charge { amount: usdc(4), capture, release: None };
    world.refuse(world.charge_as(&intent, &charge), EscrowError::MissingRelease);
    let release = Some(Consent::Signature(world.sign_release(&intent, usdc(4))));
    world.succeed(&[world.charge_as(&intent, &Charge { release, ..charge })]);
}

#[test]
fn two_keys_can_not_end_a_charge_by_a_last_capture() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    for amount in [usdc(4), usdc(10)] {
        let last = Capture { last: true, ..world.capture_message(&intent, amount) };
        let capture = Some(world.charge_capture(&intent, &last));
        let charge = Charge { amount, capture, release: None };
        world.refuse(world.charge_as(&intent, &charge), EscrowError::LastCaptureNotAllowed);
    }
}

#[test]
fn less_with_a_fee_takes_both_consents_as_signers_or_signatures() {
    for by_signature in [false, true] {
        let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
        let (amount, fee) = (usdc(4), 40_000);
        let message = Capture { fee, ..world.capture_message(&intent, amount) };
        let (capture, release) = match by_signature {
            true => (
                world.sign_capture(&intent, &message),
                Consent::Signature(world.sign_release(&intent, amount)),
            ),
            false => (Consent::Signer, Consent::Signer),
        };
        let capture = Some(ChargeCapture::new(&message, capture));
        world.succeed(&[world.charge_as(&intent, &Charge { amount, capture, release: Some(release) })]);
        assert_eq!(world.tokens(&world.receiver), amount - fee);
        assert_eq!(world.tokens(&world.fee_recipient), fee);
    }
}

#[test]
fn remaining_accounts_are_found_by_their_address_in_any_order() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    let charge = by_signers(&world, &intent, usdc(4), 40_000);
    let mut turned = world.charge_as(&intent, &charge);
    turned.accounts[10..].reverse();
    world.succeed(&[turned]);
    assert_eq!(world.tokens(&world.fee_recipient), 40_000);
}

#[test]
fn authorizers_that_do_not_sign_the_transaction_refused() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    let charge = by_signers(&world, &intent, usdc(4), 0);
    let good = world.charge_as(&intent, &charge);
    for slot in [10, 11] {
        let mut not_signing = good.clone();
        not_signing.accounts[slot].is_signer = false;
        world.refuse(not_signing, EscrowError::MissingAuthorizer);
        let mut nobody = good.clone();
        nobody.accounts.remove(slot);
        world.refuse(nobody, EscrowError::MissingAuthorizer);
        for thief in [world.stranger, world.payer, world.agent, world.relay] {
            let mut stolen = good.clone();
            stolen.accounts[slot].pubkey = thief;
            world.refuse(stolen, EscrowError::MissingAuthorizer);
        }
    }
    world.succeed(&[good]);
}

#[test]
fn signers_that_name_another_payment_refused() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    let charge = by_signers(&world, &intent, usdc(4), 0);
    let good = world.charge_as(&intent, &charge);
    let other = Intent { nonce: 2, ..intent }.digest();
    for which in [0, 1] {
        world.refuse(naming(&good, &intent.digest(), &other, which), EscrowError::WrongConsent);
    }
    world.succeed(&[good]);
}

#[test]
fn capture_signed_over_other_fields_refused() {
    let (mut world, intent) = ready(|world| (world.capture_authorizer, world.receiver_authorizer));
    let message = Capture { fee: 1_000, ..world.capture_message(&intent, usdc(10)) };
    for wrong in [
        Capture { fee: 999, ..message },
        Capture { fee: 0, ..message },
        Capture { amount: usdc(9), ..message },
        Capture { last: true, ..message },
        Capture { intent_digest: [1; 32], ..message },
        Capture { intent_digest: Intent { flow: PaymentFlow::Escrow, ..intent }.digest(), ..message },
    ] {
        let consent = world.sign_capture(&intent, &wrong);
        let charge = Charge { capture: Some(ChargeCapture::new(&message, consent)), ..whole() };
        world.refuse(world.charge_as(&intent, &charge), EscrowError::InvalidSignature);
    }
    for thief in [world.agent, world.receiver_authorizer, world.receiver, world.stranger] {
        let signed_by = Intent { capture_authorizer: thief, ..intent };
        let consent = world.sign_capture(&signed_by, &message);
        let charge = Charge { capture: Some(ChargeCapture::new(&message, consent)), ..whole() };
        world.refuse(world.charge_as(&intent, &charge), EscrowError::InvalidSignature);
    }
    let charge = Charge { capture: Some(world.charge_capture(&intent, &message)), ..whole() };
    world.succeed(&[world.charge_as(&intent, &charge)]);
}

/// The whole of the intent by the intent alone.
fn whole() -> Charge {
    Charge { amount: usdc(10), capture: None, release: None }
}

/// Both authorizers sign the transaction, in this order.
fn by_signers(world: &World, intent: &Intent, amount: u64, fee: u64) -> Charge {
    let message = Capture { fee, ..world.capture_message(intent, amount) };
    let capture = Some(ChargeCapture::new(&message, Consent::Signer));
    Charge { amount, capture, release: Some(Consent::Signer) }
}

/// A session, and an intent of 10 USDC to be charged, with these capture and receiver authorizers.
fn ready(authorizers: impl FnOnce(&World) -> (Address, Address)) -> (World, Intent) {
    let world = World::with_session();
    let (capture_authorizer, receiver_authorizer) = authorizers(&world);
    let flow = PaymentFlow::Authorization;
    let intent = Intent { flow, capture_authorizer, receiver_authorizer, ..world.intent() };
    (world, intent)
}
