//! Accounts and an intent whose addresses tell what they are for.

use x402_escrow_interface::{
    Address, ID,
    account::{Escrow, Hold},
    message::{Intent, PaymentFlow},
};

/// An address that stands for nothing but this name.
pub(super) fn named(name: &str) -> Address {
    Address::new_from_array(x402_escrow_tests::keys::test_seed(name))
}

pub(super) fn escrow() -> Escrow {
    Escrow {
        payer: named("payer"),
        mint: named("mint"),
        token_program: named("token_program"),
        vault: named("vault"),
        rent_payer: named("rent_payer"),
        balance: 0,
        held: 0,
        pending_withdrawal: 0,
        withdrawable_at: 0,
        withdraw_delay_seconds: 0,
        open_sessions: 0,
        decimals: 6,
        bump: 0,
        reserved: [0; 6],
    }
}

pub(super) fn hold() -> Hold {
    Hold {
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
        refunded: 0,
        capture_deadline: 0,
        refund_deadline: 0,
        period_index: 0,
        maximum_fee_bps: 10_000,
        reserved: [0; 6],
    }
}

pub(super) fn intent() -> Intent {
    Intent {
        program: ID,
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
        maximum_fee_bps: 6,
        flow: PaymentFlow::Escrow,
    }
}
