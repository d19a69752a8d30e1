//! Sessions that may only pay the receivers in a list, and no fees.

use solana_sha256_hasher::hashv;
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{Charge, SessionLimits},
    message::{Digest, Intent, PaymentFlow},
    receivers::{MAXIMUM_PROOF_HASHES, MAXIMUM_RECEIVERS, ReceiverList},
};
use x402_escrow_tests::{
    keys::test_seed,
    svm::{World, usdc},
};

#[test]
fn listed_receiver_is_paid_by_hold_and_by_charge_whatever_the_lists_length() {
    for count in [1, 2, 3, 1_000, MAXIMUM_RECEIVERS] {
        let (mut world, list) = limited(count);
        let (intent, charged) = intents(&world);
        let proof = list.proof(&world.receiver).unwrap();
        world.succeed(&[world.authorize_listed(&intent, &proof)]);
        world.succeed(&[world.charge_listed(&charged, &proof, &by_intent(&charged))]);
        world.succeed(&[world.capture(&intent, usdc(10))]);
        assert_eq!(world.tokens(&world.receiver), usdc(20), "{count}");
    }
}

#[test]
fn single_receiver_is_a_list_of_one_and_needs_no_proof() {
    let (mut world, list) = limited(1);
    assert_eq!(list.proof(&world.receiver), Some(Vec::new()));
    let (intent, charged) = intents(&world);
    world.succeed(&[world.authorize(&intent)]);
    world.succeed(&[world.charge_as(&charged, &by_intent(&charged))]);
    assert_eq!(world.escrow().held, usdc(10));
}

#[test]
fn receiver_that_is_not_in_the_list_refused_with_any_proof() {
    for count in [1, 2, 1_000] {
        let (mut world, list) = limited(count);
        let (intent, charged) = intents(&world);
        let stranger = world.stranger;
        let [intent, charged] = [intent, charged].map(|intent| Intent { receiver: stranger, ..intent });
        let listed = list.proof(&world.receiver).unwrap();
        let own = ReceiverList::new(vec![stranger, world.receiver]).unwrap().proof(&stranger).unwrap();
        for proof in [Vec::new(), listed, own, vec![list.root()]] {
            world.refuse(world.authorize_listed(&intent, &proof), EscrowError::ReceiverNotListed);
            let charge = world.charge_listed(&charged, &proof, &by_intent(&charged));
            world.refuse(charge, EscrowError::ReceiverNotListed);
        }
        assert_eq!(world.escrow().balance, World::DEPOSIT);
    }
}

#[test]
fn proof_that_was_changed_cut_or_lengthened_refused() {
    let (mut world, list) = limited(1_000);
    let (intent, _) = intents(&world);
    let good = list.proof(&world.receiver).unwrap();
    let mut wrong = vec![Vec::new(), good[1..].to_vec(), good[..good.len() - 1].to_vec()];
    wrong.push([&good[..], &[[0; 32]]].concat());
    wrong.push(good.iter().rev().copied().collect());
    wrong.extend((0..good.len()).map(|index| {
        let mut changed = good.clone();
        changed[index][31] ^= 1;
        changed
    }));
    for proof in wrong {
        world.refuse(world.authorize_listed(&intent, &proof), EscrowError::ReceiverNotListed);
    }
    world.succeed(&[world.authorize_listed(&intent, &good)]);
}

#[test]
fn proof_of_the_longest_length_accepted_and_one_hash_more_refused() {
    let (mut world, list) = limited(MAXIMUM_RECEIVERS);
    let good = list.proof(&world.receiver).unwrap();
    assert_eq!(good.len(), MAXIMUM_PROOF_HASHES);
    let (intent, _) = intents(&world);
    // A root one row higher, as of a list of 8,192, which the proof would lead to.
    let longer = [&good[..], &[[7; 32]]].concat();
    let root = node(&list.root(), &[7; 32]);
    world.succeed(&[world.update_session(&SessionLimits { receivers_root: root, ..World::limits() })]);
    world.refuse(world.authorize_listed(&intent, &longer), EscrowError::ReceiverNotListed);
    let restored = SessionLimits { receivers_root: list.root(), ..World::limits() };
    world.succeed(&[world.update_session(&restored)]);
    world.succeed(&[world.authorize_listed(&intent, &good)]);
}

