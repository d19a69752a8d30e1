//! Amounts as people write them, exact in both directions.

use anyhow::{Result, bail};

/// Reads a decimal amount of a token, `1.50`, as base units.
pub(crate) fn parse(text: &str, decimals: u8) -> Result<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
        bail!("{text:?} is not an amount: write it as 1 or 1.50");
    }
    let Some(padding) = usize::from(decimals).checked_sub(fraction.len()) else {
        bail!("{text:?} has more than the token's {decimals} decimals");
    };
    match format!("{whole}{fraction}{}", "0".repeat(padding)).parse() {
        Ok(units) => Ok(units),
        Err(_) => bail!("{text:?} is more than a token account can hold"),
    }
}

/// Writes base units as a decimal amount, `1.5`.
pub(crate) fn format(units: u64, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, units) in [
            ("1", 1_000_000),
            ("1.5", 1_500_000),
            ("0.000001", 1),
            ("18446744073709.551615", u64::MAX),
            ("007", 7_000_000),
        ] {
            assert_eq!(parse(text, 6).unwrap(), units, "{text}");
        }
        assert_eq!(parse("5", 0).unwrap(), 5);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "0.0000001", "18446744073709.551616", " 1"]
        {
            assert!(parse(text, 6).is_err(), "{text:?}");
        }
        assert!(parse("0.5", 0).is_err());
    }

    #[test]
    fn format_is_the_inverse() {
        for units in [0, 1, 10, 999_999, 1_000_000, 1_500_000, u64::MAX] {
            assert_eq!(parse(&format(units, 6), 6).unwrap(), units);
        }
        assert_eq!(format(1_500_000, 6), "1.5");
        assert_eq!(format(7, 0), "7");
    }
}
