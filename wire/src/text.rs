//! How bytes and numbers are written in JSON and headers.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use five8::{BASE58_ENCODED_32_MAX_LEN, BASE58_ENCODED_64_MAX_LEN};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};
use x402_escrow_interface::Address;

/// `N` bytes written as base58: keys, addresses, hashes (32) and signatures (64).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Base58<const N: usize>(pub [u8; N]);

/// A key or an address.
pub type Key = Base58<32>;

impl<const N: usize> fmt::Display for Base58<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const { assert!(N == 32 || N == 64, "only 32 and 64 bytes are written as base58") };
        let bytes = self.0.as_slice();
        let (mut of_32, mut of_64) = ([0_u8; BASE58_ENCODED_32_MAX_LEN], [0_u8; BASE58_ENCODED_64_MAX_LEN]);
        let text = if let Ok(bytes) = <&[u8; 32]>::try_from(bytes) {
            let length = usize::from(five8::encode_32(bytes, &mut of_32));
            of_32.get(..length)
        } else if let Ok(bytes) = <&[u8; 64]>::try_from(bytes) {
            let length = usize::from(five8::encode_64(bytes, &mut of_64));
            of_64.get(..length)
        } else {
            None
        };
        let text = text.and_then(|text| std::str::from_utf8(text).ok());
        formatter.write_str(text.ok_or(fmt::Error)?)
    }
}

impl<const N: usize> fmt::Debug for Base58<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl<const N: usize> std::str::FromStr for Base58<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const { assert!(N == 32 || N == 64, "only 32 and 64 bytes are read as base58") };
        let mut bytes = [0_u8; N];
        let read = if let Ok(bytes) = <&mut [u8; 32]>::try_from(bytes.as_mut_slice()) {
            five8::decode_32(text, bytes).is_ok()
        } else if let Ok(bytes) = <&mut [u8; 64]>::try_from(bytes.as_mut_slice()) {
            five8::decode_64(text, bytes).is_ok()
        } else {
            false
        };
        if read { Ok(Self(bytes)) } else { Err(format!("expected {N} bytes as base58")) }
    }
}

impl<const N: usize> Serialize for Base58<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Base58<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl From<Address> for Key {
    fn from(address: Address) -> Self {
        Self(address.to_bytes())
    }
}

impl From<Key> for Address {
    fn from(key: Key) -> Self {
        Self::from(key.0)
    }
}

/// 32 bytes written as 64 lower-case hex digits: payment ids and resource hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex32(pub [u8; 32]);

impl fmt::Display for Hex32 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hex32 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for Hex32 {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "expected 64 hex digits".to_owned())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A whole number written as a decimal string, as x402 writes amounts (base units) so that JavaScript keeps every
/// digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(pub u64);

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::str::FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.map(Self).ok_or_else(|| format!("expected a whole number from 0 to {} as a string", u64::MAX))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Reads a field where `null` means the same as its absence, as x402 has it for optional fields.
///
/// # Errors
/// If the value is neither `null` nor a `T`.
pub fn null_as_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Why a header can't be read.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The header's value is not base64.
    #[error("the header is not base64 (RFC 4648 section 4): {0}")]
    NotBase64(#[from] base64::DecodeError),
    /// The decoded header is not the JSON that belongs there.
    #[error("the header's JSON is not what x402 version 2 has there: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Reads a header's value: base64 of UTF-8 JSON.
///
/// # Errors
/// If the value is not base64 or the JSON in it not a `T`.
pub fn decode_header<T: DeserializeOwned>(value: &str) -> Result<T, HeaderError> {
    Ok(serde_json::from_slice(&STANDARD.decode(value.trim())?)?)
}

/// Writes a header's value: base64 of JSON.
///
/// # Errors
/// If `value` can't be written as JSON (a map with keys that are not strings, say).
pub fn encode_header<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(STANDARD.encode(serde_json::to_vec(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_takes_digits_only() {
        assert_eq!("18446744073709551615".parse(), Ok(Decimal(u64::MAX)));
        for bad in ["", "+1", "-1", "1.0", "1e3", " 1", "0x1", "18446744073709551616"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn base58_takes_the_exact_length_only() {
        let key = Base58([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        let of = |bytes: &[u8]| bs58::encode(bytes).into_string();
        for bad in [of(&[7; 31]), of(&[7; 33]), of(&[7; 64]), "0OIl".into(), "é".into(), "1".repeat(5000)] {
            assert!(bad.parse::<Key>().is_err(), "{bad:.50}");
        }
        for bad in [String::new(), of(&[0; 31]), of(&[0; 33]), of(&[0xff; 33])] {
            assert!(bad.parse::<Key>().is_err(), "{bad:.50}");
        }
    }

    /// Of each length: zeros at either end, and every bit.
    #[test]
    fn base58_is_what_another_implementation_writes() {
        fn agrees<const N: usize>() {
            let zeros = (0..=N).flat_map(|zeros| {
                let (mut before, mut behind) = ([0xff_u8; N], [0xff_u8; N]);
                before[..zeros].fill(0);
                behind[N - zeros..].fill(0);
                [before, behind]
            });
            let bits = (0..8 * N).map(|bit| {
                let mut bytes = [0; N];
                bytes[bit / 8] = 1_u8 << (bit % 8);
                bytes
            });
            for bytes in zeros.chain(bits) {
                let text = bs58::encode(bytes).into_string();
                assert_eq!(Base58(bytes).to_string(), text);
                assert_eq!(text.parse(), Ok(Base58(bytes)));
                assert!(format!("1{text}").parse::<Base58<N>>().is_err(), "{text}");
            }
        }
        agrees::<32>();
        agrees::<64>();
    }

    #[test]
    fn header_keeps_every_digit_of_numbers_that_are_none_of_ours() {
        for text in ["-7.605661941818263e-243", "1.3042189053914876e+66", "1.0178483939906566e+288"] {
            let read: serde_json::Value = decode_header(&STANDARD.encode(text)).unwrap();
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn header_round_trips_and_says_what_is_wrong() {
        let header = encode_header(&serde_json::json!({"a": 1})).unwrap();
        assert_eq!(decode_header::<serde_json::Value>(&header).unwrap()["a"], 1);
        assert!(matches!(decode_header::<serde_json::Value>("%"), Err(HeaderError::NotBase64(_))));
        assert!(matches!(decode_header::<serde_json::Value>("YQ=="), Err(HeaderError::NotJson(_))));
    }
}
