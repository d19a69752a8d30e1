//! Ed25519 as the program verifies it. Uses nothing of this crate.

use ed25519_dalek::VerifyingKey;
use x402_escrow_interface::{Address, instruction::Signature};

/// Whether `signature` is a strict Ed25519 signature by `key` over `message`.
///
/// Strict: R, S and the key are encoded canonically (RFC 8032 5.1.3, 5.1.7), neither R nor the key is of small order,
/// and the equation holds without cofactor. Dalek decodes keys whose y is not reduced; the program refuses them, so
/// they are refused here too.
pub fn is_valid(key: &Address, message: &[u8], signature: &Signature) -> bool {
    Key::new(key).is_some_and(|key| key.signed(message, signature))
}

/// A key whose encoding was checked, for those that check many signatures by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(VerifyingKey);

impl Key {
    /// The key at `address`; `None` if that is the canonical encoding of none.
    pub fn new(address: &Address) -> Option<Self> {
        let key = VerifyingKey::from_bytes(address.as_array()).ok()?;
        (key.to_edwards().compress().as_bytes() == key.as_bytes()).then_some(Self(key))
    }

    /// Whether `signature` is a strict one by this key over `message`: see [`is_valid`].
    pub fn signed(&self, message: &[u8], signature: &Signature) -> bool {
        self.0.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    /// The order of the base point, little-endian (RFC 8032 5.1).
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn signed() -> (Address, Signature) {
        let key = SigningKey::from_bytes(&[7; 32]);
        (Address::from(key.verifying_key().to_bytes()), key.sign(b"message").to_bytes())
    }

    #[test]
    fn a_signature_is_accepted_and_every_flipped_bit_refused() {
        let (key, signature) = signed();
        assert!(is_valid(&key, b"message", &signature));
        assert!(!is_valid(&key, b"messagf", &signature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_valid(&key, b"message", &flipped), "bit {bit}");
        }
    }

    #[test]
    fn a_second_form_of_s_is_refused() {
        let (key, mut signature) = signed();
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert!(!is_valid(&key, b"message", &signature));
    }

    #[test]
    fn keys_of_small_order_and_unreduced_keys_are_refused() {
        // With the identity as key and R = S·B any message would verify without the strict rules.
        let mut signature = [0; 64];
        signature[..32]
            .copy_from_slice(ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key().as_bytes());
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!is_valid(&Address::from(identity), b"message", &signature));
        // The identity again, its y written as p + 1.
        let mut unreduced = [0xff; 32];
        (unreduced[0], unreduced[31]) = (0xee, 0x7f);
        assert!(!is_valid(&Address::from(unreduced), b"message", &signature));
    }
}
