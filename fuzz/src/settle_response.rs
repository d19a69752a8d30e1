//! The header `PAYMENT-RESPONSE`, which servers send to agents, and the answers of a facilitator.

use x402_escrow_wire::facilitator::{SettleResponse, SupportedResponse, VerifyResponse};

use super::header;

pub fn run(data: &[u8]) -> bool {
    let settled = header::read::<SettleResponse>(data).is_some();
    let verified = header::read::<VerifyResponse>(data).is_some();
    let supported = header::read::<SupportedResponse>(data).is_some();
    settled || verified || supported
}
