//! How many payments fit a transaction: the largest number that fits is sent, and must have paid.

use anyhow::{Context, Result, ensure};
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{Address, account::Hold, message::Intent};
use x402_escrow_tests::program_id;

use crate::{
    cast::{AMOUNT, Cast, Cluster, PART, Size, hold_address},
    number::number,
    report::{Packing, Payers, Table},
};

/// More payments than fit any transaction: one more than the runtime runs instructions.
const MOST_PAYMENTS: usize = 65;
/// More payments with a signature in them than fit any transaction.
const MOST_SIGNED_PAYMENTS: usize = 40;
/// Payers, of whom as many fit no transaction.
const MOST_PAYERS: usize = 24;
/// Authorizations in each transaction that prepares captures.
const HOLDS_PER_TRANSACTION: usize = 3;

/// What is packed.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Authorize,
    Capture,
    CaptureAndRelease,
    CaptureBySigner,
    /// The whole of an intent whose capture authorizer is the session key.
    Charge,
    /// A part, by a last capture of one key.
    ChargePart,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Authorize,
        Self::Capture,
        Self::CaptureAndRelease,
        Self::CaptureBySigner,
        Self::Charge,
        Self::ChargePart,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture, signed",
            Self::CaptureAndRelease => "capture and release, two signatures",
            Self::CaptureBySigner => "capture, by signer",
            Self::Charge => "charge, the session key captures",
            Self::ChargePart => "charge of a part, one last capture",
        }
    }

    /// What the receiver gets of each payment, in base units.
    fn paid(self) -> u64 {
        match self {
            Self::Authorize => 0,
            Self::Capture | Self::CaptureBySigner | Self::Charge => AMOUNT,
            Self::CaptureAndRelease | Self::ChargePart => PART,
        }
    }

    fn is_charge(self) -> bool {
        matches!(self, Self::Charge | Self::ChargePart)
    }

    /// The next payment of this payer, made at `now` (unix seconds).
    fn intent(self, cast: &mut Cast, payer: usize, now: i64) -> Intent {
        match self {
            Self::Charge => cast.intent_to_charge(payer, now),
            Self::ChargePart => cast.intent_of_one_key(payer, now),
            _ => cast.intent(payer, now),
        }
    }
}

/// Packs every kind of payment on `cluster`, with each of these lookup tables.
pub(crate) fn measure<C: Cluster>(
    cluster: &mut C,
    tables: &[Table],
    tell: &dyn Fn(&str),
) -> Result<Vec<Packing>> {
    let mut cast = Cast::new(cluster, MOST_PAYERS)?;
    let mut packings = Vec::new();
    for kind in Kind::ALL {
        for payers in [Payers::One, Payers::Several] {
            for &table in tables {
                if kind.is_charge() && table == Table::AllButHolds {
                    continue; // A charge has no hold.
                }
                let packing = pack(cluster, &mut cast, kind, payers, table)?;
                tell(&format!("{}: {} payments", packing.name(), packing.payments));
                packings.push(packing);
            }
        }
    }
    Ok(packings)
}

fn pack<C: Cluster>(
    cluster: &mut C,
    cast: &mut Cast,
    kind: Kind,
    payers: Payers,
    table: Table,
) -> Result<Packing> {
    let now = cluster.time()?;
    let intents: Vec<_> = match payers {
        Payers::One => {
            let by_signer = kind == Kind::CaptureBySigner;
            let most = if by_signer { MOST_PAYMENTS } else { MOST_SIGNED_PAYMENTS };
            (0..most).map(|_| kind.intent(cast, 0, now)).collect()
        }
        Payers::Several => (0..MOST_PAYERS).map(|payer| kind.intent(cast, payer, now)).collect(),
    };
    let instructions = prepare(cluster, cast, kind, &intents)?;
    cluster.set_table(&table_addresses(&instructions, &intents, table))?;

    let mut payments = instructions.len();
    let mut limit = String::new();
    while let Some(exceeded) = cluster.size(&cast.relay, &instructions[..payments])?.exceeds(C::VERSION) {
        limit = exceeded;
        payments -= 1;
        ensure!(payments > 0, "not even one {} fits: {limit}", kind.title());
    }
    ensure!(payments < instructions.len(), "more than {payments} payments may fit: raise the number tried");

    let before = cluster.tokens(&cast.receiver)?;
    let cost = loop {
        match cluster.send(&cast.relay, &instructions[..payments])? {
            Ok(cost) => break cost,
            Err(refused) => limit = explain(&refused),
        }
        payments -= 1;
        ensure!(payments > 0, "not even one {} succeeds: {limit}", kind.title());
    };
    let paid = cluster.tokens(&cast.receiver)? - before;
    ensure!(paid == kind.paid() * payments as u64, "{payments} payments paid {paid} base units");
    if kind == Kind::Authorize {
        for intent in &intents[..payments] {
            stored_hold(cluster, intent)?;
        }
    }

    let size = cluster.size(&cast.relay, &instructions[..payments])?;
    Ok(Packing {
        instruction: kind.title().to_owned(),
        payers,
        version: C::VERSION,
        table,
        payments: payments as u64,
        bytes: size.bytes as u64,
        accounts: size.accounts as u64,
        compute_units: cost.compute_units,
        fee_lamports: cost.fee_lamports,
        limit,
    })
}

