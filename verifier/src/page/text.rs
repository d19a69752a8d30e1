//! How amounts, times and names are written.

use maud::{Markup, html};
use time::OffsetDateTime;
use x402_escrow_domain::books::DAY_SECONDS;

/// Base units as whole tokens: `1250000` with 6 decimals is `1.25`.
pub fn whole_units(base_units: u128, decimals: u8) -> String {
    let digits = format!("{base_units:0>width$}", width = usize::from(decimals) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.trim_end_matches('0') {
        "" => grouped,
        fraction => format!("{grouped}.{fraction}"),
    }
}

/// Unix seconds as a date and a time in UTC, which a line breaks between.
pub fn utc(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| format!("second {seconds} of unix time"),
        |at| {
            let (year, month, day) = at.to_calendar_date();
            let (hour, minute, second) = at.to_hms();
            format!("{year}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}\u{a0}UTC", u8::from(month))
        },
    )
}

/// A day of UTC, counted from 1970-01-01.
pub fn date(day: i64) -> String {
    utc(day.saturating_mul(DAY_SECONDS)).chars().take(10).collect()
}

/// How long something takes or is ago, in its two largest units.
pub fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The beginning and the end of an id or an address; all of it where the pointer rests.
pub fn short(text: &str) -> Markup {
    let cut = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    html! {
        @if text.len() > 14 {
            abbr title=(text) { (cut(0..6)) "…" (cut(text.len() - 4..text.len())) }
        } @else {
            (text)
        }
    }
}

/// An operation's kind, for people.
pub fn kind(kind: &'static str) -> &'static str {
    match kind {
        "authorize" => "hold",
        "transfer" => "payment",
        "charge" => "payment at once",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_are_exact() {
        for (base_units, decimals, text) in [
            (0, 6, "0"),
            (1, 6, "0.000001"),
            (1_250_000, 6, "1.25"),
            (1_000_000_000_000, 6, "1,000,000"),
            (123, 0, "123"),
            (1234, 0, "1,234"),
            (u128::from(u64::MAX), 9, "18,446,744,073.709551615"),
            (5, 255, &format!("0.{}5", "0".repeat(254))),
        ] {
            assert_eq!(whole_units(base_units, decimals), text);
        }
    }

    #[test]
    fn times_are_utc_and_any_number_is_a_time() {
        assert_eq!(utc(0), "1970-01-01 00:00:00\u{a0}UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59\u{a0}UTC");
        assert_eq!(utc(i64::MAX), format!("second {} of unix time", i64::MAX));
    }

    #[test]
    fn days_are_dates() {
        assert_eq!([0, 20_786].map(date), ["1970-01-01", "2026-11-29"]);
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in
            [(-5, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3661, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
