use ed25519_dalek::Signer;
use x402_escrow_interface::{
    Address,
    message::{Capture, Intent, Release, signed_bytes},
};

use super::{
    Refused, address,
    examples::{CAPTURE_AUTHORIZER, SESSION_KEY, usual},
    signing_key,
};

/// The group's base point as RFC 8032 5.1 encodes it.
const BASE_POINT: [u8; 32] = {
    let mut encoding = [0x66; 32];
    encoding[0] = 0x58;
    encoding
};
/// The neutral element: y = 1.
const NEUTRAL: [u8; 32] = small(1);
/// The neutral element once more: y = p + 1, which RFC 8032 5.1.3 does not allow.
const NEUTRAL_UNREDUCED: [u8; 32] = {
    let mut encoding = [0xFF; 32];
    encoding[0] = 0xEE;
    encoding[31] = 0x7F;
    encoding
};
/// The order of the base point, little-endian (RFC 8032 5.1).
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Signatures that must not verify: some are wrong, the others are right to a verifier that is not strict.
pub(super) fn all() -> Vec<Refused> {
    let intent = usual();
    let signed = intent.signed_bytes();
    let agent = address(SESSION_KEY);
    let sign = |name: &str, bytes: &[u8]| signing_key(name).sign(bytes).to_bytes();
    let good = sign(SESSION_KEY, &signed);
    let raised = Intent { amount: intent.amount + 1, ..intent };
    let digest = intent.digest();

    vec![
        refused(
            "another key's signature",
            "the session key signs intents, not the capture authorizer",
            &signed,
            &agent,
            &sign(CAPTURE_AUTHORIZER, &signed),
        ),
        refused(
            "amount raised",
            "it was signed over one base unit less",
            &raised.signed_bytes(),
            &agent,
            &good,
        ),
        refused(
            "another message's tag",
            "it was signed as an intent",
            &signed_bytes(&Release::TAG, &digest),
            &agent,
            &good,
        ),
        refused(
            "bare digest",
            "it was signed without a tag",
            &signed_bytes(&Capture::TAG, &digest),
            &agent,
            &sign(SESSION_KEY, &digest),
        ),
        refused("no signature", "R and S are zero", &signed, &agent, &[0; 64]),
        refused(
            "S not reduced",
            "RFC 8032 5.1.7: S must be below the group's order",
            &signed,
            &agent,
            &unreduced(good),
        ),
        refused(
            "key of small order",
            "R is the base point and S is 1: it would verify for every message",
            &signed,
            &Address::new_from_array(NEUTRAL),
            &joined(BASE_POINT, small(1)),
        ),
        refused(
            "key of small order, not reduced",
            "the same, with a second encoding of the key",
            &signed,
            &Address::new_from_array(NEUTRAL_UNREDUCED),
            &joined(BASE_POINT, small(1)),
        ),
        refused(
            "R and key of small order",
            "R is the neutral element and S is 0: it would verify for every message",
            &signed,
            &Address::new_from_array(NEUTRAL),
            &joined(NEUTRAL, [0; 32]),
        ),
    ]
}

fn refused(
    name: &'static str,
    why: &'static str,
    signed_bytes: &[u8],
    public_key: &Address,
    signature: &[u8; 64],
) -> Refused {
    Refused {
        name,
        why,
        signed_bytes: hex::encode(signed_bytes),
        public_key: public_key.to_string(),
        signature: hex::encode(signature),
    }
}

/// The 32 little-endian bytes of a small number.
const fn small(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}

/// The signature with the group's order added to S.
fn unreduced(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        // The low byte; the rest is carried.
        *byte = sum as u8;
        carry = sum >> 8;
    }
    signature
}
