//! Which nonce an agent may sign next. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use x402_escrow_interface::replay_window::{MAXIMUM_NONCE_STEP, WINDOW_NONCES};
use x402_escrow_wire::text::{Decimal, Hex32};

/// How long an intent that was not held by its authorize-by time keeps its nonce, in seconds:
/// clocks differ.
pub(crate) const MARGIN_SECONDS: i64 = 60;
/// How long a nonce waits for the draft that it is for, in seconds: longer than a verifier may
/// take.
pub(crate) const DRAFT_SECONDS: i64 = 120;

/// The nonces of one session. Each is fresh, free again, outstanding, or gone for good; only the
/// first two can be taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Nonces {
    /// The highest that an answer showed to be used on chain; 0 for none.
    pub(super) highest_used: Decimal,
    /// The highest that was ever taken; those above are fresh.
    pub(super) highest_taken: Decimal,
    /// Taken once, and not used.
    free: BTreeSet<Decimal>,
    /// Taken, and not known to be used.
    pub(super) outstanding: BTreeMap<Decimal, Outstanding>,
}

/// The use of a nonce that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Outstanding {
    /// A draft that was asked for. Only the holder of the ticket may sign it.
    Asked { ticket: Decimal, until: i64 },
    /// An intent that was signed.
    Signed { payment_id: Hex32, authorize_by: i64 },
}

impl Outstanding {
    /// Last second in which nobody else may take the nonce, unix.
    fn reserved_until(self) -> i64 {
        match self {
            Self::Asked { until, .. } => until,
            Self::Signed { authorize_by, .. } => authorize_by.saturating_add(MARGIN_SECONDS),
        }
    }
}

/// No nonce can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoneLeft {
    /// The first second in which an outstanding one is free again, unix; `None` if none is
    /// outstanding.
    pub(super) free_at: Option<i64>,
}

impl Nonces {
    /// The highest that may be taken: the program accepts none further above those it has seen.
    pub(super) fn bound(&self) -> u64 {
        self.highest_used.0.saturating_add(MAXIMUM_NONCE_STEP)
    }

    /// Takes the lowest nonce above `above` that is free or fresh, for the holder of `ticket`.
    pub(super) fn take(&mut self, above: u64, ticket: Decimal, now: i64) -> Result<u64, NoneLeft> {
        self.outstanding.retain(|nonce, outstanding| {
            let is_reserved = now <= outstanding.reserved_until();
            if !is_reserved {
                self.free.insert(*nonce);
            }
            is_reserved
        });
        // The program refuses those that are further behind.
        self.free = self.free.split_off(&Decimal(self.highest_used.0.saturating_sub(WINDOW_NONCES)));

        let free = self.free.iter().map(|nonce| nonce.0).find(|nonce| *nonce > above);
        let nonce = free.or_else(|| self.fresh(above)).filter(|nonce| *nonce <= self.bound());
        let Some(nonce) = nonce else {
            let reserved_until = self.outstanding.values().map(|outstanding| outstanding.reserved_until());
            return Err(NoneLeft { free_at: reserved_until.min().map(|until| until.saturating_add(1)) });
        };
        self.free.remove(&Decimal(nonce));
        self.highest_taken = self.highest_taken.max(Decimal(nonce));
        let until = now.saturating_add(DRAFT_SECONDS);
        self.outstanding.insert(Decimal(nonce), Outstanding::Asked { ticket, until });
        Ok(nonce)
    }

    /// The lowest fresh nonce above `above`. After [`Self::restart_at`] some above the highest
    /// taken are outstanding.
    fn fresh(&self, above: u64) -> Option<u64> {
        let mut nonce = self.highest_taken.0.max(above).checked_add(1)?;
        while self.outstanding.contains_key(&Decimal(nonce)) {
            nonce = nonce.checked_add(1)?;
        }
        Some(nonce)
    }

