//! The interface crate against the program's IDL: what one says, the other says too.

mod case;
mod encoding;
mod instructions;
mod named;
mod payments;

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::Value;
use x402_escrow_interface::{
    account::{DecodeError, Escrow, Hold, Session},
    deployment::LOCAL_PROGRAM_ID,
    error::EscrowError,
    event::Event,
};
use x402_escrow_tests::idl::{self, discriminator, entries, entry};

#[test]
fn committed_idl_is_that_of_a_local_cluster() {
    assert_eq!(idl::load()["address"], LOCAL_PROGRAM_ID.to_string());
}

#[test]
fn errors_have_the_idls_codes_names_and_sentences_in_its_order() {
    let idl = idl::load();
    let ours: Vec<_> =
        EscrowError::ALL.iter().map(|error| (error.code(), error.name(), error.message())).collect();
    let theirs: Vec<_> = entries(&idl, "errors")
        .iter()
        .map(|error| {
            let code = error["code"].as_u64().and_then(|code| code.try_into().ok());
            (code.expect("a code"), text(&error["name"]), text(&error["msg"]))
        })
        .collect();
    assert_eq!(ours, theirs);
    for error in EscrowError::ALL {
        assert_eq!(EscrowError::from_code(error.code()), Some(*error));
    }
    let codes = EscrowError::ALL.iter().map(|error| error.code());
    assert_eq!(codes.clone().min().and_then(|first| EscrowError::from_code(first - 1)), None);
    assert_eq!(codes.max().and_then(|last| EscrowError::from_code(last + 1)), None);
}

#[test]
fn accounts_have_the_idls_discriminators_and_layouts() {
    assert_eq!(names("accounts"), BTreeSet::from(["Escrow", "Hold", "Session"].map(str::to_owned)));
    check_account("Escrow", Escrow::DISCRIMINATOR, Escrow::decode);
    check_account("Hold", Hold::DISCRIMINATOR, Hold::decode);
    check_account("Session", Session::DISCRIMINATOR, Session::decode);
}

fn check_account<T: Debug>(name: &str, expected: [u8; 8], decode: fn(&[u8]) -> Result<T, DecodeError>) {
    let idl = idl::load();
    assert_eq!(discriminator(entry(&idl, "accounts", name)), expected, "{name}");

    let sample = encoding::sample(&idl, name);
    let data = [&expected[..], &sample.bytes].concat();
    let decoded = decode(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(format!("{decoded:?}"), sample.debug);

    // A later version may be longer.
    let longer = [&data[..], &[1; 64]].concat();
    let decoded = decode(&longer).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(format!("{decoded:?}"), sample.debug);
    for shorter in [&data[..data.len() - 1], &data[..8], &data[..7], &[]] {
        assert_eq!(decode(shorter).err(), Some(DecodeError::TooShort));
    }
    let mut other = data;
    other[7] ^= 1;
    assert_eq!(decode(&other).err(), Some(DecodeError::WrongDiscriminator));
}

#[test]
fn accounts_start_with_their_version_and_end_with_spare_room() {
    let idl = idl::load();
    for name in ["Escrow", "Hold", "Session"] {
        let fields = entry(&idl, "types", name)["type"]["fields"].as_array().expect("a struct has fields");
        let names: Vec<_> = fields.iter().map(|field| text(&field["name"])).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("version", "spare"), "{name}");
    }
}

#[test]
fn events_have_the_idls_discriminators_and_fields() {
    let idl = idl::load();
    let ours = Event::DISCRIMINATORS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("events"), ours);
    for (name, expected) in Event::DISCRIMINATORS {
        assert_eq!(discriminator(entry(&idl, "events", name)), expected, "{name}");
        let sample = encoding::sample(&idl, name);
        let data = [&expected[..], &sample.bytes].concat();
        let decoded = Event::decode(&data).unwrap_or_else(|| panic!("{name} can't be read"));
        assert_eq!(format!("{decoded:?}"), format!("{name}({})", sample.debug));
        assert_eq!(Event::decode(&data[..data.len() - 1]), None, "{name} with a byte too few");
        assert_eq!(Event::decode(&[&data[..], &[0]].concat()), None, "{name} with a byte too many");
    }
    assert_eq!(Event::decode(&[0; 8]), None);
    assert_eq!(Event::decode(&[]), None);
}

#[test]
fn instructions_have_the_idls_discriminators_accounts_and_arguments() {
    let idl = idl::load();
    let mut tried = BTreeSet::new();
    for case in instructions::cases() {
        case.check(&idl);
        tried.insert(case.name.to_owned());
    }
    assert_eq!(names("instructions"), tried);
}

fn names(list: &str) -> BTreeSet<String> {
    entries(&idl::load(), list).iter().map(|entry| text(&entry["name"]).to_owned()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("it is a string")
}
