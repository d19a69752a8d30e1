//! Accounts and an intent whose addresses tell what they are for.

use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session, VERSION},
    message::{Intent, PaymentFlow},
};

/// An address that stands for nothing but this name.
pub(super) fn named(name: &str) -> Address {
    Address::new_from_array(x402_escrow_tests::keys::test_seed(name))
}

pub(super) fn escrow() -> Escrow {
    Escrow {
        version: VERSION,
        bump: 0,
        decimals: 6,
        padding: 0,
        open_sessions: 0,
        payer: named("payer"),
        mint: named("mint"),
        token_program: named("token_program"),
        vault: named("vault"),
        rent_payer: named("rent_payer"),
        guardian: named("guardian"),
        balance: 0,
        held: 0,
        revoked_before_slot: 0,
        spare: [0; 64],
    }
}

pub(super) fn session() -> Session {
    Session {
        version: VERSION,
        revoked: 0,
        padding: [0; 2],
        open_holds: 0,
        escrow: named("escrow"),
        session_key: named("session_key"),
        rent_payer: named("rent_payer"),
        receivers_root: [0; 32],
        incarnation: [0x11; 32],
        opened_slot: 1,
        periods_since: 0,
        first_period: 0,
        expires_at: 0,
        maximum_payment: 0,
        maximum_total: 0,
        maximum_per_period: 0,
        period_seconds: 0,
        spent: 0,
        period_spent: 0,
        period_index: 0,
        highest_nonce: 0,
        used_nonces: [0; 16],
        spare: [0; 64],
    }
}

pub(super) fn hold() -> Hold {
    Hold {
        version: VERSION,
        padding: [0; 5],
        maximum_fee_bps: 10_000,
        session: named("session"),
        receiver: named("receiver"),
        receiver_token_account: named("receiver_token_account"),
        capture_authorizer: named("capture_authorizer"),
        receiver_authorizer: named("receiver_authorizer"),
        fee_recipient: named("fee_recipient"),
        rent_payer: named("rent_payer"),
        intent_digest: [7; 32],
        amount: 10,
        captured: 0,
        fee: 0,
        capture_deadline: 0,
        period_index: 0,
        spare: [0; 16],
    }
}

pub(super) fn intent() -> Intent {
    Intent {
        program: named("program"),
        incarnation: [0x11; 32],
        escrow: named("escrow"),
        session_key: named("session_key"),
        receiver: named("receiver"),
        capture_authorizer: named("capture_authorizer"),
        receiver_authorizer: named("receiver_authorizer"),
        fee_recipient: named("fee_recipient"),
        resource_hash: [0x22; 32],
        amount: 1,
        nonce: 2,
        authorize_by: 3,
        capture_deadline: 4,
        refund_deadline: -5,
        maximum_fee_bps: 0,
        flow: PaymentFlow::Escrow,
    }
}
