use x402_escrow_interface::{
    account::{Escrow, Hold, Session},
    replay_window::{self, NonceError, WINDOW_NONCES, WINDOW_WORDS},
};
use x402_escrow_tests::{model, model::Model, svm::Chain};

use super::stored::{stored_escrow, stored_hold, stored_session};

/// Every account of the program, every token account and everybody's lamports must be as the model
/// has them.
pub(crate) fn compare(model: &Model, chain: &Chain) {
    for address in model.escrows.keys() {
        let stored = Escrow::decode(&chain.data(address).expect("the escrow exists")).unwrap();
        assert_eq!(stored, stored_escrow(model, address, stored.bump), "escrow {address}: chain, model");
    }
    for (address, session) in &model.sessions {
        let stored = Session::decode(&chain.data(address).expect("the session exists")).unwrap();
        let without_bits = Session { used_nonces: [0; WINDOW_WORDS], ..stored };
        assert_eq!(without_bits, stored_session(model, address), "session {address}: chain, model");
        compare_nonces(&stored, session);
    }
    // There is no other hold: each session counts the same number of holds as the model, and the
    // ledger has as many.
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

/// The bitmap must refuse exactly the nonces that were used, as far back as it reaches.
fn compare_nonces(stored: &Session, session: &model::Session) {
    let highest = stored.highest_nonce;
    for nonce in highest.saturating_sub(WINDOW_NONCES).max(1)..=highest {
        let used = replay_window::check(highest, &stored.used_nonces, nonce) == Err(NonceError::Used);
        assert_eq!(used, session.nonces.contains(&nonce), "nonce {nonce} used: chain, model");
    }
}
