//! The messages' fields as JSON has them. 64-bit numbers are strings: JSON's numbers lose digits above 2^53 in many
//! languages.

use serde::Serialize;
use x402_escrow_interface::message::{Capture, Intent, PaymentFlow, Release, Revoke};

#[derive(Serialize)]
pub(super) struct IntentFields {
    program: String,
    incarnation: String,
    escrow: String,
    session_key: String,
    receiver: String,
    capture_authorizer: String,
    receiver_authorizer: String,
    fee_recipient: String,
    resource_hash: String,
    amount: String,
    nonce: String,
    authorize_by: String,
    capture_deadline: String,
    refund_deadline: String,
    maximum_fee_bps: u16,
    flow: &'static str,
}

pub(super) fn intent_fields(intent: &Intent) -> IntentFields {
    IntentFields {
        program: intent.program.to_string(),
        incarnation: hex::encode(intent.incarnation),
        escrow: intent.escrow.to_string(),
        session_key: intent.session_key.to_string(),
        receiver: intent.receiver.to_string(),
        capture_authorizer: intent.capture_authorizer.to_string(),
        receiver_authorizer: intent.receiver_authorizer.to_string(),
        fee_recipient: intent.fee_recipient.to_string(),
        resource_hash: hex::encode(intent.resource_hash),
        amount: intent.amount.to_string(),
        nonce: intent.nonce.to_string(),
        authorize_by: intent.authorize_by.to_string(),
        capture_deadline: intent.capture_deadline.to_string(),
        refund_deadline: intent.refund_deadline.to_string(),
        maximum_fee_bps: intent.maximum_fee_bps,
        flow: match intent.flow {
            PaymentFlow::Escrow => "escrow",
            PaymentFlow::Authorization => "authorization",
        },
    }
}

#[derive(Serialize)]
pub(super) struct CaptureFields {
    intent_digest: String,
    amount: String,
    fee: String,
    last: bool,
}

pub(super) fn capture_fields(capture: &Capture) -> CaptureFields {
    CaptureFields {
        intent_digest: hex::encode(capture.intent_digest),
        amount: capture.amount.to_string(),
        fee: capture.fee.to_string(),
        last: capture.last,
    }
}

#[derive(Serialize)]
pub(super) struct ReleaseFields {
    intent_digest: String,
    amount: String,
}

pub(super) fn release_fields(release: &Release) -> ReleaseFields {
    ReleaseFields { intent_digest: hex::encode(release.intent_digest), amount: release.amount.to_string() }
}

#[derive(Serialize)]
pub(super) struct RevokeFields {
    program: String,
    escrow: String,
    session_key: String,
    incarnation: String,
    opened_through_slot: String,
}

pub(super) fn revoke_fields(revoke: &Revoke) -> RevokeFields {
    RevokeFields {
        program: revoke.program.to_string(),
        escrow: revoke.escrow.to_string(),
        session_key: revoke.session_key.to_string(),
        incarnation: hex::encode(revoke.incarnation),
        opened_through_slot: revoke.opened_through_slot.to_string(),
    }
}
