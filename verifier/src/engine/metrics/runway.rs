use std::collections::VecDeque;

/// For how long the fee payer's balances are remembered.
const WINDOW_SECONDS: i64 = 3600;

/// Nothing is concluded from less.
const LEAST_SECONDS: i64 = 600;

/// What the fee payer spends, from its balance over the last hour. Every fall is spending; a rise is somebody's
/// deposit or rent that came back, and is not set off: the estimate errs on the early side.
#[derive(Clone, Debug, Default)]
pub struct Runway {
    /// Unix seconds and lamports, oldest first.
    balances: VecDeque<(i64, u64)>,
}

impl Runway {
    /// Takes down the balance at `now`, unix seconds.
    pub fn take_down(&mut self, now: i64, lamports: u64) {
        // A clock that was set back leaves nothing to compare with.
        if self.balances.back().is_some_and(|(at, _)| *at > now) {
            self.balances.clear();
        }
        self.balances.push_back((now, lamports));
        while self.balances.front().is_some_and(|(at, _)| *at < now.saturating_sub(WINDOW_SECONDS)) {
            self.balances.pop_front();
        }
    }

    /// In how many seconds the balance is spent if it goes on as in the last hour. `None` until ten minutes are
    /// known, and while nothing is spent.
    pub fn seconds_left(&self) -> Option<f64> {
        let ((first, _), (last, lamports)) = (self.balances.front()?, self.balances.back()?);
        let seconds = last.saturating_sub(*first);
        let pairs = self.balances.iter().zip(self.balances.iter().skip(1));
        let spent: u64 = pairs.map(|((_, before), (_, after))| before.saturating_sub(*after)).sum();
        if seconds < LEAST_SECONDS || spent == 0 {
            return None;
        }
        Some(*lamports as f64 * seconds as f64 / spent as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runway(balances: &[(i64, u64)]) -> Runway {
        let mut runway = Runway::default();
        balances.iter().for_each(|(at, lamports)| runway.take_down(*at, *lamports));
        runway
    }

    #[test]
    fn nothing_is_said_before_ten_minutes_or_while_nothing_is_spent() {
        assert_eq!(runway(&[]).seconds_left(), None);
        assert_eq!(runway(&[(0, 1000), (599, 10)]).seconds_left(), None);
        assert_eq!(runway(&[(0, 1000), (600, 1000)]).seconds_left(), None);
        assert_eq!(runway(&[(0, 1000), (600, 2000)]).seconds_left(), None);
    }

    #[test]
    fn what_was_spent_in_the_last_hour_goes_on() {
        assert_eq!(runway(&[(0, 1000), (600, 900)]).seconds_left(), Some(5400.0));
        // What fell out of the hour does not count.
        assert_eq!(
            runway(&[(0, 9000), (1000, 1000), (2800, 900), (4600, 800)]).seconds_left(),
            Some(800.0 * 3600.0 / 200.0)
        );
    }

    #[test]
    fn a_deposit_hides_no_spending() {
        assert_eq!(runway(&[(0, 1000), (300, 900), (600, 5900)]).seconds_left(), Some(5900.0 * 6.0));
    }

    #[test]
    fn a_clock_that_was_set_back_starts_anew() {
        assert_eq!(runway(&[(1000, 1000), (1700, 900), (100, 800)]).seconds_left(), None);
    }
}
