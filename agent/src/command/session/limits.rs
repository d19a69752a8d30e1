//! Reads and checks a session's limits as the owner typed them.

use std::time::Duration;

use x402_escrow_interface::{instruction::SessionLimits, message::Digest};

use crate::{command::tokens, problem::Problem};

/// Limits in tokens and words.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) max_payment: String,
    pub(super) max_total: String,
    pub(super) max_per_period: Option<String>,
    pub(super) period: Option<Duration>,
    pub(super) expires: Duration,
}

impl Written {
    /// The limits of a session that is opened at `now` (unix seconds).
    pub(super) fn read(
        &self,
        decimals: u8,
        now: i64,
        receivers_root: Digest,
    ) -> Result<SessionLimits, Problem> {
        let limits = SessionLimits {
            expires_at: expiry(self.expires, now)?,
            maximum_payment: tokens("--max-payment", &self.max_payment, decimals)?,
            maximum_total: tokens("--max-total", &self.max_total, decimals)?,
            maximum_per_period: self
                .max_per_period
                .as_deref()
                .map_or(Ok(0), |text| tokens("--max-per-period", text, decimals))?,
            period_seconds: self.period.map_or(0, |period| period.as_secs()),
            receivers_root,
        };
        check(&limits, now)?;
        Ok(limits)
    }
}

/// When a session ends that lasts so long from `now` on.
pub(super) fn expiry(lasts: Duration, now: i64) -> Result<i64, Problem> {
    let seconds = i64::try_from(lasts.as_secs()).ok();
    seconds
        .and_then(|seconds| now.checked_add(seconds))
        .ok_or_else(|| Problem::argument("--expires", "is too far off").remedy("say how long it lasts: 30d"))
}

/// The program's rules, and those that a session makes sense by.
pub(super) fn check(limits: &SessionLimits, now: i64) -> Result<(), Problem> {
    let SessionLimits {
        expires_at, maximum_payment, maximum_total, maximum_per_period, period_seconds, ..
    } = *limits;
    let refuse = |holds: bool, flag, message: &str, remedy: &str| match holds {
        true => Ok(()),
        false => Err(Problem::argument(flag, message).remedy(remedy)),
    };
    refuse(
        maximum_payment > 0,
        "--max-payment",
        "0 would refuse every payment",
        "name what one payment may cost",
    )?;
    refuse(
        maximum_total >= maximum_payment,
        "--max-total",
        "is below --max-payment, which no payment could reach",
        "raise --max-total or lower --max-payment",
    )?;
    refuse(
        (maximum_per_period == 0) == (period_seconds == 0),
        "--max-per-period",
        "a limit per period needs both an amount above 0 and a length of at least a second",
        "give both --max-per-period and --period, or neither",
    )?;
    refuse(
        maximum_per_period == 0 || maximum_per_period >= maximum_payment,
        "--max-per-period",
        "is below --max-payment, which no payment could reach",
        "raise --max-per-period or lower --max-payment",
    )?;
    refuse(expires_at > now, "--expires", "lies in the past", "say how long it lasts from now on: 30d")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            max_payment: "0.50".into(),
            max_total: "10".into(),
            max_per_period: Some("1".into()),
            period: Some(Duration::from_secs(3600)),
            expires: Duration::from_secs(60),
        }
    }

    fn refused(change: impl FnOnce(&mut Written)) -> String {
        let mut changed = written();
        change(&mut changed);
        changed.read(6, 100, [0; 32]).unwrap_err().to_string()
    }

    #[test]
    fn limits_are_read_in_tokens() {
        let limits = written().read(6, 100, [7; 32]).unwrap();
        let expected = SessionLimits {
            expires_at: 160,
            maximum_payment: 500_000,
            maximum_total: 10_000_000,
            maximum_per_period: 1_000_000,
            period_seconds: 3600,
            receivers_root: [7; 32],
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn limits_that_no_payment_could_use_are_refused_with_their_flag() {
        type Change = fn(&mut Written);
        let flags: [(&str, Change); 6] = [
            ("--max-payment: 0 ", |written| written.max_payment = "0".into()),
            ("--max-payment: ", |written| written.max_payment = "much".into()),
            ("--max-total: is below", |written| written.max_total = "0.4".into()),
            ("--max-per-period: a limit", |written| written.period = None),
            ("--max-per-period: is below", |written| written.max_per_period = Some("0.1".into())),
            ("--expires: ", |written| written.expires = Duration::ZERO),
        ];
        for (start, change) in flags {
            let error = refused(change);
            assert!(error.starts_with(start), "{error}");
        }
    }
}
