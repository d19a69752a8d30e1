//! The layouts that are hashed and signed.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_sha256_hasher::hash;
use x402_escrow_interface::message::{Capture, Intent, Release, Revoke, SIGNED_BYTES};

pub fn run(data: &[u8]) -> bool {
    let mut accepted = false;
    if let Some(intent) = read::<Intent>(data) {
        check(data, &Intent::TAG, intent.digest(), intent.signed_bytes());
        accepted = true;
    }
    if let Some(capture) = read::<Capture>(data) {
        check(data, &Capture::TAG, capture.digest(), capture.signed_bytes());
        accepted = true;
    }
    if let Some(release) = read::<Release>(data) {
        check(data, &Release::TAG, release.digest(), release.signed_bytes());
        accepted = true;
    }
    if let Some(revoke) = read::<Revoke>(data) {
        check(data, &Revoke::TAG, revoke.digest(), revoke.signed_bytes());
        accepted = true;
    }
    accepted
}

/// Reads a message and holds what it is written as against `data`.
fn read<T: BorshDeserialize + BorshSerialize>(data: &[u8]) -> Option<T> {
    let message = T::try_from_slice(data).ok()?;
    assert_eq!(borsh::to_vec(&message).expect("memory can be written"), data);
    Some(message)
}

fn check(layout: &[u8], tag: &[u8], digest: [u8; 32], signed_bytes: [u8; SIGNED_BYTES]) {
    assert_eq!(digest, hash(layout).to_bytes());
    assert_eq!(signed_bytes.as_slice(), [tag, &digest].concat());
}
