//! Consent given as signer of a transaction names the payment. After a session was closed and opened again, the same
//! nonce is the same hold address: a transaction that lingers can't hit the next payment there.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    error::EscrowError,
    instruction::{Charge, ChargeCapture, Consent},
    message::{Capture, Digest, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

#[test]
fn lingering_void_does_not_hit_the_next_payment_at_the_same_address() {
    let (mut world, old) = World::with_hold();
    let lingering = world.void_by(&old, 0, Consent::Signer);
    let new = opened_again(&mut world, &old);
    world.refuse(lingering, EscrowError::WrongConsent);
    assert_eq!(world.hold(&new).held(), usdc(10));
    world.succeed(&[world.void_by(&new, 0, Consent::Signer)]);
}

#[test]
fn lingering_capture_does_not_hit_the_next_payment_at_the_same_address() {
    let (mut world, old) = World::with_hold();
    let message = world.capture_message(&old, usdc(10));
    let lingering = [
        world.capture_by(&old, &message, Consent::Signer),
        world.capture_part_by(&old, usdc(1), &message, Consent::Signer),
        world.capture_by(&old, &Capture { fee: 1, ..message }, Consent::Signer),
    ];
    let new = opened_again(&mut world, &old);
    for instruction in lingering {
        world.refuse(instruction, EscrowError::WrongConsent);
    }
    assert_eq!(world.hold(&new).held(), usdc(10));
    let message = world.capture_message(&new, usdc(10));
    world.succeed(&[world.capture_by(&new, &message, Consent::Signer)]);
}

#[test]
fn lingering_charge_is_refused_by_the_intent_in_it_and_its_consents_by_the_payment_they_name() {
    let mut world = World::with_session();
    let old = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    let charge = |world: &World, intent: &Intent| {
        let capture = ChargeCapture::new(&world.capture_message(intent, usdc(4)), Consent::Signer);
        let release = Some(Consent::Signer);
        world.charge_as(intent, &Charge { amount: usdc(4), capture: Some(capture), release })
    };
    let lingering = charge(&world, &old);
    world.succeed(&[world.close_session(), world.open_session(&World::limits())]);
    world.refuse(lingering, EscrowError::InvalidSignature);
    // Nor can a new intent be put into the old transaction: its signers named the old payment.
    let new = Intent { flow: PaymentFlow::Authorization, ..world.intent() };
    let good = charge(&world, &new);
    for which in [0, 1] {
        world.refuse(naming(&good, &new.digest(), &old.digest(), which), EscrowError::WrongConsent);
    }
    world.succeed(&[good]);
}

#[test]
fn signer_of_one_hold_does_not_consent_to_another_of_the_same_session() {
    let (mut world, first) = World::with_hold();
    let second = Intent { nonce: 2, ..first };
    world.succeed(&[world.authorize(&second)]);
    let message = world.capture_message(&first, usdc(4));
    for mut elsewhere in
        [world.capture_by(&first, &message, Consent::Signer), world.void_by(&first, usdc(4), Consent::Signer)]
    {
        elsewhere.accounts[2].pubkey = world.hold_address(&second);
        world.refuse(elsewhere, EscrowError::WrongConsent);
    }
}

/// Ends the hold, closes the session and opens it again, and holds the usual intent once more.
fn opened_again(world: &mut World, old: &Intent) -> Intent {
    world.succeed(&[world.void(old, 0), world.close_session()]);
    world.succeed(&[world.open_session(&World::limits())]);
    let new = world.intent();
    world.succeed(&[world.authorize(&new)]);
    assert_eq!(world.hold_address(&new), world.hold_address(old));
    assert_ne!(new.digest(), old.digest());
    new
}

/// The instruction whose signer, the first or the second, names `to` instead of `from`.
pub(super) fn naming(instruction: &Instruction, from: &Digest, to: &Digest, which: usize) -> Instruction {
    let mut changed = instruction.clone();
    let places = instruction.data.windows(from.len()).enumerate().filter(|(_, bytes)| bytes == from);
    let (start, _) = places.clone().nth(which).expect("the signer names the payment");
    changed.data[start..start + to.len()].copy_from_slice(to);
    changed
}
