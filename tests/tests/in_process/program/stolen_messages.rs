//! What those who see or carry signed messages can do with them: a verifier, its database, a node.

use solana_sdk::instruction::InstructionError;
use x402_escrow_interface::{
    error::EscrowError,
    instruction::{self, Consent},
    message::{Capture, Intent},
};
use x402_escrow_tests::svm::{World, usdc};

use super::thief::{BEFORE, FEE, Scene, Tokens};

#[test]
fn stolen_messages_do_what_was_signed_and_nothing_else() {
    let mut scene = Scene::new();
    let (world, intent) = (&scene.world, scene.intent);
    // What a verifier's database or a node has seen: spent messages, and some that were not sent yet.
    let spent = [world.authorize(&intent)];
    let next = Intent { nonce: 3, ..world.intent() };
    let signature = world.sign_intent(&next);
    let nine = Capture { fee: FEE, ..world.capture_message(&intent, usdc(9)) };
    let nine_signature = world.chain.sign(&intent.capture_authorizer, &nine.signed_bytes());
    let [six, captured_nine] = [usdc(6), usdc(9)].map(|amount| scene.capture(amount));
    let release = world.sign_release(&intent, usdc(6));

    // Nothing in them can be changed, and none counts for another payment.
    for altered in [
        Intent { amount: usdc(11), ..next },
        Intent { receiver: scene.thief, ..next },
        Intent { capture_authorizer: scene.thief, ..next },
        Intent { nonce: 4, ..next },
        Intent { authorize_by: next.authorize_by + 1, ..next },
    ] {
        let authorize = instruction::authorize(&scene.thief, &altered, &signature, &[]);
        scene.world.refuse(authorize, EscrowError::InvalidSignature);
    }
    let ten = Capture { amount: usdc(10), ..nine };
    let proof = Consent::Signature(nine_signature);
    scene.world.refuse(scene.world.capture_by(&intent, &ten, proof), EscrowError::InvalidSignature);
    let five = Capture { amount: usdc(5), ..nine };
    scene.world.refuse(scene.world.capture_by(&scene.others, &five, proof), EscrowError::InvalidSignature);
    let void = scene.world.void_by(&intent, usdc(4), Consent::Signature(release));
    scene.world.refuse(void, EscrowError::InvalidSignature);

    // In the order that pays most: the highest capture, and the hold that the payer wanted. Whatever is sent again after
    // that changes nothing.
    let authorize = instruction::authorize(&scene.thief, &next, &signature, &[]);
    scene.world.succeed(&[captured_nine.clone(), authorize.clone()]);
    let before = scene.world.escrow();
    scene.world.succeed(&[captured_nine, six, authorize]);
    scene.world.succeed(&spent);
    assert_eq!(scene.world.escrow(), before);
    let after = Tokens { escrow: usdc(91), receiver: usdc(9) - FEE, fee_recipient: FEE, ..BEFORE };
    assert_eq!(scene.tokens(), after);
    assert_eq!(scene.world.escrow().held, usdc(10 + 5 + 1));
}

#[test]
fn withheld_messages_expire_and_the_money_goes_back() {
    let mut scene = Scene::new();
    let world = &scene.world;
    let next = world.authorize(&Intent { nonce: 3, ..world.intent() });
    let capture = scene.capture(usdc(10));
    scene.world.chain.set_time(World::AUTHORIZE_BY + 1);
    scene.world.refuse(next, EscrowError::IntentExpired);
    scene.world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    scene.world.refuse(capture, EscrowError::CaptureDeadlinePassed);
    scene.world.succeed(&[scene.world.reclaim(&scene.intent), scene.world.reclaim(&scene.others)]);
    assert_eq!(scene.tokens(), BEFORE);
    assert_eq!(scene.world.escrow().held, 0);
    assert!(!scene.world.hold_exists(&scene.intent) && !scene.world.hold_exists(&scene.others));
}

#[test]
fn node_that_lies_about_the_incarnation_gets_signatures_that_count_nowhere() {
    let mut world = World::with_session();
    let lie = world.intent_of([7; 32]);
    let signature = world.sign_intent(&lie);
    for intent in [lie, world.intent()] {
        let authorize = instruction::authorize(&world.relay, &intent, &signature, &[]);
        world.refuse(authorize, EscrowError::InvalidSignature);
    }
    // Nor can it make accounts that the program takes for its own.
    let forged = world.chain.forge(&world.session);
    let mut authorize = world.authorize(&world.intent());
    authorize.accounts[2].pubkey = forged;
    world.refuse(authorize, InstructionError::IllegalOwner);
    assert_eq!(world.escrow().held, 0);
}
