//! What a thief takes that has every key of a payment but one. Nobody else loses: the other merchant's hold in the same
//! escrow and the other payer's escrow stay as they are, but for what that payer holds for the receiver.

use solana_sdk::instruction::Instruction;
use spl_token_interface::{error::TokenError, instruction as token};
use x402_escrow_interface::{Address, address::TOKEN_PROGRAM_ID, error::EscrowError};
use x402_escrow_tests::svm::{HOLD_BYTES, World, usdc};

use super::thief::{BEFORE, FEE, Scene, Tokens};

/// All of the payer's and the receiver's: what is left are the 5 USDC held for the other merchant, and the other
/// payer's, who held 1 USDC for the receiver.
const ALL_TAKEN: Tokens = Tokens {
    payer: 0,
    escrow: usdc(5),
    receiver: 0,
    fee_recipient: 0,
    other_merchant: 0,
    rival: usdc(49),
    thief: BEFORE.thief + usdc(900 + 85 + 10 + 1),
};

/// The same where holds can be given back but not captured: the payer's hold is taken as free balance, and the other
/// payer keeps what it held.
const ALL_TAKEN_UNCAPTURED: Tokens =
    Tokens { rival: usdc(50), thief: ALL_TAKEN.thief - usdc(1), ..ALL_TAKEN };

#[test]
fn without_the_payers_key_the_rest_of_the_balance_is_out_of_reach() {
    let (mut scene, _) = looted(|world| world.payer);
    let taken = usdc(10 + 1) + usdc(35);
    let after = Tokens {
        escrow: usdc(55),
        receiver: 0,
        fee_recipient: 0,
        rival: usdc(49),
        thief: BEFORE.thief + taken,
        ..BEFORE
    };
    assert_eq!(scene.tokens(), after);
    let more = scene.to_thief(1, 5);
    scene.world.refuse(scene.world.charge(&more), EscrowError::TotalLimitExceeded);

    let world = &mut scene.world;
    world.succeed(&[world.revoke_session()]);
    world.refuse(world.charge(&more), EscrowError::SessionRevoked);
    scene.pays_the_other_merchant();
    let world = &mut scene.world;
    world.succeed(&[world.withdraw(None)]);
    assert_eq!(scene.tokens(), Tokens { payer: usdc(950), escrow: 0, other_merchant: usdc(5), ..after });
}

#[test]
fn without_the_session_key_nothing_is_spent_in_its_name_and_the_payers_takes_all_the_same() {
    let (mut scene, _) = looted(|world| world.agent);
    assert_eq!(scene.tokens(), ALL_TAKEN);
    let agents_session = scene.world.session();
    assert_eq!((agents_session.spent, agents_session.highest_nonce), (usdc(15), 2));
    scene.pays_the_other_merchant();
}

#[test]
fn without_the_capture_authorizers_key_holds_go_back_but_not_to_the_receiver() {
    let (mut scene, _) = looted(|world| world.capture_authorizer);
    assert_eq!(scene.tokens(), ALL_TAKEN_UNCAPTURED);
    assert!(!scene.world.hold_exists(&scene.intent), "it ended at what was captured");
    scene.pays_the_other_merchant();
}

#[test]
fn without_the_receiver_authorizers_key_holds_are_captured_but_not_given_back() {
    let (mut scene, _) = looted(|world| world.receiver_authorizer);
    assert_eq!(scene.tokens(), ALL_TAKEN);
    assert!(!scene.world.hold_exists(&scene.intent), "it is captured in full");
    scene.pays_the_other_merchant();
}

#[test]
fn without_the_receivers_key_it_keeps_what_it_was_paid() {
    let (mut scene, stolen) = looted(|world| world.receiver);
    let kept = BEFORE.receiver;
    assert_eq!(
        scene.tokens(),
        Tokens { receiver: kept, thief: ALL_TAKEN_UNCAPTURED.thief - kept, ..ALL_TAKEN_UNCAPTURED }
    );
    let receiver = scene.world.receiver;
    for key in stolen {
        let transfer = transfer(&scene, &receiver, &key, kept);
        scene.world.refuse(transfer, TokenError::OwnerMismatch);
    }
    scene.pays_the_other_merchant();
}

