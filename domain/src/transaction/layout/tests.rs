use solana_sdk::{instruction::AccountMeta, signer::keypair::Keypair};

use super::*;
use crate::cluster::Blockhash;

/// Parts of 200 bytes and two accounts of their own each.
fn parts(count: u8, compute_unit_limit: u32) -> Vec<Part> {
    let part = |index: u8| Part {
        instruction: Instruction {
            program_id: Address::new_from_array([250; 32]),
            accounts: [index, 100 + index].map(|byte| AccountMeta::new([byte; 32].into(), false)).to_vec(),
            data: vec![index; 200],
        },
        compute_unit_limit,
        calls: 1,
    };
    (1..=count).map(part).collect()
}

/// A table with one of the two accounts of each part.
fn tables() -> Vec<AddressLookupTableAccount> {
    let addresses = (101..=160_u8).map(|byte| [byte; 32].into()).collect();
    vec![AddressLookupTableAccount { key: [251; 32].into(), addresses }]
}

/// Each version, and the most bytes of it.
fn versions(tables: &[AddressLookupTableAccount]) -> [(Version<'_>, usize); 3] {
    [(Version::Legacy, 1232), (Version::Zero(tables), 1232), (Version::One, 4096)]
}

fn signed(version: Version<'_>, parts: &[&Part]) -> Signed {
    let terms = Terms {
        fee_payer: &Keypair::new_from_array([200; 32]),
        compute_unit_price_micro_lamports: u64::MAX,
        blockhash: Blockhash { hash: [255; 32], last_valid_block_height: 0 },
    };
    sign(version, terms, parts).unwrap()
}

fn fit(version: Version<'_>, parts: &[&Part]) -> usize {
    fitting(version, &Keypair::new_from_array([200; 32]).pubkey(), parts).unwrap()
}

#[test]
fn as_many_fit_as_their_bytes_allow() {
    for (version, most) in versions(&tables()) {
        let parts = parts(32, 10_000);
        let parts: Vec<_> = parts.iter().collect();
        let fitting = fit(version, &parts);
        assert!((2..32).contains(&fitting), "{fitting}");
        assert!(signed(version, &parts[..fitting]).bytes.len() <= most);
        assert!(signed(version, &parts[..=fitting]).bytes.len() > most);
        assert_eq!(fit(version, &parts[..1]), 1);
    }
}

#[test]
fn no_more_fit_than_their_accounts_allow() {
    let mut parts = parts(60, 10_000);
    parts.iter_mut().for_each(|part| part.instruction.data.clear());
    // Each has two, and the fee payer and the program are the others.
    assert_eq!(fit(Version::One, &parts.iter().collect::<Vec<_>>()), 31);
}

#[test]
fn accounts_in_lookup_tables_count_too() {
    let mut parts = parts(32, 10_000);
    parts.iter_mut().for_each(|part| part.instruction.data.clear());
    let addresses = (1..=32_u8).chain(101..=132).map(|byte| [byte; 32].into()).collect();
    let tables = [AddressLookupTableAccount { key: [251; 32].into(), addresses }];
    // Each has two, and the fee payer, the program and the one that sets the budget are the others.
    assert_eq!(fit(Version::Zero(&tables), &parts.iter().collect::<Vec<_>>()), 30);
}

#[test]
fn lookup_tables_are_used_where_they_make_room() {
    let (parts, tables) = (parts(32, 10_000), tables());
    let parts: Vec<_> = parts.iter().collect();
    let fee_payer = Keypair::new_from_array([200; 32]).pubkey();
    let widest = |version, parts: &[&Part]| super::widest(version, &fee_payer, parts).unwrap();
    let (version, fitting) = widest(Version::Zero(&tables), &parts);
    assert_eq!(version, Version::Zero(&tables));
    assert!(fitting > fit(Version::Legacy, &parts), "{fitting}");
    assert_eq!(widest(Version::Zero(&tables), &parts[..2]), (Version::Legacy, 2));
    let strange = [AddressLookupTableAccount { key: [251; 32].into(), addresses: vec![[99; 32].into()] }];
    assert_eq!(widest(Version::Zero(&strange), &parts).0, Version::Legacy);
}

#[test]
fn no_more_fit_than_their_calls_allow() {
    let mut parts = parts(60, 10_000);
    for part in &mut parts {
        part.instruction.data.clear();
        part.calls = 2;
    }
    assert_eq!(fit(Version::One, &parts.iter().collect::<Vec<_>>()), 21);
}

#[test]
fn as_many_fit_as_their_compute_units_allow() {
    for (limit, expected) in [(700_000, 2), (700_001, 1), (u32::MAX, 1)] {
        for (version, _) in versions(&tables()) {
            let parts = parts(3, limit);
            assert_eq!(fit(version, &parts.iter().collect::<Vec<_>>()), expected, "{limit}");
        }
    }
}

#[test]
fn the_fee_is_read_out_of_what_was_signed() {
    for (version, _) in versions(&tables()) {
        let parts = parts(2, 30_000);
        let terms = Terms {
            fee_payer: &Keypair::new_from_array([200; 32]),
            compute_unit_price_micro_lamports: 10_000,
            blockhash: Blockhash { hash: [255; 32], last_valid_block_height: 0 },
        };
        let bytes = sign(version, terms, &parts.iter().collect::<Vec<_>>()).unwrap().bytes;
        assert_eq!(fee_lamports(&bytes), Some(5000 + 600), "{version:?}");
        assert_eq!(fee_lamports(&bytes[..40]), None);
    }
    assert_eq!(fee_lamports(&[]), None);
}
