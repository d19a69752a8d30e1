//! Amounts, times, keys, hashes and signatures, as JSON has them.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_value, to_value};
use x402_escrow_wire::text::{Base58, Decimal, Hex32, Key};

pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let decimal = read::<Decimal>(text);
    if let Some(Decimal(number)) = decimal {
        let digits = text.trim_start_matches('0');
        assert_eq!(number.to_string(), if digits.is_empty() { "0" } else { digits });
    }
    let key = read::<Key>(text);
    let signature = read::<Base58<64>>(text);
    // Base58 has one way to write what it writes.
    assert!(key.is_none_or(|key| key.to_string() == text));
    assert!(signature.is_none_or(|signature| signature.to_string() == text));
    let hash = read::<Hex32>(text);
    assert!(hash.is_none_or(|hash| hash.to_string() == text.to_ascii_lowercase()));
    let time = serde_json::from_str::<i64>(text);
    if let Ok(time) = &time {
        assert_eq!(text.trim().parse(), Ok(*time));
    }
    decimal.is_some() || key.is_some() || signature.is_some() || hash.is_some() || time.is_ok()
}

/// Reads `text` on its own and as a JSON string, which must agree, and reads again what that writes.
fn read<T>(text: &str) -> Option<T>
where
    T: FromStr + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let read = text.parse::<T>().ok();
    assert_eq!(from_value::<T>(Value::from(text)).ok(), read);
    let value = read?;
    let written = to_value(&value).expect("it is written as a string");
    assert_eq!(written, Value::from(value.to_string()));
    assert_eq!(from_value::<T>(written).expect("what was written can be read"), value);
    Some(value)
}
