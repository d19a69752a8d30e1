//! Accounts, as a node returns them: those of a later version are longer.

use borsh::BorshSerialize;
use x402_escrow_interface::account::{Escrow, Hold, Session};

pub fn run(data: &[u8]) -> bool {
    let mut accepted = false;
    let longer = [data, &[1; 64]].concat();
    if let Ok(escrow) = Escrow::decode(data) {
        assert!(data.starts_with(&written(Escrow::DISCRIMINATOR, &escrow)));
        assert_eq!(Escrow::decode(&longer), Ok(escrow));
        assert!(escrow.free() <= escrow.balance);
        accepted = true;
    }
    if let Ok(session) = Session::decode(data) {
        assert!(data.starts_with(&written(Session::DISCRIMINATOR, &session)));
        assert_eq!(Session::decode(&longer), Ok(session));
        for now in [i64::MIN, 0, session.periods_since, session.expires_at, i64::MAX] {
            assert!(session.left_in_period(now).is_none_or(|left| left <= session.maximum_per_period));
        }
        accepted = true;
    }
    if let Ok(hold) = Hold::decode(data) {
        assert!(data.starts_with(&written(Hold::DISCRIMINATOR, &hold)));
        assert_eq!(Hold::decode(&longer), Ok(hold));
        assert!(hold.held() <= hold.amount);
        accepted = true;
    }
    accepted
}

fn written(discriminator: [u8; 8], fields: &impl BorshSerialize) -> Vec<u8> {
    let mut bytes = discriminator.to_vec();
    fields.serialize(&mut bytes).expect("memory can be written");
    bytes
}
