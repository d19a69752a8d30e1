//! The books: what each payment came to, and what all of a day did. They follow from the operations, and are written soon
//! after them.

mod held;
mod read;
mod recheck;

use std::collections::HashMap;

use sqlx::AnyConnection;
use x402_escrow_domain::{
    books::{Booked, Entry, Total, day_of},
    payment::Outcome,
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::{Base58, Decimal, Hex32};

use super::{Readable, Store, StoreError, UnreadableRow, histories, row};
use held::Differences;

pub use held::HeldOfMinute;
pub use read::Entries;
pub use recheck::{Recheck, WrongSum};

/// The columns of an entry.
macro_rules! entries {
    ($rest:literal) => {
        concat!(
            "SELECT id, scheme, payer, mint, receiver, amount, accepted_at, receiver_authorizer, resource_hash,
             resource_url, product, outcome, captured, fee, refunded, held, paid_by FROM payments WHERE ",
            $rest
        )
    };
}
use entries;

impl Store {
    /// Writes the books of at most `count` payments whose operations changed. Returns of how many.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn book(&self, count: u32) -> Result<usize, StoreError> {
        if self.is_booked().await? {
            return Ok(0);
        }
        let mut transaction = self.begin_leader_write().await?;
        let rows = sqlx::query(entries!(
            "id IN (SELECT payment_id FROM payments_to_book ORDER BY payment_id LIMIT $1) ORDER BY id"
        ))
        .bind(i64::from(count))
        .fetch_all(&mut *transaction)
        .await?;
        let mut entries = Readable::new();
        for found in &rows {
            entries.add(|| row::get(found, "id").unwrap_or_default(), read::entry(found))?;
        }
        let ids: Vec<_> = entries.rows.iter().map(|before| before.id).collect();
        let histories = histories::histories(&mut transaction, &ids).await?;
        // One that can't be read is booked when it changes again.
        for UnreadableRow { name, cause } in entries.unreadable.iter().chain(&histories.unreadable) {
            tracing::error!(payment = name, %cause, "not booked");
        }
        let before: HashMap<_, _> = entries.rows.iter().map(|before| (before.id, before)).collect();
        let mut held = Differences::new();
        for history in &histories.rows {
            if let Some(before) = before.get(&history.payment.id) {
                let booked = Booked::of(history);
                book(&mut transaction, before, &booked).await?;
                held::note(&mut held, before, i128::from(booked.held) - i128::from(before.booked.held));
            }
        }
        if let Some(last) = rows.last() {
            sqlx::query("DELETE FROM payments_to_book WHERE payment_id <= $1")
                .bind(row::get::<String>(last, "id")?)
                .execute(&mut *transaction)
                .await?;
        }
        held::add(&mut transaction, &held).await?;
        transaction.commit().await?;
        Ok(rows.len())
    }

    /// Whether the books have all that is on chain. Takes no lock.
    async fn is_booked(&self) -> Result<bool, StoreError> {
        let waiting = sqlx::query("SELECT 1 FROM payments_to_book LIMIT 1")
            .fetch_optional(&mut *self.pool.acquire().await?)
            .await?;
        Ok(waiting.is_none())
    }
}

async fn book(connection: &mut AnyConnection, before: &Entry, booked: &Booked) -> Result<(), StoreError> {
    if *booked == before.booked {
        return Ok(());
    }
    write(connection, &before.id, booked).await?;
    let difference = booked.total().since(before.booked.total());
    if difference == Total::default() {
        return Ok(());
    }
    let (receiver, authorizer) = (before.receiver.to_string(), before.receiver_authorizer.to_string());
    let mut owners = vec![("", ""), (receiver.as_str(), "")];
    if authorizer != receiver {
        owners.push((&receiver, &authorizer));
    }
    for (receiver, authorizer) in owners {
        add(connection, receiver, authorizer, before, difference).await?;
    }
    Ok(())
}

async fn write(connection: &mut AnyConnection, id: &Digest, booked: &Booked) -> Result<(), StoreError> {
    let Booked { outcome, captured, fee, refunded, held, transaction } = *booked;
    sqlx::query(
        "UPDATE payments SET outcome = $1, captured = $2, fee = $3, refunded = $4, held = $5, paid_by = $6
         WHERE id = $7",
    )
    .bind(Outcome::as_str(outcome))
    .bind(Decimal(captured).to_string())
    .bind(Decimal(fee).to_string())
    .bind(Decimal(refunded).to_string())
    .bind(Decimal(held).to_string())
    .bind(transaction.map(|signature| Base58(signature).to_string()))
    .bind(Hex32(*id).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a difference to the day of `entry`. The writer has the store's lock, so nothing comes between.
async fn add(
    connection: &mut AnyConnection,
    receiver: &str,
    authorizer: &str,
    entry: &Entry,
    difference: Total,
) -> Result<(), StoreError> {
    let (day, mint) = (day_of(entry.accepted_at), entry.mint.to_string());
    let stored = sqlx::query(
        "SELECT payments, captured, fee, refunded FROM day_totals
         WHERE receiver = $1 AND receiver_authorizer = $2 AND day = $3 AND mint = $4",
    )
    .bind(receiver)
    .bind(authorizer)
    .bind(day)
    .bind(&mint)
    .fetch_optional(&mut *connection)
    .await?;
    let before = stored.as_ref().map(read::total).transpose()?.unwrap_or_default();
    let total = before.plus(difference);
    sqlx::query(
        "INSERT INTO day_totals (receiver, receiver_authorizer, day, mint, payments, captured, fee, refunded)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (receiver, receiver_authorizer, day, mint) DO UPDATE
         SET payments = excluded.payments, captured = excluded.captured, fee = excluded.fee,
             refunded = excluded.refunded",
    )
    .bind(receiver)
    .bind(authorizer)
    .bind(day)
    .bind(mint)
    .bind(total.payments)
    .bind(total.captured.to_string())
    .bind(total.fee.to_string())
    .bind(total.refunded.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
