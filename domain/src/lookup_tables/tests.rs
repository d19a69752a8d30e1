use std::collections::HashSet;

use solana_address_lookup_table_interface::{program, state::LookupTableMeta};
use solana_sdk::signer::{Signer, keypair::Keypair};

use super::{
    plan::{COOLDOWN_SLOTS, LIFE_SECONDS},
    *,
};
use crate::{
    advance::EXPIRY_MARGIN_BLOCKS,
    cluster::Blockhash,
    transaction::{Terms, fee_lamports},
};

const NOW: i64 = 1_800_000_000;
const SLOT: u64 = 10_000;
const HEIGHT: u64 = 9_000;
const RENT: TableRent = TableRent { full: 58_296_960, address: 222_720 };

const NOTHING: [(&str, usize); 0] = [];

fn address(byte: u8) -> Address {
    [byte; 32].into()
}

fn key() -> Keypair {
    Keypair::new_from_array([200; 32])
}

/// An address of many.
fn numbered(number: u16) -> Address {
    let mut bytes = [9; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    bytes.into()
}

/// So many addresses, each seen so often.
fn traffic(count: u16, times: u32) -> Traffic {
    let mut traffic = Traffic::default();
    for number in 0..count {
        (0..times).for_each(|_| traffic.note(numbered(number)));
    }
    traffic
}

fn own(byte: u8) -> OwnTable {
    OwnTable {
        address: address(byte),
        authority: key().pubkey(),
        created_at: NOW,
        last_valid_block_height: HEIGHT + 100,
    }
}

fn active(addresses: usize) -> Option<TableState> {
    let addresses = (0..addresses).map(|number| numbered(5000 + u16::try_from(number).unwrap())).collect();
    Some(TableState { deactivated_at: None, addresses })
}

struct Case {
    tables: Vec<(OwnTable, Option<TableState>)>,
    under_way: Vec<Change>,
    traffic: Traffic,
    maximum: usize,
    now: i64,
    slot: u64,
    block_height: u64,
    lamports_to_spare: u64,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            tables: Vec::new(),
            under_way: Vec::new(),
            traffic: Traffic::default(),
            maximum: 2,
            now: NOW,
            slot: SLOT,
            block_height: HEIGHT,
            lamports_to_spare: u64::MAX,
        }
    }
}

impl Case {
    fn plan(&self) -> Plan {
        let fee_payer = key().pubkey();
        plan(&Situation {
            tables: &self.tables,
            under_way: &self.under_way,
            traffic: &self.traffic,
            fee_payer,
            keys: &[fee_payer, address(201)],
            maximum: self.maximum,
            now: self.now,
            slot: self.slot,
            block_height: self.block_height,
            lamports_to_spare: self.lamports_to_spare,
            rent: RENT,
        })
    }

    /// What is done, and how many addresses it adds.
    fn changes(&self) -> Vec<(&'static str, usize)> {
        self.plan().changes.iter().map(|change| (change.name(), change.added().len())).collect()
    }
}