/// The instructions of all payments; what they capture is held first.
fn prepare<C: Cluster>(
    cluster: &mut C,
    cast: &Cast,
    kind: Kind,
    intents: &[Intent],
) -> Result<Vec<Instruction>> {
    match kind {
        Kind::Authorize => return Ok(intents.iter().map(|intent| cast.authorize(intent)).collect()),
        Kind::Charge => return Ok(intents.iter().map(|intent| cast.charge(intent)).collect()),
        Kind::ChargePart => return Ok(intents.iter().map(|intent| cast.charge_part(intent)).collect()),
        Kind::Capture | Kind::CaptureAndRelease | Kind::CaptureBySigner => {}
    }
    let authorizations: Vec<_> = intents
        .chunks(HOLDS_PER_TRANSACTION)
        .map(|intents| intents.iter().map(|intent| cast.authorize(intent)).collect())
        .collect();
    cluster.run(&authorizations)?;
    let capture = |intent: &Intent| {
        let hold = stored_hold(cluster, intent)?;
        Ok(match kind {
            Kind::CaptureAndRelease => cast.capture_and_release(intent, &hold),
            Kind::CaptureBySigner => cast.capture_by_signer(intent, &hold),
            _ => cast.capture(intent, &hold),
        })
    };
    intents.iter().map(capture).collect()
}

pub(crate) fn stored_hold(cluster: &impl Cluster, intent: &Intent) -> Result<Hold> {
    let data = cluster.data(&hold_address(intent))?.context("the payment is held")?;
    Ok(Hold::decode(&data)?)
}

/// The addresses that go into the table: never signers', which a table can't have, nor the program's.
pub(crate) fn table_addresses(
    instructions: &[Instruction],
    intents: &[Intent],
    table: Table,
) -> Vec<Address> {
    if table == Table::None {
        return Vec::new();
    }
    let holds: Vec<_> = intents.iter().map(hold_address).collect();
    let mut addresses = Vec::new();
    for meta in instructions.iter().flat_map(|instruction| &instruction.accounts) {
        let outside = meta.is_signer
            || meta.pubkey == program_id()
            || addresses.contains(&meta.pubkey)
            || (table == Table::AllButHolds && holds.contains(&meta.pubkey));
        if !outside {
            addresses.push(meta.pubkey);
        }
    }
    addresses
}

/// Why the cluster refused a transaction that is small enough.
fn explain(refused: &str) -> String {
    // MAX_INSTRUCTION_TRACE_LENGTH in Agave's transaction-context; LiteSVM and the validator word it differently.
    if refused.contains("MaxInstructionTraceLengthExceeded")
        || refused.contains("Max instruction trace length exceeded")
    {
        return "64 instructions and calls".to_owned();
    }
    refused.lines().next().unwrap_or_default().to_owned()
}

impl Size {
    /// What of it the network does not carry, in a transaction of this version.
    fn exceeds(self, version: u8) -> Option<String> {
        // Versions 0 (Agave's PACKET_DATA_SIZE and MAX_TX_ACCOUNT_LOCKS) and 1 (SIMD-0296 and SIMD-0385).
        let most_bytes = if version == 0 { 1_232 } else { 4_096 };
        let limits = [
            ("bytes", self.bytes, most_bytes),
            ("accounts", self.accounts, 64),
            ("instructions", self.instructions, 64),
        ];
        let exceeded = limits.into_iter().find(|(_, size, most)| size > most);
        exceeded.map(|(unit, _, most)| format!("{} {unit}", number(most as u64)))
    }
}
