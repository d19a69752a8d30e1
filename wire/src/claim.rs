//! By what a verifier tells apart who asks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Names one installation of a merchant towards its verifier: 16 random bytes, written as 32
/// lower-case hex digits. Secret, since whoever has it is told yes again to what it was told yes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Claim(pub [u8; 16]);

impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// Logs don't show it.
impl fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Claim(…)")
    }
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        let is_lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_lower => Ok(Self(bytes)),
            _ => Err("expected 32 lower-case hex digits".to_owned()),
        }
    }
}

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_one_way() {
        let claim = Claim([0xab; 16]);
        assert_eq!(claim.to_string().parse(), Ok(claim));
        for text in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"g".repeat(32)] {
            assert!(text.parse::<Claim>().is_err(), "{text}");
        }
        assert!(!format!("{claim:?}").contains("ab"));
    }
}