#[test]
fn addresses_that_come_back_and_cost_as_much_as_an_extension_are_worth_one() {
    let worth = |traffic: &Traffic| {
        let worth = traffic.worth_adding(&HashSet::new());
        worth.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert!(worth(&traffic(200, 2)).is_empty(), "a payment names them twice");
    assert!(worth(&traffic(13, 3)).is_empty(), "39 do not cost as much");
    assert_eq!(worth(&traffic(14, 3)), [14]);
    assert_eq!(worth(&traffic(1, 40)), [1]);
    assert_eq!(worth(&traffic(500, 3)), [24, 24, 24, 24]);
    assert_eq!(worth(&traffic(30, 3)), [24], "the last six may become more");
}

#[test]
fn what_is_in_a_table_or_on_its_way_is_added_no_more() {
    let mut traffic = traffic(30, 5);
    let under_way: HashSet<_> = (0..10).map(numbered).collect();
    assert_eq!(traffic.worth_adding(&under_way).concat().len(), 20);
    traffic.set_in_tables(under_way);
    (0..100).for_each(|_| traffic.note(numbered(0)));
    assert!(!traffic.worth_adding(&HashSet::new()).concat().contains(&numbered(0)));
    // Once its table is closed it is learned again.
    traffic.set_in_tables(HashSet::new());
    (0..100).for_each(|_| traffic.note(numbered(0)));
    assert_eq!(traffic.worth_adding(&HashSet::new())[0][0], numbered(0), "the most seen first");
}

#[test]
fn strangers_who_come_once_push_out_nobody_who_comes_back() {
    let mut traffic = traffic(24, 50);
    for number in 0..30_000 {
        traffic.note(numbered(100 + number));
    }
    assert_eq!(traffic.worth_adding(&HashSet::new()).concat().len(), 24);
}

#[test]
fn a_table_is_made_once_it_pays_off_and_one_at_a_time() {
    let mut case = Case { traffic: traffic(60, 3), ..Case::default() };
    assert_eq!(case.changes(), [("create", 24)]);
    let create = case.plan().changes.remove(0);
    case.under_way = vec![create.clone()];
    case.tables = vec![(OwnTable { address: create.table, ..own(1) }, None)];
    assert_eq!(case.changes(), NOTHING, "it is on its way");
    // A process that has just started does not know what it sent.
    case.under_way.clear();
    assert_eq!(case.changes(), NOTHING);
    case.tables[0].1 = active(24);
    assert_eq!(case.changes(), [("extend", 24), ("extend", 24)]);
}

#[test]
fn a_full_table_is_followed_by_another_up_to_the_maximum() {
    let mut case = Case { traffic: traffic(48, 3), tables: vec![(own(1), active(232))], ..Case::default() };
    assert_eq!(case.changes(), [("extend", 24), ("create", 24)]);
    case.tables.push((own(2), active(250)));
    assert_eq!(case.changes(), [("extend", 24)]);
    // What is on its way takes room too.
    case.under_way = case.plan().changes;
    assert_eq!(case.changes(), NOTHING);
}

#[test]
fn no_more_tables_are_made_than_can_be_looked_at() {
    let lost = OwnTable { authority: address(202), ..own(1) };
    let mut case = Case { traffic: traffic(24, 3), ..Case::default() };
    case.tables = vec![(lost.clone(), active(1)); MAXIMUM_TABLES - 1];
    assert_eq!(case.changes(), [("create", 24)]);
    case.tables.push((lost, active(1)));
    assert_eq!(case.changes(), NOTHING);
}

#[test]
fn the_fee_payer_keeps_what_payments_need() {
    let mut case = Case { traffic: traffic(24, 3), ..Case::default() };
    case.lamports_to_spare = RENT.full - 1;
    assert_eq!(case.changes(), NOTHING);
    case.tables = vec![(own(1), active(24))];
    assert_eq!(case.changes(), [("extend", 24)]);
    case.lamports_to_spare = 24 * RENT.address - 1;
    assert_eq!(case.changes(), NOTHING);
}

#[test]
fn a_table_is_used_for_a_day_and_closed_once_nobody_can_use_it() {
    let mut case = Case { tables: vec![(own(1), active(24))], ..Case::default() };
    assert_eq!((case.changes(), case.plan().usable.len()), (vec![], 1));
    case.now += LIFE_SECONDS;
    assert_eq!((case.changes(), case.plan().usable.len()), (vec![("deactivate", 0)], 0));
    case.under_way = case.plan().changes;
    assert_eq!((case.changes(), case.plan().usable.len()), (vec![], 0));
    case.under_way.clear();
    case.tables[0].1 = Some(TableState { deactivated_at: Some(SLOT), addresses: Vec::new() });
    case.slot = SLOT + COOLDOWN_SLOTS;
    assert_eq!(case.changes(), NOTHING);
    case.slot += 1;
    assert_eq!(case.changes(), [("close", 0)]);
    case.block_height = HEIGHT + 101 + EXPIRY_MARGIN_BLOCKS;
    assert!(case.plan().forget.is_empty(), "its rent is not back");
    case.tables[0].1 = None;
    assert_eq!(case.plan().forget, [address(1)]);
}

#[test]
fn a_table_that_may_still_be_made_is_not_forgotten() {
    let last = HEIGHT + 100 + EXPIRY_MARGIN_BLOCKS;
    let mut case = Case { tables: vec![(own(1), None)], block_height: last, ..Case::default() };
    assert!(case.plan().forget.is_empty());
    case.block_height += 1;
    assert_eq!(case.plan().forget, [address(1)]);
}

#[test]
fn tables_go_where_none_or_fewer_are_needed() {
    let mut case = Case { tables: vec![(own(1), active(24)), (own(2), active(24))], ..Case::default() };
    case.maximum = 1;
    let plan = case.plan();
    assert_eq!((plan.usable[0].key, plan.changes[0].table), (address(1), address(2)));
    case.maximum = 0;
    case.traffic = traffic(60, 3);
    assert_eq!(case.changes(), [("deactivate", 0), ("deactivate", 0)]);
}

#[test]
fn tables_of_a_former_fee_payer_are_closed_while_its_key_is_here() {
    let mut case = Case { tables: vec![(own(1), active(24)), (own(2), active(24))], ..Case::default() };
    (case.tables[0].0.authority, case.tables[1].0.authority) = (address(201), address(202));
    let plan = case.plan();
    assert_eq!((plan.usable.len(), plan.changes.len()), (0, 1));
    assert_eq!((plan.changes[0].table, plan.changes[0].name()), (address(1), "deactivate"));
}

#[test]
fn a_table_is_read_as_the_chain_has_it() {
    let meta = |slot| LookupTableMeta { deactivation_slot: slot, ..LookupTableMeta::new(address(3)) };
    let account = |meta| {
        let table = AddressLookupTable { meta, addresses: vec![address(1), address(2)].into() };
        Account { owner: program::ID, data: table.serialize_for_tests().unwrap(), lamports: 1 }
    };
    let known = account(meta(u64::MAX));
    let state = TableState { deactivated_at: None, addresses: vec![address(1), address(2)] };
    assert_eq!(TableState::read(&known), Some(state.clone()));
    let given_up = TableState { deactivated_at: Some(77), ..state };
    assert_eq!(TableState::read(&account(meta(77))), Some(given_up));
    assert_eq!(TableState::read(&Account { owner: address(4), ..known.clone() }), None);
    assert_eq!(TableState::read(&Account { data: known.data[..60].to_vec(), ..known }), None);
}

#[test]
fn every_change_fits_a_transaction() {
    let (fee_payer, retiring) = (key(), Keypair::new_from_array([201; 32]));
    let addresses: Vec<_> = (0..24).map(numbered).collect();
    let kinds = [
        (ChangeKind::Create { recent_slot: SLOT, addresses: addresses.clone() }, &fee_payer, 5060),
        (ChangeKind::Extend { addresses }, &fee_payer, 5030),
        (ChangeKind::Deactivate, &retiring, 10_030),
        (ChangeKind::Close, &retiring, 10_030),
    ];
    for (kind, authority, lamports) in kinds {
        let change = Change { table: address(1), authority: authority.pubkey(), kind };
        let terms = Terms {
            fee_payer: &fee_payer,
            compute_unit_price_micro_lamports: 1_000,
            blockhash: Blockhash { hash: [255; 32], last_valid_block_height: 0 },
        };
        let bytes = change.sign(terms, authority).unwrap().bytes;
        assert!(bytes.len() <= 1232, "{} takes {} bytes", change.name(), bytes.len());
        // A second signature costs as much as the first.
        let signatures = u64::from(bytes[0]);
        assert_eq!(fee_lamports(&bytes).unwrap() + 5000 * (signatures - 1), lamports, "{}", change.name());
    }
}