    fn is_asked_by(&self, nonce: u64, wanted: Decimal) -> bool {
        let outstanding = self.outstanding.get(&Decimal(nonce));
        matches!(outstanding, Some(Outstanding::Asked { ticket, .. }) if *ticket == wanted)
    }

    /// Notes that an intent with the nonce is signed now. `false` if the nonce is not the ticket's
    /// any more: then it must not be signed.
    pub(super) fn sign(&mut self, nonce: u64, ticket: Decimal, payment_id: Hex32, authorize_by: i64) -> bool {
        let may_sign = self.is_asked_by(nonce, ticket);
        if may_sign {
            self.outstanding.insert(Decimal(nonce), Outstanding::Signed { payment_id, authorize_by });
        }
        may_sign
    }

    /// Frees a nonce for which nothing was signed.
    pub(super) fn release(&mut self, nonce: u64, ticket: Decimal) {
        if self.is_asked_by(nonce, ticket) {
            self.outstanding.remove(&Decimal(nonce));
            self.free.insert(Decimal(nonce));
        }
    }

    /// Drops a nonce that the verifier says is used. It does not count as used here: a verifier
    /// that lies could otherwise lead the agent beyond what the program accepts.
    pub(super) fn refuse(&mut self, nonce: u64, ticket: Decimal) {
        if self.is_asked_by(nonce, ticket) {
            self.outstanding.remove(&Decimal(nonce));
        }
    }

    /// Notes that a signed payment is held: its nonce is used for good.
    pub(super) fn held(&mut self, payment: Hex32) {
        let found = self.outstanding.iter().find_map(|(nonce, outstanding)| match outstanding {
            Outstanding::Signed { payment_id, .. } if *payment_id == payment => Some(*nonce),
            _ => None,
        });
        if let Some(nonce) = found {
            self.outstanding.remove(&nonce);
            self.highest_used = self.highest_used.max(nonce);
        }
    }

    /// Goes on with `next`, as if all below it were used. What is outstanding stays so.
    pub(super) fn restart_at(&mut self, next: u64) {
        self.highest_used = Decimal(next.saturating_sub(1));
        self.highest_taken = self.highest_used;
        self.free.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;
    const TICKET: Decimal = Decimal(77);

    fn id(nonce: u64) -> Hex32 {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&nonce.to_le_bytes());
        Hex32(id)
    }

    /// Takes and signs a nonce that can be held until `NOW`.
    fn sign(nonces: &mut Nonces) -> u64 {
        let nonce = nonces.take(0, TICKET, NOW).unwrap();
        assert!(nonces.sign(nonce, TICKET, id(nonce), NOW));
        nonce
    }

    fn take(nonces: &mut Nonces, now: i64) -> u64 {
        nonces.take(0, TICKET, now).unwrap()
    }