#[test]
fn without_the_fee_recipients_key_it_keeps_its_fees() {
    let (mut scene, stolen) = looted(|world| world.fee_recipient);
    assert_eq!(scene.tokens(), Tokens { fee_recipient: FEE, thief: ALL_TAKEN.thief - FEE, ..ALL_TAKEN });
    let fee_recipient = scene.world.fee_recipient;
    for key in stolen {
        let transfer = transfer(&scene, &fee_recipient, &key, FEE);
        scene.world.refuse(transfer, TokenError::OwnerMismatch);
    }
    scene.pays_the_other_merchant();
}

#[test]
fn without_the_fee_payers_key_it_keeps_its_lamports_and_gets_its_rent_back() {
    let scene = Scene::new();
    let before = scene.world.chain.lamports(&scene.world.relay);
    let (mut scene, _) = looted(|world| world.relay);
    assert_eq!(scene.tokens(), ALL_TAKEN);
    // The two holds for the receiver are captured in full.
    let after_two = before + 2 * scene.world.chain.rent(HOLD_BYTES);
    assert_eq!(scene.world.chain.lamports(&scene.world.relay), after_two);
    scene.pays_the_other_merchant();
    let after_three = after_two + scene.world.chain.rent(HOLD_BYTES);
    assert_eq!(scene.world.chain.lamports(&scene.world.relay), after_three);
}

#[test]
fn without_the_guardians_key_it_stops_sessions_until_the_payers_removes_it() {
    let mut scene = Scene::new();
    let (guardian, slot) = (scene.world.guardian, scene.world.chain.slot());
    let stolen = scene.all_keys_but(&guardian);
    scene.refuses_the_rest(&stolen);
    let own = scene.session_of_the_thief();
    let all = scene.world.sign_revoke(&guardian, &scene.world.revoke_all_message(slot));
    scene.world.succeed(&[scene.world.revoke_sessions_by(&guardian, slot, all)]);
    for intent in [scene.to_thief(1, 3), own] {
        scene.world.refuse(scene.world.charge(&intent), EscrowError::SessionRevoked);
    }
    // The payer's key needs no session.
    let destination = scene.world.token_account(&scene.thief);
    scene.world.succeed(&[
        scene.world.set_guardian(&Address::default()),
        scene.capture(usdc(10)),
        scene.world.withdraw_to(&destination, None),
    ]);
    assert_eq!(scene.world.escrow().balance, usdc(5));
    scene.pays_the_other_merchant();
}

#[test]
fn with_every_key_the_other_merchant_and_the_other_payer_are_out_of_reach() {
    let mut scene = Scene::new();
    let stolen = scene.all_keys();
    scene.refuses_the_rest(&stolen);
    scene.loot(&stolen);
    assert_eq!(scene.tokens(), ALL_TAKEN);
    scene.pays_the_other_merchant();
}

/// A scene after the thief, who has all keys but this one, tried everything else and took what it could.
fn looted(kept: impl FnOnce(&World) -> Address) -> (Scene, Vec<Address>) {
    let mut scene = Scene::new();
    let stolen = scene.all_keys_but(&kept(&scene.world));
    scene.refuses_the_rest(&stolen);
    scene.loot(&stolen);
    (scene, stolen)
}

/// A plain transfer from `owner`'s account to the thief's, signed by `key`.
fn transfer(scene: &Scene, owner: &Address, key: &Address, amount: u64) -> Instruction {
    let [from, to] = [owner, &scene.thief].map(|owner| scene.world.token_account(owner));
    token::transfer(&TOKEN_PROGRAM_ID, &from, &to, key, &[], amount).unwrap()
}
