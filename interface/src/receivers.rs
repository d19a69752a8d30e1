//! Lists of the receivers that a session may pay, kept on chain as one hash: the root of a Merkle tree. An intent comes
//! with the proof that its receiver is in the list.
//!
//! Leaves and nodes are hashed under different prefixes, so that neither can be taken for the other:
//! `leaf = SHA-256(0x00 ‖ receiver)`, `node = SHA-256(0x01 ‖ lower ‖ higher)`, where the two children are in the order
//! of their bytes. Leaves are in the order of the receivers' bytes, each once; an odd one at the end of a row goes up
//! as it is. A list of one has its leaf as root and an empty proof.

use alloc::vec::Vec;

use solana_address::Address;
use solana_sha256_hasher::hashv;

use crate::message::Digest;

/// The most receivers that a list can have.
pub const MAXIMUM_RECEIVERS: usize = 4096;

/// The most hashes that a proof has: the height of a tree of [`MAXIMUM_RECEIVERS`].
pub const MAXIMUM_PROOF_HASHES: usize = 12;

/// In place of a root: the session may pay anyone.
pub const ANYONE: Digest = [0; 32];

fn leaf(receiver: &Address) -> Digest {
    hashv(&[&[0], receiver.as_ref()]).to_bytes()
}

fn node(one: &Digest, other: &Digest) -> Digest {
    let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
    hashv(&[&[1], lower, higher]).to_bytes()
}

/// Whether `proof` shows that `receiver` is in the list with this root.
pub fn is_listed(root: &Digest, receiver: &Address, proof: &[Digest]) -> bool {
    proof.len() <= MAXIMUM_PROOF_HASHES
        && proof.iter().fold(leaf(receiver), |hash, sibling| node(&hash, sibling)) == *root
}

/// A list of receivers, with its whole tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverList {
    /// In the order of their bytes, each once.
    receivers: Vec<Address>,
    /// The leaves, then each row above them.
    rows: Vec<Vec<Digest>>,
}

impl ReceiverList {
    /// A list of these receivers, in any order; `None` where they are none, or more than [`MAXIMUM_RECEIVERS`].
    pub fn new(mut receivers: Vec<Address>) -> Option<Self> {
        receivers.sort_unstable();
        receivers.dedup();
        if receivers.is_empty() || receivers.len() > MAXIMUM_RECEIVERS {
            return None;
        }
        let mut row: Vec<Digest> = receivers.iter().map(leaf).collect();
        let mut rows = Vec::new();
        while row.len() > 1 {
            let above = row.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                [odd] => *odd,
                _ => unreachable!("chunks of two"),
            });
            let above = above.collect();
            rows.push(core::mem::replace(&mut row, above));
        }
        rows.push(row);
        Some(Self { receivers, rows })
    }

    /// The receivers, in the order of their bytes.
    pub fn receivers(&self) -> &[Address] {
        &self.receivers
    }

    /// What a session stores of the list.
    pub fn root(&self) -> Digest {
        self.rows[self.rows.len() - 1][0]
    }

    /// Shows that `receiver` is in the list; `None` where it is not.
    pub fn proof(&self, receiver: &Address) -> Option<Vec<Digest>> {
        let mut place = self.receivers.binary_search(receiver).ok()?;
        let mut proof = Vec::new();
        for row in &self.rows {
            if let Some(sibling) = row.get(place ^ 1) {
                proof.push(*sibling);
            }
            place /= 2;
        }
        Some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(count: u16) -> Vec<Address> {
        (0..count).map(|number| Address::new_from_array(hashv(&[&number.to_le_bytes()]).to_bytes())).collect()
    }

    #[test]
    fn each_listed_receiver_has_a_proof_that_shows_no_other() {
        for count in [1, 2, 3, 5, 8, 13, 1000] {
            let all = receivers(count + 1);
            let (stranger, listed) = all.split_last().unwrap();
            let list = ReceiverList::new(listed.to_vec()).unwrap();
            for receiver in listed {
                let proof = list.proof(receiver).unwrap();
                assert!(is_listed(&list.root(), receiver, &proof), "{count}");
                assert!(!is_listed(&list.root(), stranger, &proof), "{count}");
            }
            assert_eq!(list.proof(stranger), None);
        }
    }

    #[test]
    fn the_longest_list_has_proofs_of_the_longest_length() {
        let all = receivers(4096);
        let list = ReceiverList::new(all.clone()).unwrap();
        assert!(all.iter().all(|receiver| list.proof(receiver).unwrap().len() == MAXIMUM_PROOF_HASHES));
        assert_eq!(ReceiverList::new(receivers(4097)), None);
        assert_eq!(ReceiverList::new(Vec::new()), None);
    }

    #[test]
    fn order_and_repeats_do_not_change_the_root() {
        let mut all = receivers(7);
        let root = ReceiverList::new(all.clone()).unwrap().root();
        all.reverse();
        all.push(all[3]);
        assert_eq!(ReceiverList::new(all).unwrap().root(), root);
    }

    #[test]
    fn a_node_is_no_leaf_and_a_proof_is_no_longer_than_the_tallest_tree() {
        let list = ReceiverList::new(receivers(4)).unwrap();
        let inner = Address::new_from_array(list.rows[1][0]);
        assert!(!is_listed(&list.root(), &inner, &[list.rows[1][1]]));
        let receiver = receivers(1)[0];
        let proof = [[7; 32]; MAXIMUM_PROOF_HASHES + 1];
        let root = proof.iter().fold(leaf(&receiver), |hash, sibling| node(&hash, sibling));
        assert!(!is_listed(&root, &receiver, &proof));
    }
}
