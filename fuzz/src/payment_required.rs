//! The header `PAYMENT-REQUIRED`, which servers send to agents.

use x402_escrow_wire::{
    auth_capture::Extra,
    field,
    payment::{PaymentRequired, PaymentRequirements},
};

use super::header;

pub fn run(data: &[u8]) -> bool {
    let Some(challenge) = header::read::<PaymentRequired>(data) else { return false };
    let mut accepted = false;
    for option in &challenge.accepts {
        let Ok(requirements) = field::read::<PaymentRequirements>(option) else { continue };
        if let Ok(extra) = Extra::read(&requirements) {
            let again = PaymentRequirements { extra: extra.to_map(), ..requirements };
            assert_eq!(Extra::read(&again).expect("what was written can be read"), extra);
            accepted = true;
        }
    }
    accepted
}
