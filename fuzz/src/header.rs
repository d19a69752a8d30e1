use std::fmt::Debug;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use x402_escrow_wire::text::{decode_header, encode_header};

/// Reads `data` as a header, and as the JSON in one. What was read must be read again from what it is written as.
pub(crate) fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let plain = std::str::from_utf8(data).ok().and_then(|text| decode_header::<T>(text).ok());
    let value = plain.or_else(|| decode_header(&BASE64_STANDARD.encode(data)).ok())?;
    let header = encode_header(&value).expect("what was JSON can be written as JSON");
    assert_eq!(decode_header::<T>(&header).expect("what was written can be read"), value);
    Some(value)
}
