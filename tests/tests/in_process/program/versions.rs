//! Every account starts with the version of its layout and ends with spare room. What a later version does with accounts is
//! shown by made-up ones.

use borsh::BorshDeserialize;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{DISCRIMINATOR_BYTES, Escrow, Hold, Session, VERSION},
    error::EscrowError,
    instruction::{Consent, SessionLimits},
    message::{Intent, PaymentFlow},
};
use x402_escrow_tests::svm::{World, usdc};

/// Version of the made-up layout.
const LATER: u8 = 2;
/// By how much the made-up accounts are longer.
const LONGER_BYTES: usize = 64;

#[test]
fn accounts_are_created_with_this_version_and_spare_room_of_zeros() {
    let (world, intent) = World::with_hold();
    let (escrow, session, hold) = (world.escrow(), world.session(), world.hold(&intent));
    assert_eq!([escrow.version, session.version, hold.version], [VERSION; 3]);
    assert_eq!((escrow.spare, session.spare, hold.spare), ([0; 64], [0; 64], [0; 16]));
    assert_eq!((escrow.padding, session.padding, hold.padding), (0, [0; 2], [0; 5]));
}

#[test]
fn longer_account_of_a_later_version_is_read_by_this_one() {
    let (mut world, intent) = World::with_hold();
    let before = (world.escrow(), world.session(), world.hold(&intent));
    for address in [world.escrow, world.session, world.hold_address(&intent)] {
        grow(&mut world, &address);
    }
    assert_eq!(world.escrow(), Escrow { version: LATER, ..before.0 });
    assert_eq!(world.session(), Session { version: LATER, ..before.1 });
    assert_eq!(world.hold(&intent), Hold { version: LATER, ..before.2 });
}

#[test]
fn escrow_of_a_later_version_refused_by_every_instruction() {
    every_instruction(|world, _| world.escrow, |name| name != "open_escrow");
}

#[test]
fn session_of_a_later_version_refused_by_every_instruction_about_it() {
    let others = ["set_guardian", "deposit", "sync", "withdraw", "close_escrow", "revoke_sessions"];
    every_instruction(|world, _| world.session, |name| !others.contains(&name));
}

#[test]
fn hold_of_a_later_version_refused_by_every_instruction_about_it() {
    let about = ["capture", "void", "reclaim"];
    every_instruction(World::hold_address, |name| about.contains(&name));
}

/// Every instruction that `concerns` says is about the account at `of` is refused with that account in a later version.
#[track_caller]
fn every_instruction(of: impl Fn(&World, &Intent) -> Address, concerns: impl Fn(&str) -> bool) {
    let (mut world, intent) = World::with_hold();
    let address = of(&world, &intent);
    let mut refused = 0;
    for (name, instruction) in instructions(&world, &intent) {
        if concerns(name) {
            println!("{name}");
            let mut later = World::with_hold().0;
            std::mem::swap(&mut world, &mut later);
            grow(&mut world, &address);
            world.refuse(instruction, EscrowError::UnknownVersion);
            refused += 1;
        }
    }
    assert!(refused >= 3, "{refused}");
}

/// One of each instruction that names an account of the program's, in a world with a hold.
fn instructions(world: &World, intent: &Intent) -> Vec<(&'static str, Instruction)> {
    let next = Intent { nonce: 2, ..*intent };
    let charged = Intent { flow: PaymentFlow::Authorization, ..next };
    let limits: SessionLimits = World::limits();
    vec![
        ("set_guardian", world.set_guardian(&world.guardian)),
        ("deposit", world.deposit(1)),
        ("sync", world.sync()),
        ("withdraw", world.withdraw(None)),
        ("close_escrow", world.close_escrow()),
        ("update_session", world.update_session(&limits)),
        ("revoke_session", world.revoke_session()),
        ("revoke_sessions", world.revoke_sessions_by(&world.payer, 1, Consent::Signer)),
        ("close_session", world.close_session()),
        ("authorize", world.authorize(&next)),
        ("charge", world.charge(&charged)),
        ("capture", world.capture(intent, usdc(4))),
        ("void", world.void(intent, usdc(4))),
        ("reclaim", world.reclaim(intent)),
    ]
}

/// Makes an account what a later version could have made of it: marked as such, and longer.
fn grow(world: &mut World, address: &Address) {
    world.chain.rewrite(address, |data| {
        data[DISCRIMINATOR_BYTES] = LATER;
        data.extend([0xAB; LONGER_BYTES]);
    });
}

/// A made-up layout of a later version, which gives meaning to the first of the spare bytes.
#[derive(BorshDeserialize)]
struct LaterEscrow {
    fields: EscrowFields,
    /// Made up: what may leave per day, in base units; 0 for no limit, as in every account of version 1.
    daily_limit: u64,
    /// Made up: who may top it up; all zero bytes for anyone.
    sponsor: Address,
    spare: [u8; 24],
}

/// All of today's fields before the spare room.
#[derive(BorshDeserialize)]
struct EscrowFields {
    version: u8,
    numbers: [u8; 7],
    keys: [Address; 6],
    balance: u64,
    held: u64,
    revoked_before_slot: u64,
}

/// The same of a hold, whose one new field is longer than a number.
#[derive(BorshDeserialize)]
struct LaterHold {
    version: u8,
    numbers: [u8; 7],
    keys: [Address; 7],
    intent_digest: [u8; 32],
    amount: u64,
    captured: u64,
    fee: u64,
    capture_deadline: i64,
    period_index: u64,
    /// Made up: a service fee in base units, and what was paid of it.
    service: [u64; 2],
}

#[test]
fn later_layout_that_uses_spare_bytes_reads_todays_accounts_with_zero_for_what_is_new() {
    let (mut world, intent) = World::with_hold();
    world.succeed(&[world.capture(&intent, usdc(4))]);
    let fields = |address: &Address| world.chain.data(address).unwrap()[DISCRIMINATOR_BYTES..].to_vec();

    let escrow = LaterEscrow::try_from_slice(&fields(&world.escrow)).unwrap();
    assert_eq!((escrow.daily_limit, escrow.sponsor, escrow.spare), (0, Address::default(), [0; 24]));
    let stored = world.escrow();
    let EscrowFields { version, numbers, keys, balance, held, revoked_before_slot } = escrow.fields;
    assert_eq!((version, numbers[1]), (VERSION, stored.decimals));
    assert_eq!((keys[0], keys[5]), (world.payer, Address::default()));
    assert_eq!((balance, held, revoked_before_slot), (usdc(96), usdc(6), 0));

    let hold = LaterHold::try_from_slice(&fields(&world.hold_address(&intent))).unwrap();
    let stored = world.hold(&intent);
    assert_eq!((hold.version, hold.numbers[5..].to_vec()), (VERSION, 100u16.to_le_bytes().to_vec()));
    assert_eq!((hold.keys[0], hold.keys[6]), (world.session, world.relay));
    assert_eq!((hold.intent_digest, hold.service), (intent.digest(), [0, 0]));
    assert_eq!((hold.amount, hold.captured, hold.fee), (stored.amount, stored.captured, stored.fee));
    assert_eq!((hold.capture_deadline, hold.period_index), (stored.capture_deadline, stored.period_index));
}