#[test]
fn inner_node_of_the_tree_is_no_receiver() {
    let (mut world, list) = limited(4);
    let first = list.receivers()[0];
    let [sibling, above] = list.proof(&first).unwrap().try_into().unwrap();
    let leaf = hashv(&[&[0], first.as_ref()]).to_bytes();
    let inner = node(&leaf, &sibling);
    assert_eq!(node(&inner, &above), list.root());
    let (intent, _) = intents(&world);
    for (receiver, proof) in [(inner, vec![above]), (list.root(), vec![]), (leaf, vec![sibling, above])] {
        let intent = Intent { receiver: Address::new_from_array(receiver), ..intent };
        world.refuse(world.authorize_listed(&intent, &proof), EscrowError::ReceiverNotListed);
    }
}

#[test]
fn session_with_a_list_allows_no_fee_even_to_a_listed_receiver() {
    let (mut world, list) = limited(2);
    let proof = list.proof(&world.receiver).unwrap();
    let (intent, charged) = intents(&world);
    let other = *list.receivers().iter().find(|receiver| **receiver != world.receiver).unwrap();
    for fee_recipient in [world.stranger, other, world.agent] {
        let with_fee = Intent { fee_recipient, maximum_fee_bps: 1, ..intent };
        world.refuse(world.authorize_listed(&with_fee, &proof), EscrowError::FeeNotAllowed);
        let with_fee = Intent { fee_recipient, maximum_fee_bps: 10_000, ..charged };
        let charge = world.charge_listed(&with_fee, &proof, &by_intent(&with_fee));
        world.refuse(charge, EscrowError::FeeNotAllowed);
    }
    world.succeed(&[world.authorize_listed(&intent, &proof)]);
}

#[test]
fn proof_where_there_is_no_list_is_read_over() {
    let mut world = World::with_session();
    let (intent, _) = intents(&world);
    world.succeed(&[world.authorize_listed(&intent, &[[1; 32], [2; 32]])]);
}

#[test]
fn list_can_be_changed_and_taken_away_and_holds_are_none_the_worse() {
    let (mut world, list) = limited(3);
    let proof = list.proof(&world.receiver).unwrap();
    let (first, _) = intents(&world);
    let second = Intent { nonce: 3, ..first };
    world.succeed(&[world.authorize_listed(&first, &proof)]);
    let others =
        ReceiverList::new(list.receivers().iter().copied().filter(|r| *r != world.receiver).collect());
    let others = SessionLimits { receivers_root: others.unwrap().root(), ..World::limits() };
    world.succeed(&[world.update_session(&others)]);
    world.refuse(world.authorize_listed(&second, &proof), EscrowError::ReceiverNotListed);
    world.succeed(&[world.capture(&first, usdc(10))]);
    world.succeed(&[world.update_session(&World::limits()), world.authorize(&second)]);
}

#[test]
fn a_thousand_listed_receivers_cost_at_most_4000_compute_units_more() {
    let units = |count| {
        let (mut world, list) = limited(count);
        let (intent, _) = intents(&world);
        let proof = list.proof(&world.receiver).unwrap();
        world.succeed(&[world.authorize_listed(&intent, &proof)]).compute_units
    };
    let mut world = World::with_session();
    let (intent, _) = intents(&world);
    let anyone = world.succeed(&[world.authorize(&intent)]).compute_units;
    let (one, thousand) = (units(1), units(1_000));
    println!("anyone {anyone}, one receiver {one}, a thousand {thousand}");
    assert!(thousand <= anyone + 4_000, "{anyone} {thousand}");
}

/// A session that may pay `count` receivers, the usual one among them.
fn limited(count: usize) -> (World, ReceiverList) {
    let receiver = World::new().receiver;
    let others = (1..count).map(|number| Address::new_from_array(test_seed(&format!("listed {number}"))));
    let list = ReceiverList::new(others.chain([receiver]).collect()).unwrap();
    assert_eq!(list.receivers().len(), count);
    let limits = SessionLimits { receivers_root: list.root(), ..World::limits() };
    (World::with_session_of(limits), list)
}

/// Two intents without a fee: to be held, and to be charged by itself.
fn intents(world: &World) -> (Intent, Intent) {
    let held = Intent { maximum_fee_bps: 0, ..world.intent() };
    let flow = PaymentFlow::Authorization;
    (held, Intent { nonce: 2, flow, capture_authorizer: world.agent, ..held })
}

fn by_intent(intent: &Intent) -> Charge {
    Charge { amount: intent.amount, capture: None, release: None }
}

/// The hash above two others, as docs/messages.md has it.
fn node(one: &Digest, other: &Digest) -> Digest {
    let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
    hashv(&[&[1], lower, higher]).to_bytes()
}
