//! Accounts, as a node returns them.

use borsh::BorshSerialize;
use x402_escrow_interface::account::{Escrow, Hold, Session};

pub fn run(data: &[u8]) -> bool {
    let mut accepted = false;
    if let Ok(escrow) = Escrow::decode(data) {
        assert_eq!(written(Escrow::DISCRIMINATOR, &escrow), data);
        assert!(escrow.free() <= escrow.balance);
        accepted = true;
    }
    if let Ok(session) = Session::decode(data) {
        assert_eq!(written(Session::DISCRIMINATOR, &session), data);
        for now in [i64::MIN, 0, session.periods_since, session.expires_at, i64::MAX] {
            assert!(session.left_in_period(now).is_none_or(|left| left <= session.maximum_per_period));
        }
        accepted = true;
    }
    if let Ok(hold) = Hold::decode(data) {
        assert_eq!(written(Hold::DISCRIMINATOR, &hold), data);
        accepted = true;
    }
    accepted
}

fn written(discriminator: [u8; 8], fields: &impl BorshSerialize) -> Vec<u8> {
    let mut bytes = discriminator.to_vec();
    fields.serialize(&mut bytes).expect("memory can be written");
    bytes
}
