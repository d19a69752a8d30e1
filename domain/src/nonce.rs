//! Which nonce an intent gets. Uses `facts`, `verify`.

use std::collections::BTreeSet;

use x402_escrow_interface::{account::Session, replay_window::MAXIMUM_NONCE_STEP};
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    facts::Facts,
    verify::{Rejection, intent},
};

/// How many of the lowest unused nonces are suggested in turn, so that requests of one client that come at the same time
/// don't get the same.
const IN_TURN: usize = 32;

/// One of the lowest nonces above all that the session has seen, and not `promised`: the one after the client's `last`, if
/// it was suggested any lately. `None` if the session takes no more now.
pub fn suggest(session: &Session, promised: &BTreeSet<u64>, last: Option<u64>) -> Option<u64> {
    let first = session.highest_nonce.checked_add(1)?;
    let end = session.highest_nonce.saturating_add(MAXIMUM_NONCE_STEP);
    let mut unused = (first..=end).filter(|nonce| !promised.contains(nonce)).take(IN_TURN);
    let lowest = unused.next()?;
    let Some(last) = last.filter(|last| *last >= lowest) else { return Some(lowest) };
    Some(unused.find(|nonce| *nonce > last).unwrap_or(lowest))
}

/// Checks a nonce that the client brought.
///
/// # Errors
/// If the chain or a promise uses it, or the session does not take it.
pub fn check(nonce: u64, facts: &Facts, promised: &BTreeSet<u64>) -> Result<(), Rejection> {
    for session in facts.views().filter_map(|view| view.session.as_ref()) {
        intent::check_nonce(nonce, session)?;
    }
    if promised.contains(&nonce) {
        let message =
            format!("nonce: {nonce} is that of a payment that was accepted and is not on chain yet");
        return Err(Rejection::new(ErrorCode::NonceInvalid, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::replay_window::WINDOW_WORDS;

    use super::*;

    fn session(highest_nonce: u64) -> Session {
        Session {
            version: 1,
            revoked: 0,
            padding: [0; 2],
            open_holds: 0,
            escrow: [1; 32].into(),
            session_key: [2; 32].into(),
            rent_payer: [3; 32].into(),
            receivers_root: [0; 32],
            incarnation: [4; 32],
            opened_slot: 1,
            periods_since: 0,
            first_period: 0,
            expires_at: i64::MAX,
            maximum_payment: 1,
            maximum_total: 1,
            maximum_per_period: 0,
            period_seconds: 0,
            spent: 0,
            period_spent: 0,
            period_index: 0,
            highest_nonce,
            used_nonces: [0; WINDOW_WORDS],
            spare: [0; 64],
        }
    }

    #[test]
    fn the_lowest_unused_nonces_are_suggested_in_turn() {
        let promised = BTreeSet::from([11, 13, 40]);
        let mut last = None;
        let mut suggested = Vec::new();
        for _ in 0..33 {
            last = suggest(&session(10), &promised, last);
            suggested.push(last.unwrap());
        }
        let expected: Vec<_> = (11..=45).filter(|nonce| !promised.contains(nonce)).collect();
        assert_eq!(suggested[..32], expected);
        assert_eq!(suggested[32], 12, "from the start again");
    }

    #[test]
    fn a_client_that_pays_one_after_the_other_uses_up_one_nonce_each() {
        for paid in 0..100 {
            assert_eq!(suggest(&session(paid), &BTreeSet::new(), Some(paid)), Some(paid + 1));
        }
    }

    #[test]
    fn none_is_suggested_that_the_session_would_not_take() {
        let all_but_last = (1..1024).collect();
        for last in [None, Some(0), Some(1024), Some(u64::MAX)] {
            assert_eq!(suggest(&session(0), &all_but_last, last), Some(1024));
        }
        assert_eq!(suggest(&session(0), &(1..=1024).collect(), None), None);
        assert_eq!(suggest(&session(u64::MAX), &BTreeSet::new(), None), None);
        assert_eq!(suggest(&session(u64::MAX - 1), &BTreeSet::new(), Some(9)), Some(u64::MAX));
    }
}