    #[test]
    fn nonces_start_at_1_and_none_is_handed_out_twice() {
        let mut nonces = Nonces::default();
        let taken: Vec<_> = (0..5).map(|_| take(&mut nonces, NOW)).collect();
        assert_eq!(taken, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_nonce_for_which_nothing_was_signed_is_free_at_once() {
        let mut nonces = Nonces::default();
        (0..3).for_each(|_| _ = take(&mut nonces, NOW));
        nonces.release(2, TICKET);
        assert_eq!([take(&mut nonces, NOW), take(&mut nonces, NOW)], [2, 4]);
    }

    #[test]
    fn a_signed_nonce_is_free_again_a_minute_after_it_can_be_held() {
        let mut nonces = Nonces::default();
        sign(&mut nonces);
        nonces.release(1, TICKET);
        assert_eq!(take(&mut nonces, NOW + MARGIN_SECONDS), 2, "a signed nonce is not released");
        assert_eq!(take(&mut nonces, NOW + MARGIN_SECONDS + 1), 1);
    }

    #[test]
    fn a_held_nonce_is_used_for_good() {
        let mut nonces = Nonces::default();
        sign(&mut nonces);
        sign(&mut nonces);
        nonces.held(id(1));
        nonces.held(id(9));
        assert_eq!(nonces.highest_used, Decimal(1));
        assert_eq!([take(&mut nonces, NOW + 3600), take(&mut nonces, NOW + 3600)], [2, 3]);
    }

    #[test]
    fn a_refused_nonce_is_dropped_and_raises_no_bound() {
        let mut nonces = Nonces::default();
        take(&mut nonces, NOW);
        nonces.refuse(1, TICKET);
        assert_eq!(take(&mut nonces, NOW + 3600), 2);
        assert_eq!(nonces.bound(), 1024);
        // A search skips some.
        nonces.refuse(2, TICKET);
        assert_eq!(nonces.take(9, TICKET, NOW), Ok(10));
    }

    #[test]
    fn of_a_nonce_whose_draft_never_came_only_the_next_holder_may_sign() {
        let mut nonces = Nonces::default();
        take(&mut nonces, NOW);
        assert_eq!(take(&mut nonces, NOW + DRAFT_SECONDS), 2);
        let other = Decimal(78);
        assert_eq!(nonces.take(0, other, NOW + DRAFT_SECONDS + 1), Ok(1));
        assert!(!nonces.sign(1, TICKET, id(1), NOW + 300), "its time has passed");
        nonces.release(1, TICKET);
        nonces.refuse(1, TICKET);
        assert!(nonces.sign(1, other, id(1), NOW + 300));
        assert!(!nonces.sign(1, other, id(2), NOW + 300), "a nonce is signed once");
    }

    #[test]
    fn no_nonce_is_more_than_1024_above_the_highest_used() {
        let mut nonces = Nonces::default();
        let signed: Vec<_> = (0..1024).map(|_| sign(&mut nonces)).collect();
        assert_eq!(signed.last(), Some(&1024));
        let free_at = NOW + MARGIN_SECONDS + 1;
        assert_eq!(nonces.take(0, TICKET, NOW), Err(NoneLeft { free_at: Some(free_at) }));
        nonces.held(id(3));
        assert_eq!((nonces.bound(), take(&mut nonces, NOW)), (1027, 1025));
        assert_eq!(take(&mut nonces, free_at), 1);

        let mut refused = Nonces::default();
        for _ in 0..1024 {
            let nonce = take(&mut refused, NOW);
            refused.refuse(nonce, TICKET);
        }
        assert_eq!(refused.take(0, TICKET, NOW), Err(NoneLeft { free_at: None }));
    }

    #[test]
    fn nonces_that_the_program_finds_too_old_are_not_used_again() {
        let mut nonces = Nonces::default();
        (0..2).for_each(|_| _ = sign(&mut nonces));
        nonces.restart_at(1026);
        // Both are free by now. The program has seen 1025 and accepts nonces from 1 on; after 1026,
        // from 2 on.
        assert_eq!(take(&mut nonces, NOW + 3600), 1);
        let mut nonces = Nonces::default();
        (0..2).for_each(|_| _ = sign(&mut nonces));
        nonces.restart_at(1027);
        assert_eq!(take(&mut nonces, NOW + 3600), 2);
    }

    #[test]
    fn a_restart_hands_out_nothing_that_is_outstanding() {
        let mut nonces = Nonces::default();
        (0..2).for_each(|_| _ = sign(&mut nonces));
        nonces.restart_at(1);
        assert_eq!(take(&mut nonces, NOW), 3);
        nonces.restart_at(500);
        assert_eq!((take(&mut nonces, NOW), nonces.bound()), (500, 1523));
    }

    #[test]
    fn the_largest_nonces_end_without_overflow() {
        let mut nonces = Nonces::default();
        nonces.restart_at(u64::MAX);
        assert_eq!(take(&mut nonces, NOW), u64::MAX);
        assert!(nonces.take(0, TICKET, NOW).is_err());
    }
}
