//! Golden vectors of the signed messages, for other languages to test against: `docs/messages-vectors.json`.

mod examples;
mod fields;
mod forgeries;
mod receiver_lists;

use std::path::PathBuf;

use borsh::BorshSerialize;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use x402_escrow_interface::{Address, resource::resource_hash};

use self::{
    fields::{
        CaptureFields, IntentFields, ReleaseFields, RevokeFields, capture_fields, intent_fields,
        release_fields, revoke_fields,
    },
    receiver_lists::{LongReceiverList, ReceiverListVector},
};
use crate::{checkout_file, keys::test_seed};

/// The committed file.
pub fn file() -> PathBuf {
    checkout_file("docs/messages-vectors.json")
}

/// The file's content, made from the interface crate.
pub fn render() -> String {
    let vectors = Vectors {
        about: "Made by `cargo run -p x402-escrow-tests --bin golden-vectors`; docs/messages.md explains it. The keys \
                are public test keys: never send them money.",
        keys: examples::SIGNERS.map(Key::of),
        intents: examples::intents().map(|(name, intent)| {
            Vector::of(
                name,
                examples::SESSION_KEY,
                intent_fields(&intent),
                &intent,
                intent.digest(),
                &intent.signed_bytes(),
            )
        }),
        captures: examples::captures().map(|(name, capture)| {
            let fields = capture_fields(&capture);
            let signer = examples::CAPTURE_AUTHORIZER;
            Vector::of(name, signer, fields, &capture, capture.digest(), &capture.signed_bytes())
        }),
        releases: examples::releases().map(|(name, release)| {
            let fields = release_fields(&release);
            let signer = examples::RECEIVER_AUTHORIZER;
            Vector::of(name, signer, fields, &release, release.digest(), &release.signed_bytes())
        }),
        revokes: examples::revokes().map(|(name, signer, revoke)| {
            let fields = revoke_fields(&revoke);
            Vector::of(name, signer, fields, &revoke, revoke.digest(), &revoke.signed_bytes())
        }),
        resource_hashes: examples::REQUESTS.map(|(method, url, body)| ResourceHash {
            method,
            url,
            body: hex::encode(body),
            hash: hex::encode(resource_hash(method, url, body)),
        }),
        receiver_lists: receiver_lists::listed(),
        long_receiver_list: receiver_lists::by_rule(),
        refused: forgeries::all(),
    };
    serde_json::to_string_pretty(&vectors).expect("strings and numbers make JSON") + "\n"
}

fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&test_seed(name))
}

fn address(name: &str) -> Address {
    Address::new_from_array(signing_key(name).verifying_key().to_bytes())
}

#[derive(Serialize)]
struct Vectors {
    about: &'static str,
    keys: [Key; 5],
    intents: [Vector<IntentFields>; 4],
    captures: [Vector<CaptureFields>; 4],
    releases: [Vector<ReleaseFields>; 3],
    revokes: [Vector<RevokeFields>; 4],
    resource_hashes: [ResourceHash; 6],
    receiver_lists: Vec<ReceiverListVector>,
    long_receiver_list: LongReceiverList,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Key {
    name: &'static str,
    seed: String,
    public_key: String,
}

impl Key {
    fn of(name: &'static str) -> Self {
        Self { name, seed: hex::encode(test_seed(name)), public_key: address(name).to_string() }
    }
}

/// A message as each step of signing sees it.
#[derive(Serialize)]
struct Vector<Fields> {
    name: &'static str,
    fields: Fields,
    layout: String,
    digest: String,
    signed_bytes: String,
    signer: &'static str,
    signature: String,
}

impl<Fields> Vector<Fields> {
    fn of(
        name: &'static str,
        signer: &'static str,
        fields: Fields,
        message: &impl BorshSerialize,
        digest: [u8; 32],
        signed_bytes: &[u8],
    ) -> Self {
        Self {
            name,
            fields,
            layout: hex::encode(borsh::to_vec(message).expect("memory can be written")),
            digest: hex::encode(digest),
            signed_bytes: hex::encode(signed_bytes),
            signer,
            signature: hex::encode(signing_key(signer).sign(signed_bytes).to_bytes()),
        }
    }
}

#[derive(Serialize)]
struct ResourceHash {
    method: &'static str,
    url: &'static str,
    body: String,
    hash: String,
}

/// A signature that must not verify.
#[derive(Serialize)]
struct Refused {
    name: &'static str,
    why: &'static str,
    signed_bytes: String,
    public_key: String,
    signature: String,
}
