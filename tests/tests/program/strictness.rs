//! Signatures at the edges of Ed25519, where libraries disagree (Chalkias, Garillot and Nikolaenko, "Taming the many
//! EdDSAs", 2020): the program accepts exactly what the verifier accepts before it.

use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_POINT as BASE_POINT, EIGHT_TORSION},
    edwards::EdwardsPoint,
    scalar::Scalar,
};
use sha2::{Digest, Sha512};
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{Proof, Signature},
    message::Intent,
};
use x402_escrow_tests::svm::World;
use x402_escrow_verifier::signature::is_valid;

/// The order of the base point, little-endian (RFC 8032 5.1).
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// The neutral element with y = p + 1, which RFC 8032 5.1.3 does not allow; and the same with the sign bit set.
const UNREDUCED_NEUTRALS: [[u8; 32]; 2] = {
    let mut encodings = [[0xFF; 32]; 2];
    encodings[0][0] = 0xEE;
    encodings[1][0] = 0xEE;
    encodings[0][31] = 0x7F;
    encodings
};

#[test]
fn ordinary_signature_accepted() {
    let mut world = World::with_session();
    Forgery::ordinary().accepted(&mut world);
}

#[test]
fn key_of_small_order_refused_in_every_encoding() {
    let mut world = World::with_session();
    for torsion in EIGHT_TORSION {
        Forgery { secret: 0, key_torsion: torsion, ..Forgery::ordinary() }.refused(&mut world);
    }
    for encoding in UNREDUCED_NEUTRALS {
        Forgery { secret: 0, key_encoding: Some(encoding), ..Forgery::ordinary() }.refused(&mut world);
    }
}

#[test]
fn r_of_small_order_refused_in_every_encoding() {
    let mut world = World::with_session();
    Forgery { nonce: 0, ..Forgery::ordinary() }.refused(&mut world);
    for encoding in UNREDUCED_NEUTRALS {
        Forgery { nonce: 0, r_encoding: Some(encoding), ..Forgery::ordinary() }.refused(&mut world);
    }
    for torsion in &EIGHT_TORSION[1..] {
        Forgery { nonce: 0, r_torsion: *torsion, holds: false, ..Forgery::ordinary() }.refused(&mut world);
    }
}

#[test]
fn key_of_mixed_order_counts_where_the_equation_holds_without_the_cofactor() {
    let mut world = World::with_session();
    for torsion in &EIGHT_TORSION[1..] {
        let mixed = Forgery { key_torsion: *torsion, ..Forgery::ordinary() };
        mixed.accepted(&mut world);
        Forgery { holds: false, ..mixed }.refused(&mut world);
        // A part of R that the key's cancels.
        Forgery { r_torsion: -torsion, ..mixed }.accepted(&mut world);
    }
}

#[test]
fn r_of_mixed_order_refused() {
    let mut world = World::with_session();
    for torsion in &EIGHT_TORSION[1..] {
        Forgery { r_torsion: *torsion, holds: false, ..Forgery::ordinary() }.refused(&mut world);
    }
}

#[test]
fn s_of_the_groups_order_or_more_refused() {
    let mut world = World::with_session();
    // As often as the order fits 32 bytes above S.
    for orders in 1..15 {
        Forgery { orders_added: orders, ..Forgery::ordinary() }.refused(&mut world);
    }
}

/// A signature made with full knowledge of the secret, ordinary but for what differs from [`Forgery::ordinary`].
#[derive(Clone, Copy)]
struct Forgery {
    secret: u64,
    /// What the key has besides the secret's multiple of the base point: a point of order 1, 2, 4 or 8.
    key_torsion: EdwardsPoint,
    /// How the key is written, if not canonically.
    key_encoding: Option<[u8; 32]>,
    /// R's multiple of the base point; unless it is 0, it is counted up until `holds` is met.
    nonce: u64,
    /// The same for R.
    r_torsion: EdwardsPoint,
    r_encoding: Option<[u8; 32]>,
    /// Whether `S·B = R + h·key` holds as it is; multiplied by the cofactor it always does.
    holds: bool,
    /// How often the group's order is added to S.
    orders_added: u8,
}

impl Forgery {
    fn ordinary() -> Self {
        Self {
            secret: 402,
            key_torsion: EIGHT_TORSION[0],
            key_encoding: None,
            nonce: 1,
            r_torsion: EIGHT_TORSION[0],
            r_encoding: None,
            holds: true,
            orders_added: 0,
        }
    }

    #[track_caller]
    fn accepted(&self, world: &mut World) {
        self.check(world, true);
    }

    #[track_caller]
    fn refused(&self, world: &mut World) {
        self.check(world, false);
    }

    #[track_caller]
    fn check(&self, world: &mut World, accepted: bool) {
        let capture_authorizer = Address::new_from_array(self.key());
        let nonce = world.session().highest_nonce + 1;
        let intent = Intent { capture_authorizer, nonce, amount: 1, ..world.intent() };
        world.succeed(&[world.authorize(&intent)]);
        let message = world.capture_message(&intent, 1);
        let signed_bytes = message.signed_bytes();
        let signature = self.sign(&signed_bytes);
        assert_eq!(is_valid(&capture_authorizer, &signed_bytes, &signature), accepted, "the verifier");
        let capture = world.capture_by(&intent, &message, Proof::Signature(signature));
        if accepted {
            world.succeed(&[capture]);
        } else {
            world.refuse(capture, EscrowError::InvalidSignature);
        }
    }

    fn key(&self) -> [u8; 32] {
        self.key_encoding.unwrap_or_else(|| self.key_point().compress().to_bytes())
    }

    fn key_point(&self) -> EdwardsPoint {
        BASE_POINT * Scalar::from(self.secret) + self.key_torsion
    }

    fn sign(&self, message: &[u8]) -> Signature {
        let attempts = if self.nonce == 0 { 0..1 } else { self.nonce..self.nonce + 1_000 };
        for nonce in attempts.map(Scalar::from) {
            let r = BASE_POINT * nonce + self.r_torsion;
            let r_bytes = self.r_encoding.unwrap_or_else(|| r.compress().to_bytes());
            let hash = Sha512::new().chain_update(r_bytes).chain_update(self.key()).chain_update(message);
            let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
            let s = nonce + challenge * Scalar::from(self.secret);
            if (BASE_POINT * s == r + self.key_point() * challenge) == self.holds {
                return joined(r_bytes, self.with_orders_added(s.to_bytes()));
            }
        }
        panic!("no nonce meets what is asked for");
    }

    fn with_orders_added(&self, mut s: [u8; 32]) -> [u8; 32] {
        for _ in 0..self.orders_added {
            let mut carry = 0;
            for (byte, order) in s.iter_mut().zip(ORDER) {
                let sum = u16::from(*byte) + u16::from(order) + carry;
                // The low byte; the rest is carried.
                *byte = sum as u8;
                carry = sum >> 8;
            }
            assert_eq!(carry, 0, "the sum fits 32 bytes");
        }
        s
    }
}

fn joined(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}
