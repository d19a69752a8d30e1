//! What a thief takes that has one of the keys, and what it can't. Session key and guardian have files of their own.

use solana_sdk::instruction::InstructionError;
use spl_token_interface::{
    error::TokenError,
    instruction::{self as token, AuthorityType},
};
use x402_escrow_interface::{
    address::TOKEN_PROGRAM_ID,
    error::EscrowError,
    instruction::{Charge, Consent},
    message::{Capture, Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

use super::thief::{BEFORE, FEE, Scene, Tokens};

#[test]
fn stolen_payer_takes_what_is_free_at_once_and_nothing_that_is_held() {
    let mut scene = Scene::new();
    let payer = scene.world.payer;
    scene.refuses_the_rest(&[payer]);

    let destination = scene.world.token_account(&scene.thief);
    let one_more = scene.world.withdraw_to(&destination, Some(usdc(85) + 1));
    scene.world.refuse(one_more, EscrowError::InsufficientFreeBalance);
    scene.world.succeed(&[scene.world.withdraw_to(&destination, Some(usdc(80)))]);
    // A session of its own takes no more either.
    let own = scene.session_of_the_thief();
    let [rest, one_more] = [usdc(5), usdc(5) + 1].map(|amount| Intent { amount, ..own });
    scene.world.refuse(scene.world.charge(&one_more), EscrowError::InsufficientFreeBalance);
    scene.world.succeed(&[scene.world.charge(&rest)]);
    scene.take_tokens(&payer);
    let taken = Tokens { payer: 0, escrow: usdc(11), thief: BEFORE.thief + usdc(85 + 900), ..BEFORE };
    assert_eq!(scene.tokens(), taken);

    let more = scene.world.withdraw_to(&destination, None);
    scene.world.refuse(more, EscrowError::NothingToWithdraw);
    scene.world.refuse(scene.world.close_session(), EscrowError::SessionHasHolds);
    scene.world.refuse(scene.world.close_escrow(), EscrowError::EscrowHasSessions);
    scene.world.succeed(&[scene.capture(usdc(10))]);
    scene.pays_the_other_merchant();
    let paid = Tokens { escrow: 0, receiver: BEFORE.receiver + usdc(6), other_merchant: usdc(5), ..taken };
    assert_eq!(scene.tokens(), paid);
}

#[test]
fn stolen_payer_takes_a_hold_that_nobody_captured_in_time() {
    let mut scene = Scene::new();
    scene.world.chain.set_time(World::CAPTURE_DEADLINE + 1);
    let destination = scene.world.token_account(&scene.thief);
    let withdraw = scene.world.withdraw_to(&destination, None);
    scene.world.succeed(&[scene.world.reclaim(&scene.intent), scene.world.reclaim(&scene.others), withdraw]);
    assert_eq!(scene.tokens(), Tokens { escrow: 0, thief: BEFORE.thief + usdc(96), ..BEFORE });
}

#[test]
fn stolen_receiver_takes_what_it_is_paid_until_the_rest_is_voided() {
    let mut scene = Scene::new();
    let receiver = scene.world.receiver;
    scene.refuses_the_rest(&[receiver]);

    scene.take_tokens(&receiver);
    // A token account keeps its address when it gets another owner: what is captured goes there all the same.
    let account = scene.world.token_account(&receiver);
    let owner = Some(&scene.thief);
    let set_owner =
        token::set_authority(&TOKEN_PROGRAM_ID, &account, owner, AuthorityType::AccountOwner, &receiver, &[]);
    scene.world.succeed(&[set_owner.unwrap()]);
    let rest = scene.capture(usdc(10));
    scene.world.succeed(&[scene.capture(usdc(6))]);
    scene.take_tokens(&receiver);
    scene.world.succeed(&[scene.world.void(&scene.intent, usdc(6))]);
    scene.world.refuse(rest, InstructionError::AccountDataTooSmall);

    let taken = BEFORE.receiver + usdc(2);
    assert_eq!(
        scene.tokens(),
        Tokens { escrow: usdc(94), receiver: 0, thief: BEFORE.thief + taken, ..BEFORE }
    );
    assert_eq!(scene.world.escrow().held, usdc(5));
}

#[test]
fn stolen_capture_authorizer_pays_the_receiver_and_nobody_else() {
    let mut scene = Scene::new();
    scene.refuses_the_rest(&[scene.world.capture_authorizer]);

    let fee = usdc(10) / 100;
    let all = Capture { fee: u64::MAX, ..scene.world.capture_message(&scene.intent, u64::MAX) };
    let last = Capture { amount: usdc(4), fee: FEE, last: true, ..all };
    scene.world.refuse(scene.world.capture_as(&scene.intent, &last), EscrowError::LastCaptureNotAllowed);
    let mut own_fee = scene.world.capture_as(&scene.intent, &all);
    let fee_slot = own_fee.accounts.len() - 1;
    own_fee.accounts[fee_slot].pubkey = scene.world.token_account(&scene.thief);
    scene.world.refuse(own_fee, EscrowError::WrongFeeTokenAccount);

    scene.world.succeed(&[scene.world.capture_as(&scene.intent, &all), scene.capture_of_rival(usdc(1))]);
    let captured = Tokens {
        escrow: usdc(90),
        receiver: usdc(10 + 1) - fee,
        fee_recipient: fee,
        rival: usdc(49),
        ..BEFORE
    };
    assert_eq!(scene.tokens(), captured);

    // The receiver can give back what should not have been captured.
    scene.world.succeed(&[scene.world.refund(&scene.intent, usdc(6))]);
    assert_eq!(
        scene.tokens(),
        Tokens { escrow: usdc(96), receiver: captured.receiver - usdc(6), ..captured }
    );
}

#[test]
fn stolen_receiver_authorizer_gives_back_what_is_not_captured_and_takes_nothing() {
    let mut scene = Scene::new();
    scene.refuses_the_rest(&[scene.world.receiver_authorizer]);

    // What is captured stays captured, whatever it releases.
    scene.world.succeed(&[scene.world.void(&scene.intent, 0), scene.void_of_rival()]);
    assert_eq!(scene.tokens(), BEFORE);
    assert_eq!(scene.world.escrow().held, usdc(5));

    // A charge that it sees, with the capture for it, can be made smaller.
    let intent = Intent { nonce: 3, flow: PaymentFlow::Authorization, ..scene.world.intent() };
    let release = Some(Consent::Signature(scene.world.sign_release(&intent, 1)));
    let message = scene.world.capture_message(&intent, intent.amount);
    let capture = Some(scene.world.charge_capture(&intent, &message));
    let unconsented = Charge { amount: 1, capture: None, release };
    scene.world.refuse(scene.world.charge_as(&intent, &unconsented), EscrowError::MissingCapture);
    let least = Charge { amount: 1, capture, release };
    scene.world.succeed(&[scene.world.charge_as(&intent, &least)]);
    scene.world.refuse(scene.world.charge(&intent), EscrowError::NonceUsed);
    let charged = Tokens { escrow: BEFORE.escrow - 1, receiver: BEFORE.receiver + 1, ..BEFORE };
    assert_eq!(scene.tokens(), charged);
}

#[test]
fn stolen_fee_payer_takes_its_own_lamports_and_no_token() {
    let mut scene = Scene::new();
    let (relay, thief) = (scene.world.relay, scene.thief);
    scene.refuses_the_rest(&[relay]);

    let (lamports, before) = (scene.world.chain.lamports(&relay), scene.world.chain.lamports(&thief));
    scene.take_lamports(&relay);
    assert_eq!(scene.tokens(), BEFORE);
    // The rent that it advanced comes back to it, when others end the hold.
    scene.pays_the_other_merchant();
    scene.take_lamports(&relay);
    let rent = scene.world.chain.rent(HOLD_BYTES);
    assert_eq!(scene.world.chain.lamports(&thief), before + lamports + rent);
    // Another relay carries on.
    scene.world.succeed(&[scene.capture(usdc(10))]);
}

#[test]
fn stolen_fee_recipient_takes_the_fees_and_nothing_else() {
    let mut scene = Scene::new();
    let fee_recipient = scene.world.fee_recipient;
    scene.refuses_the_rest(&[fee_recipient]);
    scene.take_tokens(&fee_recipient);
    // No more than the capture authorizer gives it.
    let all = Capture { fee: 2 * FEE, ..scene.world.capture_message(&scene.intent, usdc(10)) };
    scene.world.succeed(&[scene.world.capture_as(&scene.intent, &all)]);
    scene.take_tokens(&fee_recipient);
    let after = Tokens {
        escrow: usdc(90),
        receiver: usdc(10) - 2 * FEE,
        fee_recipient: 0,
        thief: BEFORE.thief + 2 * FEE,
        ..BEFORE
    };
    assert_eq!(scene.tokens(), after);
}

#[test]
fn stolen_merchants_server_pays_its_receiver_or_gives_back() {
    for (captured, receiver) in [(usdc(10), usdc(10)), (0, 0)] {
        let mut world = World::with_session();
        // One key on the server is both authorizers; the receiver's is elsewhere.
        let key = world.capture_authorizer;
        let intent = Intent { receiver_authorizer: key, ..world.intent() };
        world.succeed(&[world.authorize(&intent)]);
        let capture = Capture { last: true, ..world.capture_message(&intent, captured) };
        let mut elsewhere = world.capture_as(&intent, &capture);
        elsewhere.accounts[4].pubkey = world.token_account(&world.stranger);
        world.refuse(elsewhere, EscrowError::WrongReceiverTokenAccount);
        world.succeed(&[world.capture_as(&intent, &capture)]);
        assert_eq!(world.tokens(&world.receiver), receiver);
        assert_eq!(world.tokens(&world.escrow), World::DEPOSIT - receiver);
        assert_eq!((world.escrow().held, world.tokens(&world.stranger)), (0, usdc(100)));
        // What the receiver has takes the receiver's own signature to give back: the token program asks for it.
        if receiver > 0 {
            let mut refund = world.refund(&intent, 1);
            refund.accounts[0].pubkey = key;
            world.refuse(refund, TokenError::OwnerMismatch);
        }
    }
}
