//! The transaction of a single payment, with compute limit and price as the verifier sets them, on LiteSVM.

use anyhow::{Result, bail};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::message::Intent;

use crate::{
    cast::{Cast, Cluster},
    packing::{stored_hold, table_addresses},
    report::{Table, TransactionCost},
    version_0::Version0,
};

/// The verifier's limits (`verifier/src/transaction.rs`), and the lowest price that it offers unless configured.
const AUTHORIZE_COMPUTE_UNITS: u32 = 30_000;
const PAY_COMPUTE_UNITS: u32 = 45_000;
const MICRO_LAMPORTS_PER_COMPUTE_UNIT: u64 = 1_000;

pub(crate) fn measure() -> Result<Vec<TransactionCost>> {
    let mut cluster = Version0::new();
    let mut cast = Cast::new(&mut cluster, 1)?;
    let mut costs = Vec::new();
    for table in [Table::None, Table::AllButHolds] {
        let now = cluster.time()?;
        let intent = cast.intent(0, now);
        let authorize = cast.authorize(&intent);
        costs.push(send(&mut cluster, &cast, "authorize", table, &intent, authorize)?);
        let capture = cast.capture(&intent, &stored_hold(&cluster, &intent)?);
        costs.push(send(&mut cluster, &cast, "capture, signed", table, &intent, capture)?);

        let intent = cast.intent(0, now);
        cluster.run(&[vec![cast.authorize(&intent)]])?;
        let capture = cast.capture_and_release(&intent, &stored_hold(&cluster, &intent)?);
        let name = "capture and release, two signatures";
        costs.push(send(&mut cluster, &cast, name, table, &intent, capture)?);

        let intent = cast.intent_to_charge(0, now);
        let charge = cast.charge(&intent);
        let name = "charge, the session key captures";
        costs.push(send(&mut cluster, &cast, name, table, &intent, charge)?);

        let intent = cast.intent_of_one_key(0, now);
        let charge = cast.charge_part(&intent);
        let name = "charge of a part, one last capture";
        costs.push(send(&mut cluster, &cast, name, table, &intent, charge)?);
    }
    Ok(costs)
}

fn send(
    cluster: &mut Version0,
    cast: &Cast,
    transaction: &str,
    table: Table,
    intent: &Intent,
    instruction: Instruction,
) -> Result<TransactionCost> {
    cluster.set_table(&table_addresses(std::slice::from_ref(&instruction), &[*intent], table))?;
    let limit = if transaction == "authorize" { AUTHORIZE_COMPUTE_UNITS } else { PAY_COMPUTE_UNITS };
    let instructions = [
        ComputeBudgetInstruction::set_compute_unit_limit(limit),
        ComputeBudgetInstruction::set_compute_unit_price(MICRO_LAMPORTS_PER_COMPUTE_UNIT),
        instruction,
    ];
    let size = cluster.size(&cast.relay, &instructions)?;
    let before = cluster.lamports(&cast.relay);
    let cost = match cluster.send(&cast.relay, &instructions)? {
        Ok(cost) => cost,
        Err(refused) => bail!("the transaction of one {transaction} was refused: {refused}"),
    };
    let after = cluster.lamports(&cast.relay) + cost.fee_lamports;
    let priority_fee_lamports = u64::from(limit) * MICRO_LAMPORTS_PER_COMPUTE_UNIT / 1_000_000;
    Ok(TransactionCost {
        transaction: transaction.to_owned(),
        table,
        bytes: size.bytes as u64,
        accounts: size.accounts as u64,
        compute_units: cost.compute_units,
        base_fee_lamports: cost.fee_lamports - priority_fee_lamports,
        priority_fee_lamports,
        rent_lamports: before.cast_signed() - after.cast_signed(),
    })
}
