//! Lists of receivers, with their roots and proofs.

use serde::Serialize;
use solana_sha256_hasher::hashv;
use x402_escrow_interface::{Address, receivers::ReceiverList};

use crate::keys::test_seed;

/// A list in which every receiver is written out, and has its proof.
#[derive(Serialize)]
pub(super) struct ReceiverListVector {
    name: &'static str,
    receivers: Vec<String>,
    root: String,
    proofs: Vec<Proof>,
}

/// The longest list, whose receivers a rule makes.
#[derive(Serialize)]
pub(super) struct LongReceiverList {
    name: &'static str,
    rule: &'static str,
    prefix: &'static str,
    count: u32,
    root: String,
    proofs: Vec<Proof>,
}

#[derive(Serialize)]
struct Proof {
    receiver: String,
    proof: Vec<String>,
}

/// The receivers are not in the order of their bytes.
pub(super) fn listed() -> Vec<ReceiverListVector> {
    [("a list of one", 1), ("a list of two", 2), ("a list of three", 3), ("a list of five", 5)]
        .map(|(name, count)| {
            let receivers: Vec<_> = (0..count).map(receiver).collect();
            let list =
                ReceiverList::new(receivers.clone()).expect("a list has few receivers, and one at least");
            let root = hex::encode(list.root());
            let proofs = receivers.iter().map(|receiver| proof(&list, receiver)).collect();
            ReceiverListVector {
                name,
                receivers: receivers.iter().map(Address::to_string).collect(),
                root,
                proofs,
            }
        })
        .into()
}

pub(super) fn by_rule() -> LongReceiverList {
    const PREFIX: &str = "x402-escrow listed receiver: ";
    const COUNT: u32 = 4096;
    let receiver = |number: u32| {
        Address::new_from_array(hashv(&[PREFIX.as_bytes(), number.to_string().as_bytes()]).to_bytes())
    };
    let list = ReceiverList::new((0..COUNT).map(receiver).collect()).expect("it is not too long");
    LongReceiverList {
        name: "a list of 4,096, the most that there can be",
        rule: "receiver n, from 0 to count - 1, is SHA-256 of the prefix and n in decimal digits",
        prefix: PREFIX,
        count: COUNT,
        root: hex::encode(list.root()),
        proofs: [0, 1, 2048, COUNT - 1].map(|number| proof(&list, &receiver(number))).into(),
    }
}

fn receiver(number: u32) -> Address {
    Address::new_from_array(test_seed(&format!("receiver {number}")))
}

fn proof(list: &ReceiverList, receiver: &Address) -> Proof {
    let proof = list.proof(receiver).expect("the receiver is in the list");
    Proof { receiver: receiver.to_string(), proof: proof.iter().map(hex::encode).collect() }
}
