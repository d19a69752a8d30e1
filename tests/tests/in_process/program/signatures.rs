//! Which signatures count: each message by one key only, over every one of its fields.

use x402_escrow_interface::{
    Address, address,
    error::EscrowError,
    instruction::{self, Consent, Signature},
    message::{Capture, Intent, PaymentFlow, Release, Revoke, signed_bytes},
};
use x402_escrow_tests::{
    program_id,
    svm::{World, usdc},
};

/// The intent with each field changed in turn. The pattern names all of them, so that a new one can't be forgotten.
fn altered_intents(intent: Intent) -> Vec<(&'static str, Intent)> {
    let Intent {
        program,
        incarnation,
        escrow,
        session_key,
        receiver,
        capture_authorizer,
        receiver_authorizer,
        fee_recipient,
        resource_hash,
        amount,
        nonce,
        authorize_by,
        capture_deadline,
        refund_deadline,
        maximum_fee_bps,
        flow,
    } = intent;
    assert_eq!(flow, PaymentFlow::Escrow);
    vec![
        ("program", Intent { program: flipped(program), ..intent }),
        ("incarnation", Intent { incarnation: flipped_bit(incarnation), ..intent }),
        ("escrow", Intent { escrow: flipped(escrow), ..intent }),
        ("session_key", Intent { session_key: flipped(session_key), ..intent }),
        ("receiver", Intent { receiver: flipped(receiver), ..intent }),
        ("capture_authorizer", Intent { capture_authorizer: flipped(capture_authorizer), ..intent }),
        ("receiver_authorizer", Intent { receiver_authorizer: flipped(receiver_authorizer), ..intent }),
        ("fee_recipient", Intent { fee_recipient: flipped(fee_recipient), ..intent }),
        ("resource_hash", Intent { resource_hash: flipped_bit(resource_hash), ..intent }),
        ("amount", Intent { amount: amount + 1, ..intent }),
        ("nonce", Intent { nonce: nonce + 1, ..intent }),
        ("authorize_by", Intent { authorize_by: authorize_by + 1, ..intent }),
        ("capture_deadline", Intent { capture_deadline: capture_deadline + 1, ..intent }),
        ("refund_deadline", Intent { refund_deadline: refund_deadline + capture_deadline, ..intent }),
        ("maximum_fee_bps", Intent { maximum_fee_bps: maximum_fee_bps + 1, ..intent }),
        ("flow", Intent { flow: PaymentFlow::Authorization, ..intent }),
    ]
}

fn flipped(address: Address) -> Address {
    Address::new_from_array(flipped_bit(address.to_bytes()))
}

fn flipped_bit(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes[31] ^= 1;
    bytes
}

