//! What is under way: read when it is asked for, so that it can't drift from what is stored. Most open payments only hold
//! their amount, and `books` keeps the sums of that.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use x402_escrow_domain::payment::{Action, ListedOperation, Operation, OperationState, Sums};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Decimal, Hex32, Key};

use super::{Readable, Store, StoreError, operations, row};

/// A payment with an operation that is not final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The scheme's name.
    pub scheme: String,
    /// Who is paid.
    pub receiver: Address,
    /// The token's mint, as base58.
    pub asset: String,
    /// When the payment was accepted, unix seconds.
    pub accepted_at: i64,
    /// Accepted, and not in a block: in base units.
    pub promised: u64,
    /// Captures that were accepted and are not in a block.
    pub uncaptured: Option<Uncaptured>,
}

/// Captures of a payment that are not in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncaptured {
    /// What they add to what was captured, in base units.
    pub amount: u64,
    /// When the oldest was accepted, unix seconds.
    pub accepted_at: i64,
}

impl Store {
    /// Every payment with an operation that is not final.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        let rows = sqlx::query(
            // SQLite goes through a cross join in this order; the other way round it would read all operations there are.
            "SELECT operations.*, payments.scheme, payments.mint, payments.receiver
             FROM payments CROSS JOIN operations
             WHERE payment_id = payments.id
             AND payments.id IN (SELECT payment_id FROM operations WHERE closed = 0) ORDER BY operations.id",
        )
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let mut payments: BTreeMap<Digest, Listed> = BTreeMap::new();
        for row in &rows {
            let id = row::parse::<Hex32>(row, "payment_id")?.0;
            // `unfinished` counts those that can't be read.
            let Ok(operation) = row::operation(row) else { continue };
            match payments.get_mut(&id) {
                Some(listed) => listed.operations.push(operation),
                // The first operation authorizes or transfers, and its amount is the payment's. Where that one can't be
                // read, nothing is known of the payment.
                None if !operation.action.begins_payment() => {}
                None => {
                    let (asset, amount) = (row::get(row, "mint")?, row::parse::<Decimal>(row, "amount")?.0);
                    let receiver = row::parse::<Key>(row, "receiver")?.into();
                    let scheme = row::get(row, "scheme")?;
                    payments
                        .insert(id, Listed { scheme, receiver, asset, amount, operations: vec![operation] });
                }
            }
        }
        Ok(payments.into_values().filter_map(Listed::outstanding).collect())
    }

    /// Every operation of which no transaction was made, oldest first, each with whether an earlier one of its payment is
    /// still to land.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unsent(&self) -> Result<Readable<(ListedOperation, bool)>, StoreError> {
        let rows = sqlx::query(
            "SELECT operations.*, payments.escrow, payments.mint, payments.receiver, payments.amount AS authorized,
             payments.intent, CASE WHEN EXISTS (
                 SELECT 1 FROM operations AS earlier
                 WHERE earlier.payment_id = operations.payment_id AND earlier.id < operations.id
                 AND earlier.closed = 0 AND earlier.state IN ('queued', 'sent')
             ) THEN 1 ELSE 0 END AS is_behind
             FROM operations JOIN payments ON payment_id = payments.id
             WHERE closed = 0 AND state = 'queued' AND NOT EXISTS (
                 SELECT 1 FROM transactions WHERE operation_id = operations.id AND retired = 0
             )
             ORDER BY operations.id",
        )
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let mut listed = Readable::new();
        for row in &rows {
            let read = || Ok((read_listed(row)?, row::flag(row, "is_behind")?));
            listed.add(|| operations::name(row, "id"), read())?;
        }
        Ok(listed)
    }

    /// Every operation whose state can still change, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn unfinished(&self) -> Result<Readable<ListedOperation>, StoreError> {
        let rows = sqlx::query(
            "SELECT operations.*, payments.escrow, payments.mint, payments.receiver, payments.amount AS authorized,
             payments.intent
             FROM operations JOIN payments ON payment_id = payments.id
             WHERE closed = 0 ORDER BY operations.id",
        )
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let mut listed = Readable::new();
        for row in &rows {
            listed.add(|| operations::name(row, "id"), read_listed(row))?;
        }
        Ok(listed)
    }
}

/// Reads an operation with `mint`, `receiver`, `authorized` and `intent` of its payment.
pub(super) fn read_listed(row: &AnyRow) -> Result<ListedOperation, StoreError> {
    Ok(ListedOperation {
        operation: row::operation(row)?,
        escrow: row::parse_optional::<Key>(row, "escrow")?.map(Address::from),
        receiver: row::parse::<Key>(row, "receiver")?.into(),
        asset: row::get(row, "mint")?,
        authorized: row::parse::<Decimal>(row, "authorized")?.0,
        capture_deadline: row::capture_deadline(row)?,
    })
}

struct Listed {
    scheme: String,
    receiver: Address,
    asset: String,
    amount: u64,
    operations: Vec<Operation>,
}

impl Listed {
    /// `None` if the payment came to nothing.
    fn outstanding(self) -> Option<Outstanding> {
        let authorization = self.operations.first()?;
        if authorization.state.is_negative() {
            return None;
        }
        let has_landed = authorization.state.has_landed();
        let settled = Sums::of(self.amount, &self.operations, OperationState::has_landed);
        let accepted = Sums::of(self.amount, &self.operations, |state| !state.is_negative());
        let oldest = self.operations.iter().filter(|operation| {
            matches!(operation.action, Action::Capture { .. } | Action::Close { .. })
                && matches!(operation.state, OperationState::Queued | OperationState::Sent)
        });
        Some(Outstanding {
            scheme: self.scheme,
            accepted_at: authorization.accepted_at,
            promised: if has_landed { 0 } else { self.amount },
            uncaptured: oldest.map(|operation| operation.accepted_at).min().map(|accepted_at| Uncaptured {
                amount: accepted.captured.saturating_sub(settled.captured),
                accepted_at,
            }),
            receiver: self.receiver,
            asset: self.asset,
        })
    }
}
