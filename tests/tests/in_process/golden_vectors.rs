//! The golden vectors: current, and right by another way than the one that they were made by.

use std::fs;

use borsh::BorshDeserialize;
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use solana_sha256_hasher::hash;
use x402_escrow_interface::{
    Address,
    message::{Capture, Digest, Intent, Release, Revoke, SIGNED_BYTES},
    receivers::is_listed,
};
use x402_escrow_tests::vectors;

#[test]
fn committed_vectors_are_current() {
    let committed = fs::read_to_string(vectors::file()).expect("the vectors are committed");
    assert!(
        committed == vectors::render(),
        "docs/messages-vectors.json is stale: `cargo run -p x402-escrow-tests --bin golden-vectors` writes it"
    );
}

#[test]
fn every_layout_is_read_back_as_the_message_and_hashes_to_its_digest() {
    let vectors = vectors();
    for vector in list(&vectors, "intents") {
        let intent: Intent = read_back(vector, Intent::BYTES, &Intent::TAG);
        assert_eq!(intent.signed_bytes().as_slice(), bytes(vector, "signed_bytes"));
    }
    for vector in list(&vectors, "captures") {
        let capture: Capture = read_back(vector, Capture::BYTES, &Capture::TAG);
        assert_eq!(capture.signed_bytes().as_slice(), bytes(vector, "signed_bytes"));
    }
    for vector in list(&vectors, "releases") {
        let release: Release = read_back(vector, Release::BYTES, &Release::TAG);
        assert_eq!(release.signed_bytes().as_slice(), bytes(vector, "signed_bytes"));
    }
    for vector in list(&vectors, "revokes") {
        let revoke: Revoke = read_back(vector, Revoke::BYTES, &Revoke::TAG);
        assert_eq!(revoke.signed_bytes().as_slice(), bytes(vector, "signed_bytes"));
    }
}

#[test]
fn every_signature_verifies_and_no_refused_one_does() {
    let vectors = vectors();
    let key_of = |signer: &Value| {
        let key = list(&vectors, "keys").iter().find(|key| key["name"] == *signer);
        address(&key.expect("the signer is listed")["public_key"])
    };
    for vector in ["intents", "captures", "releases", "revokes"].iter().flat_map(|kind| list(&vectors, kind))
    {
        assert!(verifies(&key_of(&vector["signer"]), vector), "{} does not verify", vector["name"]);
    }
    for vector in list(&vectors, "refused") {
        assert!(!verifies(&address(&vector["public_key"]), vector), "{} verifies", vector["name"]);
    }
}

#[test]
fn every_proof_shows_its_receiver_and_no_other() {
    let vectors = vectors();
    for vector in list(&vectors, "receiver_lists").iter().chain([&vectors["long_receiver_list"]]) {
        let root = digest(&vector["root"]);
        for shown in list(vector, "proofs") {
            let proof: Vec<_> = shown["proof"].as_array().expect("it is a list").iter().map(digest).collect();
            let receiver = address(&shown["receiver"]);
            assert!(is_listed(&root, &receiver, &proof), "{} {receiver}", vector["name"]);
            let other = Address::new_from_array(hash(receiver.as_ref()).to_bytes());
            assert!(!is_listed(&root, &other, &proof), "{} {other}", vector["name"]);
        }
    }
}

fn vectors() -> Value {
    let text = fs::read_to_string(vectors::file()).expect("the vectors are committed");
    serde_json::from_str(&text).expect("they are JSON")
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let list = vectors[name].as_array().expect("it is a list");
    assert!(!list.is_empty(), "{name} is empty");
    list
}

/// Decodes the layout, after checking its length, its hash and what is signed.
fn read_back<T: BorshDeserialize>(vector: &Value, length: usize, tag: &[u8]) -> T {
    let layout = bytes(vector, "layout");
    assert_eq!(layout.len(), length, "{}", vector["name"]);
    let digest = hash(&layout).to_bytes();
    assert_eq!(digest.as_slice(), bytes(vector, "digest"), "{}", vector["name"]);
    assert_eq!([tag, &digest].concat(), bytes(vector, "signed_bytes"), "{}", vector["name"]);
    T::try_from_slice(&layout).expect("the layout is a message")
}

/// Strictly, as the program does: docs/messages.md.
fn verifies(key: &Address, vector: &Value) -> bool {
    let signed = bytes(vector, "signed_bytes");
    assert_eq!(signed.len(), SIGNED_BYTES, "{}", vector["name"]);
    let signature = bytes(vector, "signature").try_into().expect("a signature has 64 bytes");
    let Ok(key) = VerifyingKey::from_bytes(key.as_array()) else { return false };
    key.to_edwards().compress().as_bytes() == key.as_bytes()
        && key.verify_strict(&signed, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
}

fn digest(value: &Value) -> Digest {
    let bytes = hex::decode(value.as_str().expect("it is a string")).expect("it is hexadecimal");
    bytes.try_into().expect("a digest has 32 bytes")
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    hex::decode(vector[field].as_str().expect("it is a string")).expect("it is hexadecimal")
}

fn address(value: &Value) -> Address {
    value.as_str().expect("it is a string").parse().expect("it is an address")
}
