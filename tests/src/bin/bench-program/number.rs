//! How numbers are written in tables and names.

/// With a comma between thousands.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let first = match digits.len() % 3 {
        0 => 3.min(digits.len()),
        rest => rest,
    };
    let (head, tail) = digits.split_at(first);
    let mut text = head.to_owned();
    for start in (0..tail.len()).step_by(3) {
        text.push(',');
        text += &tail[start..start + 3];
    }
    text
}

pub(crate) fn signed_number(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", number(value.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 7, 999, 1_000, 45_678, 123_456, 1_234_567].map(number),
            ["0", "7", "999", "1,000", "45,678", "123,456", "1,234,567"]
        );
    }
}
