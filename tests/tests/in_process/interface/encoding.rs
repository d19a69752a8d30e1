//! Bytes as the IDL describes them, made without the interface crate.

use std::fmt::Write;

use serde_json::Value;
use x402_escrow_interface::Address;
use x402_escrow_tests::idl::entry;

/// A struct of the IDL, filled so that no two bytes that follow each other are alike, and how Rust prints it.
pub(crate) struct Sample {
    pub(crate) bytes: Vec<u8>,
    pub(crate) debug: String,
}

/// Fills the IDL's struct called `name`.
pub(crate) fn sample(idl: &Value, name: &str) -> Sample {
    let mut bytes = Vec::new();
    let mut debug = format!("{name} {{ ");
    for (index, field) in fields(entry(idl, "types", name)).iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let from = bytes.len();
        // From 0x80 on, so that a signed number is negative and can't pass for an unsigned one.
        bytes.extend((from..from + size(&field["type"])).map(|offset| 0x80 | (offset % 127) as u8));
        let value = print(&field["type"], &bytes[from..]);
        write!(debug, "{separator}{}: {value}", text(&field["name"])).expect("memory can be written");
    }
    Sample { bytes, debug: debug + " }" }
}

/// `value` as the IDL's type has it. Bytes are hexadecimal in JSON, addresses Base58, an option's absence is null, an
/// enum is its variant's name or an object of that and its field.
pub(crate) fn encode(idl: &Value, kind: &Value, value: &Value) -> Vec<u8> {
    if let Some(name) = kind["defined"]["name"].as_str() {
        return encode_defined(idl, entry(idl, "types", name), value);
    }
    if !kind["option"].is_null() {
        return match value {
            Value::Null => vec![0],
            some => [vec![1], encode(idl, &kind["option"], some)].concat(),
        };
    }
    if !kind["vec"].is_null() {
        let items = value.as_array().expect("it is a list");
        let length = u32::try_from(items.len()).expect("it is short").to_le_bytes().to_vec();
        let items = items.iter().map(|item| encode(idl, &kind["vec"], item));
        return [length].into_iter().chain(items).flatten().collect();
    }
    if !kind["array"].is_null() {
        let bytes = hex::decode(text(value)).expect("it is hexadecimal");
        assert_eq!(bytes.len(), size(kind));
        return bytes;
    }
    match text(kind) {
        "pubkey" => text(value).parse::<Address>().expect("it is an address").to_bytes().to_vec(),
        "bool" => vec![u8::from(value.as_bool().expect("it is true or false"))],
        "i64" => value.as_i64().expect("it is a number").to_le_bytes().to_vec(),
        _ => {
            let number = value.as_u64().expect("it is a number").to_le_bytes();
            let (low, high) = number.split_at(size(kind));
            assert!(high.iter().all(|byte| *byte == 0), "{value} does not fit {kind}");
            low.to_vec()
        }
    }
}

fn encode_defined(idl: &Value, defined: &Value, value: &Value) -> Vec<u8> {
    if defined["type"]["kind"] == "struct" {
        let object = value.as_object().expect("a struct is an object");
        let fields = fields(defined);
        assert_eq!(object.len(), fields.len(), "{} has other fields", defined["name"]);
        return fields
            .iter()
            .flat_map(|field| {
                let name = text(&field["name"]);
                encode(idl, &field["type"], object.get(name).unwrap_or_else(|| panic!("{name} is missing")))
            })
            .collect();
    }
    let variants = defined["type"]["variants"].as_array().expect("an enum has variants");
    let (name, payload) = match value.as_object().and_then(|object| object.iter().next()) {
        Some((name, payload)) => (name.as_str(), Some(payload)),
        None => (text(value), None),
    };
    let index =
        variants.iter().position(|variant| variant["name"] == name).expect("the enum has the variant");
    let mut bytes = vec![u8::try_from(index).expect("fewer than 256 variants")];
    assert_eq!(variants[index]["fields"].is_null(), payload.is_none(), "{name} has other fields");
    if let Some(payload) = payload {
        bytes.extend(encode(idl, &variants[index]["fields"][0], payload));
    }
    bytes
}

fn fields(defined: &Value) -> &[Value] {
    defined["type"]["fields"].as_array().expect("a struct has fields")
}

/// Bytes of a type of fixed size.
fn size(kind: &Value) -> usize {
    if let Some(array) = kind["array"].as_array() {
        return size(&array[0]) * array[1].as_u64().expect("an array has a length") as usize;
    }
    match text(kind) {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        "u64" | "i64" => 8,
        "pubkey" => 32,
        other => panic!("{other} is new in the IDL"),
    }
}

/// How Rust's `Debug` prints a value of this type.
fn print(kind: &Value, bytes: &[u8]) -> String {
    if let Some(array) = kind["array"].as_array() {
        let items: Vec<_> = bytes.chunks(size(&array[0])).map(|item| print(&array[0], item)).collect();
        return format!("[{}]", items.join(", "));
    }
    let number = || {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(padded)
    };
    match text(kind) {
        "pubkey" => format!("{:?}", Address::try_from(bytes).expect("an address has 32 bytes")),
        "i64" => number().cast_signed().to_string(),
        _ => number().to_string(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string"))
}
