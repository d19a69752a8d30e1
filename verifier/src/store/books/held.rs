//! What is held now: sums that are written with the books, in the same transaction as the payments' own rows.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_domain::books::{Entry, HeldSum, Of};
use x402_escrow_interface::Address;
use x402_escrow_wire::text::Key;

use crate::store::{Store, StoreError, row};

/// In the column `minute`: payments of any minute.
const ANY: i64 = -1;

/// What is held of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOfMinute {
    /// When the payments were accepted, in minutes from 1970-01-01; `None` for all payments.
    pub minute: Option<i64>,
    /// The token's mint, as base58.
    pub asset: String,
    /// In base units.
    pub held: i128,
}

impl Store {
    /// What is held now of each token, in base units, by the mint as base58: of `receiver`, or of all.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn held(&self, receiver: Option<&Address>) -> Result<BTreeMap<String, i128>, StoreError> {
        let rows = sqlx::query("SELECT mint, held FROM held_sums WHERE receiver = $1 AND minute = $2")
            .bind(receiver.map(Address::to_string).unwrap_or_default())
            .bind(ANY)
            .fetch_all(&mut *self.pool.acquire().await?)
            .await?;
        rows.iter().map(|found| Ok((row::get(found, "mint")?, row::parse(found, "held")?))).collect()
    }

    /// What is held now of all payments, and of those that were accepted in each minute from `first` on.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn held_since(&self, first: i64) -> Result<Vec<HeldOfMinute>, StoreError> {
        // One statement, so that the minutes match the whole.
        let rows = sqlx::query(
            "SELECT minute, mint, held FROM held_sums WHERE receiver = '' AND minute = $1
             UNION ALL SELECT minute, mint, held FROM held_sums WHERE receiver = '' AND minute >= $2",
        )
        .bind(ANY)
        .bind(first.max(0))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let read = |found: &AnyRow| {
            let (minute, asset) = (row::get(found, "minute")?, row::get(found, "mint")?);
            let minute = Some(minute).filter(|minute| *minute != ANY);
            Ok(HeldOfMinute { minute, asset, held: row::parse(found, "held")? })
        };
        rows.iter().map(read).collect()
    }
}

/// What to add to each sum, in base units.
pub(super) type Differences = BTreeMap<HeldSum, i128>;

/// Notes that `entry` holds more by `difference` base units.
pub(super) fn note(differences: &mut Differences, entry: &Entry, difference: i128) {
    if difference != 0 {
        for sum in HeldSum::with(entry) {
            *differences.entry(sum).or_default() += difference;
        }
    }
}

/// Adds to the sums. The writer has the store's lock, so no other verifier changes a sum between reading and writing. A sum
/// that can't be read stops no other; `verifier reconcile --repair` makes it anew.
pub(super) async fn add(connection: &mut AnyConnection, differences: &Differences) -> Result<(), StoreError> {
    for (sum, difference) in differences {
        match read(connection, sum).await {
            Ok(before) => write(connection, sum, before.saturating_add(*difference)).await?,
            Err(error) if error.is_of_row() => {
                tracing::error!(?sum, %error, "a sum of what is held is wrong from now on: run `verifier reconcile --repair`")
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read(connection: &mut AnyConnection, sum: &HeldSum) -> Result<i128, StoreError> {
    let (receiver, minute) = columns(&sum.of);
    let found = sqlx::query("SELECT held FROM held_sums WHERE receiver = $1 AND minute = $2 AND mint = $3")
        .bind(receiver)
        .bind(minute)
        .bind(sum.mint.to_string())
        .fetch_optional(connection)
        .await?;
    found.map_or(Ok(0), |found| row::parse(&found, "held"))
}

/// All sums as they are stored. One whose amount can't be read counts as -1, which no sum can be.
pub(super) async fn read_all(connection: &mut AnyConnection) -> Result<BTreeMap<HeldSum, i128>, StoreError> {
    let rows =
        sqlx::query("SELECT receiver, minute, mint, held FROM held_sums").fetch_all(connection).await?;
    let read = |found: &AnyRow| {
        let of = match (row::get::<&str>(found, "receiver")?, row::get(found, "minute")?) {
            ("", ANY) => Of::All,
            ("", minute) => Of::Minute(minute),
            _ => Of::Receiver(row::parse::<Key>(found, "receiver")?.into()),
        };
        let sum = HeldSum { of, mint: row::parse::<Key>(found, "mint")?.into() };
        Ok((sum, row::parse(found, "held").unwrap_or(-1)))
    };
    rows.iter().map(read).collect()
}

/// Sets a sum.
pub(super) async fn write(
    connection: &mut AnyConnection,
    sum: &HeldSum,
    held: i128,
) -> Result<(), StoreError> {
    let ((receiver, minute), mint) = (columns(&sum.of), sum.mint.to_string());
    if held == 0 {
        sqlx::query("DELETE FROM held_sums WHERE receiver = $1 AND minute = $2 AND mint = $3")
            .bind(receiver)
            .bind(minute)
            .bind(mint)
            .execute(connection)
            .await?;
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO held_sums (receiver, minute, mint, held) VALUES ($1, $2, $3, $4)
         ON CONFLICT (receiver, minute, mint) DO UPDATE SET held = excluded.held",
    )
    .bind(receiver)
    .bind(minute)
    .bind(mint)
    .bind(held.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

fn columns(of: &Of) -> (String, i64) {
    match of {
        Of::All => (String::new(), ANY),
        Of::Receiver(receiver) => (receiver.to_string(), ANY),
        Of::Minute(minute) => (String::new(), *minute),
    }
}
