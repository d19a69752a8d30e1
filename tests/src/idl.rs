//! The committed IDL, as JSON.

use serde_json::Value;

use crate::checkout_file;

/// Reads `idl/x402_escrow.json`.
///
/// # Panics
/// If it is missing or not JSON.
pub fn load() -> Value {
    let path = checkout_file("idl/x402_escrow.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask idl`", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entry called `name` of an IDL's list (`"instructions"`, `"accounts"`, `"types"`, `"events"`, `"errors"`).
///
/// # Panics
/// If there is none.
pub fn entry<'a>(idl: &'a Value, list: &str, name: &str) -> &'a Value {
    entries(idl, list)
        .iter()
        .find(|entry| entry["name"] == name)
        .unwrap_or_else(|| panic!("the IDL has no {name} in {list}"))
}

/// An IDL's list; empty if it is left out.
pub fn entries<'a>(idl: &'a Value, list: &str) -> &'a [Value] {
    idl[list].as_array().map_or(&[], Vec::as_slice)
}

/// The discriminator of an entry.
///
/// # Panics
/// If it has none.
pub fn discriminator(entry: &Value) -> Vec<u8> {
    serde_json::from_value(entry["discriminator"].clone()).expect("an IDL entry has a discriminator of bytes")
}
