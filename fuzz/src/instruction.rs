//! Instruction data: what the builders write is the arguments that they were given.

use borsh::BorshDeserialize;
use x402_escrow_interface::{
    Address,
    instruction::{SessionLimits, Signature, authorize, open_session, update_session},
    message::{Digest, Intent},
};

/// `data` is a session's limits, or an intent, its signature and a receiver's proof.
pub fn run(data: &[u8]) -> bool {
    let key = Address::new_from_array([1; 32]);
    if let Ok(limits) = SessionLimits::try_from_slice(data) {
        assert_eq!(open_session(&key, &key, &key, &key, &key, &limits).data, [&[6], data].concat());
        assert_eq!(update_session(&key, &key, &key, &key, &limits).data, [&[7], data].concat());
        return true;
    }
    let mut rest = data;
    let Ok(intent) = Intent::deserialize(&mut rest) else { return false };
    let Some((signature, hashes)) = rest.split_first_chunk::<64>() else { return false };
    let (proof, []) = hashes.as_chunks::<32>() else { return false };
    let expected = [
        [11].as_slice(),
        &intent.amount.to_le_bytes(),
        &intent.nonce.to_le_bytes(),
        &intent.authorize_by.to_le_bytes(),
        &intent.capture_deadline.to_le_bytes(),
        &intent.refund_deadline.to_le_bytes(),
        &receiver_terms(&intent, proof),
        &intent.resource_hash,
        signature,
    ];
    let signature: &Signature = signature;
    assert_eq!(authorize(&key, &intent, signature, proof).data, expected.concat());
    true
}

/// Without a fee, with one, or with a proof: an intent with a fee needs none.
fn receiver_terms(intent: &Intent, proof: &[Digest]) -> Vec<u8> {
    match (intent.maximum_fee_bps, proof) {
        (0, []) => vec![0],
        (0, hashes) => {
            let count = u32::try_from(hashes.len()).expect("an input is no longer than that");
            [&[2], &count.to_le_bytes()[..], hashes.as_flattened()].concat()
        }
        (maximum_fee_bps, _) => [&[1], &maximum_fee_bps.to_le_bytes()[..]].concat(),
    }
}
