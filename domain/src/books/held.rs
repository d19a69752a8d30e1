//! Sums of what is held now. They are kept, since reading every open payment takes too long once there are many.

use x402_escrow_interface::Address;

use super::Entry;

const MINUTE_SECONDS: i64 = 60;

/// The minute of a unix second, counted from 1970-01-01.
pub fn minute_of(seconds: i64) -> i64 {
    seconds.div_euclid(MINUTE_SECONDS)
}

/// The last unix second of a minute.
pub fn last_second_of(minute: i64) -> i64 {
    minute.saturating_mul(MINUTE_SECONDS).saturating_add(MINUTE_SECONDS - 1)
}

/// The payments that a sum counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// All of them.
    All,
    /// Those of a receiver.
    Receiver(Address),
    /// Those that were accepted in a minute.
    Minute(i64),
}

/// Names one of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldSum {
    /// The payments.
    pub of: Of,
    /// The token: each sum is of one.
    pub mint: Address,
}

impl HeldSum {
    /// The sums that count what a payment holds.
    pub fn with(entry: &Entry) -> [Self; 3] {
        [Of::All, Of::Receiver(entry.receiver), Of::Minute(minute_of(entry.accepted_at))]
            .map(|of| Self { of, mint: entry.mint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_ends_with_its_last_second() {
        assert_eq!([-1, 0, 59, 60].map(minute_of), [-1, 0, 0, 1]);
        assert_eq!([-1, 0, 59, 60].map(|seconds| last_second_of(minute_of(seconds))), [-1, 59, 59, 119]);
    }
}
