use curve25519_dalek::{
    constants::{ED25519_BASEPOINT_POINT as BASE_POINT, EIGHT_TORSION},
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
};
use sha2::{Digest, Sha512};
use x402_escrow_interface::instruction::Signature;

/// The order of the base point, little-endian (RFC 8032 5.1).
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A signature made with full knowledge of the secret, ordinary but for what differs from [`Forgery::ordinary`].
#[derive(Clone, Copy)]
pub(crate) struct Forgery {
    /// The key's multiple of the base point.
    pub(crate) secret: u64,
    /// What the key has besides: a point of order 1, 2, 4 or 8.
    pub(crate) key_torsion: EdwardsPoint,
    /// How the key is written, if not canonically.
    pub(crate) key_encoding: Option<[u8; 32]>,
    /// R's multiple of the base point; unless it is 0, it is counted up until `holds` is met.
    pub(crate) nonce: u64,
    /// The same for R.
    pub(crate) r_torsion: EdwardsPoint,
    pub(crate) r_encoding: Option<[u8; 32]>,
    /// Whether `S·B = R + h·key` holds as it is; multiplied by the cofactor it always does.
    pub(crate) holds: bool,
    /// What is done to the signature when it is made.
    pub(crate) spoiled: Spoiled,
}

/// What makes a signature wrong, or another than the signer's.
#[derive(Clone, Copy)]
pub(crate) enum Spoiled {
    /// Nothing.
    Not,
    /// The group's order is added to S this often.
    OrdersAdded(u8),
    /// This bit of the signature is flipped.
    Bit(usize),
    /// R and S are zero.
    Zero,
}

impl Forgery {
    pub(crate) fn ordinary() -> Self {
        Self {
            secret: 402,
            key_torsion: EIGHT_TORSION[0],
            key_encoding: None,
            nonce: 1,
            r_torsion: EIGHT_TORSION[0],
            r_encoding: None,
            holds: true,
            spoiled: Spoiled::Not,
        }
    }

    /// With a key of small order that is written like this.
    pub(crate) fn with_key(self, encoding: [u8; 32]) -> Self {
        Self { secret: 0, key_torsion: point(encoding), key_encoding: Some(encoding), ..self }
    }

    /// With an R of small order that is written like this.
    pub(crate) fn with_r(self, encoding: [u8; 32]) -> Self {
        Self { nonce: 0, r_torsion: point(encoding), r_encoding: Some(encoding), ..self }
    }

    pub(crate) fn key(&self) -> [u8; 32] {
        self.key_encoding.unwrap_or_else(|| self.key_point().compress().to_bytes())
    }

    fn key_point(&self) -> EdwardsPoint {
        BASE_POINT * Scalar::from(self.secret) + self.key_torsion
    }

    /// The signature over `message`; `None` if what is asked for can't be had with this message.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Signature> {
        let nonces = if self.nonce == 0 { 0..1 } else { self.nonce..self.nonce + 1_000 };
        nonces.map(Scalar::from).find_map(|nonce| {
            let r = BASE_POINT * nonce + self.r_torsion;
            let r_bytes = self.r_encoding.unwrap_or_else(|| r.compress().to_bytes());
            let hash = Sha512::new().chain_update(r_bytes).chain_update(self.key()).chain_update(message);
            let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
            let s = nonce + challenge * Scalar::from(self.secret);
            let holds = BASE_POINT * s == r + self.key_point() * challenge;
            (holds == self.holds).then(|| self.spoiled.apply(joined(r_bytes, s.to_bytes())))
        })
    }
}

impl Spoiled {
    fn apply(self, mut signature: Signature) -> Signature {
        match self {
            Self::Not => {}
            Self::OrdersAdded(times) => (0..times).for_each(|_| add_order(&mut signature[32..])),
            Self::Bit(bit) => signature[bit / 8] ^= 1 << (bit % 8),
            Self::Zero => signature = [0; 64],
        }
        signature
    }
}

fn add_order(s: &mut [u8]) {
    let mut carry = 0;
    for (byte, order) in s.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        // The low byte; the rest is carried.
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "the sum fits 32 bytes");
}

/// The point that a decoder gets who does not mind how it is written.
fn point(encoding: [u8; 32]) -> EdwardsPoint {
    CompressedEdwardsY(encoding).decompress().expect("it is on the curve")
}

fn joined(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}