#[test]
fn signature_over_another_intent_refused_whichever_field_differs() {
    let mut world = World::with_session();
    let intent = world.intent();
    for (field, altered) in altered_intents(intent) {
        let signature = world.chain.sign(&world.agent, &altered.signed_bytes());
        println!("{field}");
        let authorize = instruction::authorize(&world.relay, &intent, &signature, &[]);
        world.refuse(authorize, EscrowError::InvalidSignature);
    }
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn intent_changed_after_it_was_signed_refused_whichever_field_changed() {
    // Incarnation, session key, program and flow are not the sender's to choose: the program knows them.
    const FIXED: [&str; 5] = ["program", "incarnation", "escrow", "session_key", "flow"];
    let mut world = World::with_session();
    let intent = world.intent();
    let signature = world.sign_intent(&intent);
    for (field, altered) in altered_intents(intent) {
        if !FIXED.contains(&field) {
            println!("{field}");
            let authorize = instruction::authorize(&world.relay, &altered, &signature, &[]);
            world.refuse(authorize, EscrowError::InvalidSignature);
        }
    }
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn intent_signed_by_anyone_but_the_session_key_refused() {
    let mut world = World::with_session();
    let second = world.chain.key("second agent");
    let limits = World::limits();
    world.succeed(&[world.open_session_of(&second, &limits)]);
    let intent = world.intent();
    // The payer's own key and the key of another session of the same escrow included.
    for thief in [world.payer, second, world.receiver, world.relay, world.stranger] {
        let signature = world.chain.sign(&thief, &intent.signed_bytes());
        let authorize = instruction::authorize(&world.relay, &intent, &signature, &[]);
        world.refuse(authorize, EscrowError::InvalidSignature);
    }
}

#[test]
fn capture_signature_over_other_fields_refused() {
    let mut world = World::with_session();
    let intent = Intent { receiver_authorizer: world.capture_authorizer, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    let good = Capture { fee: 10, ..world.capture_message(&intent, usdc(4)) };
    let Capture { intent_digest, amount, fee, last } = good;
    let altered = [
        Capture { intent_digest: flipped_bit(intent_digest), ..good },
        Capture { amount: amount + 1, ..good },
        Capture { amount: amount - 1, ..good },
        Capture { fee: fee + 1, ..good },
        Capture { fee: 0, ..good },
        Capture { last: !last, ..good },
    ];
    let sign = |world: &World, capture: &Capture| {
        Consent::Signature(world.chain.sign(&intent.capture_authorizer, &capture.signed_bytes()))
    };
    for other in altered {
        // Signed one thing, sent another; and the reverse.
        let signed_other = world.capture_by(&intent, &good, sign(&world, &other));
        world.refuse(signed_other, EscrowError::InvalidSignature);
        if other.intent_digest == intent_digest {
            let sent_other = world.capture_by(&intent, &other, sign(&world, &good));
            world.refuse(sent_other, EscrowError::InvalidSignature);
        }
    }
    world.succeed(&[world.capture_by(&intent, &good, sign(&world, &good))]);
}

#[test]
fn release_signature_over_other_fields_refused() {
    let (mut world, intent) = World::with_hold();
    let good = Release { intent_digest: intent.digest(), amount: usdc(4) };
    let Release { intent_digest, amount } = good;
    for other in [
        Release { intent_digest: flipped_bit(intent_digest), ..good },
        Release { amount: amount + 1, ..good },
        Release { amount: 0, ..good },
    ] {
        let signature = world.chain.sign(&intent.receiver_authorizer, &other.signed_bytes());
        let void = world.void_by(&intent, amount, Consent::Signature(signature));
        world.refuse(void, EscrowError::InvalidSignature);
    }
    world.succeed(&[world.void(&intent, amount)]);
}

#[test]
fn signature_over_one_kind_of_message_is_not_one_over_another() {
    let (mut world, intent) = World::with_hold();
    let capture = world.capture_message(&intent, usdc(4));
    for tag in [&Intent::TAG, &Release::TAG, &Revoke::TAG] {
        let signed = signed_bytes(tag, &capture.digest());
        let signature = world.chain.sign(&intent.capture_authorizer, &signed);
        let forged = world.capture_by(&intent, &capture, Consent::Signature(signature));
        world.refuse(forged, EscrowError::InvalidSignature);
    }
    let release = Release { intent_digest: intent.digest(), amount: 0 };
    for tag in [&Intent::TAG, &Capture::TAG, &Revoke::TAG] {
        let signed = signed_bytes(tag, &release.digest());
        let signature = world.chain.sign(&intent.receiver_authorizer, &signed);
        world.refuse(world.void_by(&intent, 0, Consent::Signature(signature)), EscrowError::InvalidSignature);
    }
    let next = Intent { nonce: 2, ..intent };
    for tag in [&Capture::TAG, &Release::TAG, &Revoke::TAG] {
        let signature = world.chain.sign(&world.agent, &signed_bytes(tag, &next.digest()));
        let forged = instruction::authorize(&world.relay, &next, &signature, &[]);
        world.refuse(forged, EscrowError::InvalidSignature);
    }
    let (payer, revoke) = (world.payer, world.revoke_message());
    for tag in [&Intent::TAG, &Capture::TAG, &Release::TAG] {
        let signature = world.chain.sign(&payer, &signed_bytes(tag, &revoke.digest()));
        let forged = world.revoke_session_by(&payer, Consent::Signature(signature));
        world.refuse(forged, EscrowError::InvalidSignature);
    }
}

#[test]
fn signature_over_the_bare_digest_or_layout_refused() {
    let mut world = World::with_session();
    let intent = world.intent();
    let layout = borsh::to_vec(&intent).expect("memory can be written");
    for message in [intent.digest().as_slice(), &layout] {
        let signature = world.chain.sign(&world.agent, message);
        let authorize = instruction::authorize(&world.relay, &intent, &signature, &[]);
        world.refuse(authorize, EscrowError::InvalidSignature);
    }
}

#[test]
fn signature_with_any_byte_changed_refused() {
    let mut world = World::with_session();
    let intent = world.intent();
    let good = world.sign_intent(&intent);
    for index in 0..good.len() {
        let mut forged = good;
        forged[index] ^= 1;
        let authorize = instruction::authorize(&world.relay, &intent, &forged, &[]);
        world.refuse(authorize, EscrowError::InvalidSignature);
    }
    world.refuse(instruction::authorize(&world.relay, &intent, &[0; 64], &[]), EscrowError::InvalidSignature);
}

#[test]
fn second_encoding_of_the_same_signature_refused() {
    let mut world = World::with_session();
    let intent = world.intent();
    let forged = with_order_added(world.sign_intent(&intent));
    world.refuse(instruction::authorize(&world.relay, &intent, &forged, &[]), EscrowError::InvalidSignature);
    world.succeed(&[world.authorize(&intent)]);
}

#[test]
fn session_key_of_small_order_signs_nothing() {
    // The neutral element as key and as R, with S = 0: without strict checks that is a signature of every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let key = Address::new_from_array(neutral);
    let mut signature: Signature = [0; 64];
    signature[..32].copy_from_slice(&neutral);

    let mut world = World::with_session();
    let limits = World::limits();
    world.succeed(&[world.open_session_of(&key, &limits)]);
    let session = address::session(&program_id(), &world.escrow, &key);
    let incarnation = world.session_at(&session).incarnation;
    let intent = Intent { session_key: key, ..world.intent_of(incarnation) };
    let authorize = instruction::authorize(&world.relay, &intent, &signature, &[]);
    world.refuse(authorize, EscrowError::InvalidSignature);
}

/// The signature with the group's order added to S (RFC 8032 5.1.7 wants S below it): the same signature to a careless
/// verifier.
fn with_order_added(mut signature: Signature) -> Signature {
    // 2^252 + 27742317777372353535851937790883648493, little-endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "the sum fits 32 bytes");
    signature
}
