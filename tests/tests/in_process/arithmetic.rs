//! Wide arithmetic on Solana's virtual machine against the host's.
//!
//! Where Solana's own compiler is missing, the program is built with functions of this project for 128-bit
//! multiplication and division: `toolchain/compiler-shim`. `toolchain/arithmetic-probe` does one operation a call,
//! shifts included.

use litesvm::LiteSVM;
use solana_sdk::{
    instruction::Instruction, message::Message, signature::Keypair, signer::Signer, transaction::Transaction,
};
use x402_escrow_interface::Address;
use x402_escrow_tests::{checkout_file, keys::test_key};

/// A probe's operation: number, name, and what it should give. `None` where it has no result.
type Operation = (u8, &'static str, fn(u128, u128) -> Option<u128>);

const OPERATIONS: [Operation; 13] = [
    (0, "u128 wrapping_mul", |a, b| Some(a.wrapping_mul(b))),
    (1, "u128 checked_mul", u128::checked_mul),
    (2, "i128 checked_mul", |a, b| a.cast_signed().checked_mul(b.cast_signed()).map(i128::cast_unsigned)),
    (3, "u128 checked_div", u128::checked_div),
    (4, "u128 checked_rem", u128::checked_rem),
    (5, "i128 checked_div", |a, b| a.cast_signed().checked_div(b.cast_signed()).map(i128::cast_unsigned)),
    (6, "i128 checked_rem", |a, b| a.cast_signed().checked_rem(b.cast_signed()).map(i128::cast_unsigned)),
    (7, "u128 checked_shl", |a, b| a.checked_shl(b as u32)),
    (8, "u128 checked_shr", |a, b| a.checked_shr(b as u32)),
    (9, "i128 checked_shr", |a, b| a.cast_signed().checked_shr(b as u32).map(i128::cast_unsigned)),
    (10, "u64 checked_mul", |a, b| (a as u64).checked_mul(b as u64).map(u128::from)),
    (11, "i64 checked_mul", |a, b| {
        (a as i64).checked_mul(b as i64).map(|product| i128::from(product).cast_unsigned())
    }),
    (12, "u64 by u64 to u128", |a, b| Some(u128::from(a as u64) * u128::from(b as u64))),
];

/// Where carries, signs and the halves' borders are.
const EDGES: [u128; 22] = [
    0,
    1,
    2,
    3,
    7,
    63,
    64,
    127,
    128,
    10_000,
    0xFFFF_FFFF,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
    1 << 64,
    (1 << 64) + 1,
    0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210,
    (1 << 127) - 1,
    1 << 127,
    u128::MAX - 1,
    u128::MAX,
];

#[test]
fn edges_give_what_the_host_gives() {
    let mut probe = Probe::new();
    for operation in OPERATIONS {
        for a in EDGES {
            for b in EDGES {
                probe.check(operation, a, b);
            }
        }
    }
}

#[test]
fn random_operands_of_every_width_give_what_the_host_gives() {
    let mut probe = Probe::new();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for _ in 0..200 {
        // Shifted to a random width, so that small numbers come up too.
        let (a, b) = (random.operand(), random.operand());
        for operation in OPERATIONS {
            probe.check(operation, a, b);
        }
    }
}

#[test]
fn shifts_by_every_distance_give_what_the_host_gives() {
    let mut probe = Probe::new();
    for distance in 0..=130 {
        for operation in &OPERATIONS[7..10] {
            probe.check(*operation, 0x8123_4567_89AB_CDEF_FEDC_BA98_7654_3211, distance);
        }
    }
}

/// The probe on a virtual machine.
struct Probe {
    svm: LiteSVM,
    program: Address,
    payer: Keypair,
}

impl Probe {
    fn new() -> Self {
        let file = checkout_file("target/deploy/arithmetic_probe.so");
        let bytes = std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()));
        // Thousands of transactions, of which only the answers matter.
        let mut svm = LiteSVM::new().with_sigverify(false).with_transaction_history(0);
        let (program, payer) = (Address::new_from_array([0xA7; 32]), test_key("fee payer"));
        svm.add_program(program, &bytes).expect("the probe is a valid SBPF file");
        svm.airdrop(&payer.pubkey(), 1_000_000_000_000).expect("the faucet has lamports");
        Self { svm, program, payer }
    }

    #[track_caller]
    fn check(&mut self, (number, name, host): Operation, a: u128, b: u128) {
        let data = [&[number][..], &a.to_le_bytes(), &b.to_le_bytes()].concat();
        let expected = match host(a, b) {
            Some(result) => [&[1][..], &result.to_le_bytes()].concat(),
            None => vec![0],
        };
        assert_eq!(self.answer(data), expected, "{name} of {a:#x} and {b:#x}");
    }

    fn answer(&mut self, data: Vec<u8>) -> Vec<u8> {
        let instruction = Instruction { program_id: self.program, accounts: Vec::new(), data };
        let message = Message::new(&[instruction], Some(&self.payer.pubkey()));
        let transaction = Transaction::new(&[&self.payer], message, self.svm.latest_blockhash());
        let meta = self.svm.send_transaction(transaction).expect("the probe refuses no operands");
        assert_eq!(meta.return_data.program_id, self.program);
        meta.return_data.data
    }
}

/// xorshift64*, seeded: the same sequence at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number of random width.
    fn operand(&mut self) -> u128 {
        let number = (u128::from(self.next()) << 64) | u128::from(self.next());
        number >> (self.next() % 128)
    }
}
