//! Accounts as the program must store them.

use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session, VERSION},
    address,
    replay_window::WINDOW_WORDS,
};
use x402_escrow_tests::model::Model;

const DECIMALS: u8 = 6;

/// An escrow as the program must store it.
pub(crate) fn stored_escrow(model: &Model, address: &Address, bump: u8) -> Escrow {
    let escrow = &model.escrows[address];
    Escrow {
        version: VERSION,
        bump,
        decimals: DECIMALS,
        padding: 0,
        open_sessions: model.sessions_of(address).count() as u32,
        payer: escrow.payer,
        mint: escrow.mint,
        token_program: escrow.token_program,
        vault: escrow.vault,
        rent_payer: escrow.rent_payer,
        guardian: escrow.guardian,
        balance: escrow.balance,
        held: model.held(address),
        revoked_before_slot: escrow.revoked_before_slot,
        spare: [0; 64],
    }
}

/// A session as the program must store it, without the bits of the replay window.
pub(crate) fn stored_session(model: &Model, address: &Address) -> Session {
    let session = &model.sessions[address];
    let limits = &session.limits;
    Session {
        version: VERSION,
        revoked: u8::from(session.revoked),
        padding: [0; 2],
        open_holds: model.holds_of(address).count() as u32,
        escrow: session.escrow,
        session_key: session.session_key,
        rent_payer: session.rent_payer,
        receivers_root: limits.receivers_root,
        incarnation: session.incarnation,
        opened_slot: session.opened_slot,
        periods_since: session.periods_since,
        first_period: session.first_period,
        expires_at: limits.expires_at,
        maximum_payment: limits.maximum_payment,
        maximum_total: limits.maximum_total,
        maximum_per_period: limits.maximum_per_period,
        period_seconds: limits.period_seconds,
        spent: session.spent(),
        period_spent: session.period_spent(),
        period_index: session.period,
        highest_nonce: session.highest_nonce(),
        used_nonces: [0; WINDOW_WORDS],
        spare: [0; 64],
    }
}

/// A hold as the program must store it.
pub(crate) fn stored_hold(model: &Model, address: &Address) -> Hold {
    let hold = &model.holds[address];
    let intent = &hold.intent;
    let escrow = &model.escrows[&intent.escrow];
    Hold {
        version: VERSION,
        padding: [0; 5],
        maximum_fee_bps: intent.maximum_fee_bps,
        session: hold.session,
        receiver: intent.receiver,
        receiver_token_account: address::associated_token(
            &intent.receiver,
            &escrow.mint,
            &escrow.token_program,
        ),
        capture_authorizer: intent.capture_authorizer,
        receiver_authorizer: intent.receiver_authorizer,
        fee_recipient: intent.fee_recipient,
        rent_payer: hold.rent_payer,
        intent_digest: intent.digest(),
        amount: hold.amount,
        captured: hold.captured,
        fee: hold.fee,
        capture_deadline: intent.capture_deadline,
        period_index: hold.period,
        spare: [0; 16],
    }
}
