//! Instruction data: what the builders write is the arguments that they were given.

use borsh::BorshDeserialize;
use x402_escrow_interface::{
    Address,
    instruction::{SessionLimits, Signature, authorize, open_session, update_session},
    message::Intent,
};

pub fn run(data: &[u8]) -> bool {
    let key = Address::new_from_array([1; 32]);
    if let Ok(limits) = SessionLimits::try_from_slice(data) {
        assert_eq!(open_session(&key, &key, &key, &key, &limits).data, [&[3], data].concat());
        assert_eq!(update_session(&key, &key, &key, &limits).data, [&[15], data].concat());
        return true;
    }
    let mut rest = data;
    let Ok(intent) = Intent::deserialize(&mut rest) else { return false };
    let Ok(signature) = Signature::try_from(rest) else { return false };
    let expected = [
        [6].as_slice(),
        &intent.amount.to_le_bytes(),
        &intent.nonce.to_le_bytes(),
        &intent.authorize_by.to_le_bytes(),
        &intent.capture_deadline.to_le_bytes(),
        &intent.refund_deadline.to_le_bytes(),
        &intent.maximum_fee_bps.to_le_bytes(),
        &intent.resource_hash,
        &signature,
    ];
    assert_eq!(authorize(&key, &intent, &signature).data, expected.concat());
    true
}
