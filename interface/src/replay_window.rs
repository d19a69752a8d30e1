//! The anti-replay window of a session, as IPsec and DTLS keep one (RFC 4303 3.4.3, RFC 6479): the highest nonce
//! seen and one bit for each of the 1,024 below it. Constant state, arrival in any order.
//!
//! A nonce may be at most [`MAXIMUM_NONCE_STEP`] above the highest, so that no single signature uses up a session.

/// How far behind the highest nonce an unused one is still accepted.
pub const WINDOW_NONCES: u64 = 1024;

/// How far above the highest nonce seen the next one may be.
pub const MAXIMUM_NONCE_STEP: u64 = WINDOW_NONCES;

/// 64-bit words of the bitmap.
pub const WINDOW_WORDS: usize = (WINDOW_NONCES / 64) as usize;

/// Why a nonce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceError {
    /// The nonce was used before. 0 counts as used: nonces start at 1.
    Used,
    /// The nonce is more than [`WINDOW_NONCES`] behind the highest one seen.
    TooOld,
    /// The nonce is more than [`MAXIMUM_NONCE_STEP`] above the highest one seen.
    TooFarAhead,
}

/// Whether `nonce` can still be used.
///
/// `used` is a ring: bit `n % 1024` stands for nonce `n` among the 1,024 below `highest`; `highest` itself needs no
/// bit. A session that has seen nothing has `highest` 0 and an empty bitmap.
pub fn check(highest: u64, used: &[u64; WINDOW_WORDS], nonce: u64) -> Result<(), NonceError> {
    if nonce > highest {
        return if nonce - highest <= MAXIMUM_NONCE_STEP { Ok(()) } else { Err(NonceError::TooFarAhead) };
    }
    let behind = highest - nonce;
    if behind > WINDOW_NONCES {
        return Err(NonceError::TooOld);
    }
    let (word, bit) = position(nonce);
    if behind == 0 || nonce == 0 || used[word] & bit != 0 {
        return Err(NonceError::Used);
    }
    Ok(())
}

/// Marks `nonce` as used, after the same check as [`check`]. Changes nothing where it fails.
pub fn record(highest: &mut u64, used: &mut [u64; WINDOW_WORDS], nonce: u64) -> Result<(), NonceError> {
    check(*highest, used, nonce)?;
    if nonce > *highest {
        advance(*highest, used, nonce);
        *highest = nonce;
    } else {
        let (word, bit) = position(nonce);
        used[word] |= bit;
    }
    Ok(())
}

/// Moves the window up to `new`: the old highest nonce gets its bit, the nonces skipped in between lose the bits
/// of those that leave the window.
fn advance(old: u64, used: &mut [u64; WINDOW_WORDS], new: u64) {
    let (old_word, old_bit) = position(old);
    // The slots of old + 1 ..= new - 1, cleared a word at a time.
    let mut next = old + 1;
    while next < new {
        let (word, _) = position(next);
        let offset = next % 64;
        let count = (64 - offset).min(new - next);
        used[word] &= !(ones(count) << offset);
        next += count;
    }
    used[old_word] |= old_bit;
}

/// `count` low bits set, `count` from 1 to 64.
fn ones(count: u64) -> u64 {
    u64::MAX >> (64 - count)
}

fn position(nonce: u64) -> (usize, u64) {
    (((nonce % WINDOW_NONCES) / 64) as usize, 1 << (nonce % 64))
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    /// The definition: every nonce ever seen, and the highest.
    #[derive(Default)]
    struct Model {
        seen: BTreeSet<u64>,
    }

    impl Model {
        fn record(&mut self, nonce: u64) -> Result<(), NonceError> {
            let highest = self.seen.last().copied().unwrap_or(0);
            if nonce.saturating_add(WINDOW_NONCES) < highest {
                return Err(NonceError::TooOld);
            }
            if nonce > highest + MAXIMUM_NONCE_STEP {
                return Err(NonceError::TooFarAhead);
            }
            if nonce == 0 || !self.seen.insert(nonce) {
                return Err(NonceError::Used);
            }
            Ok(())
        }
    }

    /// xorshift64*, seeded: the same sequence at every run.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    #[test]
    fn agrees_with_the_definition_over_random_sequences() {
        for seed in 1..=40 {
            let (mut highest, mut used, mut model, mut state) =
                (0, [0; WINDOW_WORDS], Model::default(), seed * 7919);
            for _ in 0..3000 {
                let spread = [3, 70, 1030, 2100][(random(&mut state) % 4) as usize];
                let step = random(&mut state) % spread;
                let nonce = if random(&mut state).is_multiple_of(2) {
                    highest + step
                } else {
                    u64::saturating_sub(highest, step)
                };
                assert_eq!(
                    record(&mut highest, &mut used, nonce),
                    model.record(nonce),
                    "seed {seed} nonce {nonce} highest {highest}"
                );
            }
        }
    }

    #[test]
    fn oldest_nonce_of_the_window_is_accepted_once_and_the_one_below_is_dead() {
        let (mut highest, mut used) = (0, [0; WINDOW_WORDS]);
        for nonce in [1000, 2000] {
            record(&mut highest, &mut used, nonce).unwrap();
        }
        assert_eq!(record(&mut highest, &mut used, 2000 - 1024), Ok(()));
        assert_eq!(record(&mut highest, &mut used, 2000 - 1024), Err(NonceError::Used));
        assert_eq!(record(&mut highest, &mut used, 2000 - 1025), Err(NonceError::TooOld));
    }

    #[test]
    fn no_nonce_leaves_more_than_a_window_behind() {
        let (mut highest, mut used) = (7, [0; WINDOW_WORDS]);
        for far in [7 + 1025, u64::MAX] {
            assert_eq!(record(&mut highest, &mut used, far), Err(NonceError::TooFarAhead));
        }
        assert_eq!(record(&mut highest, &mut used, 7 + 1024), Ok(()));
        assert_eq!(record(&mut highest, &mut used, 7), Err(NonceError::Used));
        assert_eq!(record(&mut highest, &mut used, 8), Ok(()));
    }

    #[test]
    fn the_last_nonce_of_all_leaves_no_way_round() {
        let (mut highest, mut used) = (u64::MAX - 1024, [0; WINDOW_WORDS]);
        record(&mut highest, &mut used, u64::MAX).unwrap();
        assert_eq!(record(&mut highest, &mut used, u64::MAX), Err(NonceError::Used));
        assert_eq!(record(&mut highest, &mut used, u64::MAX - 1), Ok(()));
        assert_eq!(record(&mut highest, &mut used, 1), Err(NonceError::TooOld));
    }

    #[test]
    fn nonce_zero_is_never_valid() {
        let (mut highest, mut used) = (0, [0; WINDOW_WORDS]);
        assert_eq!(record(&mut highest, &mut used, 0), Err(NonceError::Used));
        record(&mut highest, &mut used, 3).unwrap();
        assert_eq!(record(&mut highest, &mut used, 0), Err(NonceError::Used));
    }

    #[test]
    fn a_refused_nonce_changes_nothing() {
        let (mut highest, mut used) = (0, [0; WINDOW_WORDS]);
        record(&mut highest, &mut used, 1000).unwrap();
        record(&mut highest, &mut used, 2000).unwrap();
        let before = (highest, used);
        for nonce in [2000, 3, 4000] {
            record(&mut highest, &mut used, nonce).unwrap_err();
        }
        assert_eq!((highest, used), before);
    }
}
