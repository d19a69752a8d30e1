use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address,
    replay_window::{self, NonceError, WINDOW_NONCES},
};
use x402_escrow_tests::{model, model::Model, svm::Chain};

const DECIMALS: u8 = 6;

/// Every account of the program, every token account and everybody's lamports must be as the model has them.
pub(crate) fn compare(model: &Model, chain: &Chain) {
    for address in model.escrows.keys() {
        let stored = Escrow::decode(&chain.data(address).expect("the escrow exists")).unwrap();
        assert_eq!(stored, stored_escrow(model, address, stored.bump), "escrow {address}: chain, model");
    }
    for (address, session) in &model.sessions {
        let stored = Session::decode(&chain.data(address).expect("the session exists")).unwrap();
        assert_eq!(stored, stored_session(model, address, &stored), "session {address}: chain, model");
        compare_nonces(&stored, session);
    }
    // There is no other hold: each session counts the same number of holds as the model, and the ledger has as many.
    for address in model.holds.keys() {
        let stored = Hold::decode(&chain.data(address).expect("the hold exists")).unwrap();
        assert_eq!(stored, stored_hold(model, address), "hold {address}: chain, model");
    }
    for (address, account) in &model.tokens {
        assert_eq!(chain.tokens(address), account.amount, "tokens of {address}: chain, model");
    }
    for (address, lamports) in &model.lamports {
        assert_eq!(chain.lamports(address), *lamports, "lamports of {address}: chain, model");
    }
}

/// An escrow as the program must store it.
pub(crate) fn stored_escrow(model: &Model, address: &Address, bump: u8) -> Escrow {
    let escrow = &model.escrows[address];
    Escrow {
        payer: escrow.payer,
        mint: escrow.mint,
        token_program: escrow.token_program,
        vault: escrow.vault,
        rent_payer: escrow.rent_payer,
        balance: escrow.balance,
        held: model.held(address),
        pending_withdrawal: escrow.pending_withdrawal,
        withdrawable_at: escrow.withdrawable_at,
        withdraw_delay_seconds: escrow.withdraw_delay_seconds,
        open_sessions: model.sessions_of(address).count() as u32,
        decimals: DECIMALS,
        bump,
        reserved: [0; 6],
    }
}

/// A session as the program must store it, but for the nonces' bitmap.
fn stored_session(model: &Model, address: &Address, stored: &Session) -> Session {
    let session = &model.sessions[address];
    let limits = &session.limits;
    Session {
        escrow: session.escrow,
        session_key: session.session_key,
        rent_payer: session.rent_payer,
        receiver: limits.receiver,
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
        used_nonces: stored.used_nonces,
        open_holds: model.holds_of(address).count() as u32,
        revoked: u8::from(session.revoked),
        reserved: [0; 3],
    }
}

/// The bitmap must refuse exactly the nonces that were used, as far back as it reaches.
fn compare_nonces(stored: &Session, session: &model::Session) {
    let highest = stored.highest_nonce;
    for nonce in highest.saturating_sub(WINDOW_NONCES).max(1)..=highest {
        let used = replay_window::check(highest, &stored.used_nonces, nonce) == Err(NonceError::Used);
        assert_eq!(used, session.nonces.contains(&nonce), "nonce {nonce} used: chain, model");
    }
}

/// A hold as the program must store it.
pub(crate) fn stored_hold(model: &Model, address: &Address) -> Hold {
    let hold = &model.holds[address];
    let intent = &hold.intent;
    let escrow = &model.escrows[&intent.escrow];
    Hold {
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
        refunded: hold.refunded,
        capture_deadline: intent.capture_deadline,
        refund_deadline: intent.refund_deadline,
        period_index: hold.period,
        maximum_fee_bps: intent.maximum_fee_bps,
        reserved: [0; 6],
    }
}
