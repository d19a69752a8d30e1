//! Amounts as people write them, exact in both directions.

/// Why a text is no amount of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It is not digits with at most one point between them.
    #[error("{0:?} is not an amount: write it as 1 or 1.50")]
    NotANumber(String),
    /// The token can't be divided so far.
    #[error("{text:?} has more than the token's {decimals} decimals")]
    TooFine {
        /// As it was written.
        text: String,
        /// The token's.
        decimals: u8,
    },
    /// More than 64 bits.
    #[error("{0:?} is more than a token account can hold")]
    TooLarge(String),
}

/// Reads a decimal amount of a token, `1.50`, as base units.
///
/// # Errors
/// If it is not exactly a number of base units.
pub fn parse(text: &str, decimals: u8) -> Result<u64, AmountError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || text.ends_with('.') {
        return Err(AmountError::NotANumber(text.to_owned()));
    }
    let Some(padding) = usize::from(decimals).checked_sub(fraction.len()) else {
        return Err(AmountError::TooFine { text: text.to_owned(), decimals });
    };
    let digits = format!("{whole}{fraction}{}", "0".repeat(padding));
    digits.parse().map_err(|_| AmountError::TooLarge(text.to_owned()))
}

/// Writes base units as a decimal amount, `1.5`.
pub fn format(units: u64, decimals: u8) -> String {
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
            assert_eq!(parse(text, 6), Ok(units), "{text}");
            assert_eq!(parse(&format(units, 6), 6), Ok(units));
        }
        assert_eq!((parse("5", 0), format(5, 0)), (Ok(5), "5".to_owned()));
        assert_eq!(format(1_500_000, 6), "1.5");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".5",
            "1.",
            "1.2.3",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "$1",
            "1.0000001",
            "18446744073709.551616",
        ] {
            assert!(parse(text, 6).is_err(), "{text:?}");
        }
    }
}
