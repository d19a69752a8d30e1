//! The books: what each payment came to, and what all of a day did. They follow from the operations, and are written soon
//! after them.

mod held;
mod read;
mod recheck;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use sqlx::AnyConnection;
use x402_escrow_domain::{
    books::{Booked, Entry, Total, day_of},
    payment::Outcome,
};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Base58, Decimal, Hex32};

use super::{
    Readable, Store, StoreError, UnreadableRow, histories,
    many::{Statements, batches, statements},
    row,
};
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
        let (mut held, mut changes) = (Differences::new(), Changes::default());
        for history in &histories.rows {
            if let Some(before) = before.get(&history.payment.id) {
                let booked = Booked::of(history);
                changes.note(before, booked);
                held::note(&mut held, before, i128::from(booked.held) - i128::from(before.booked.held));
            }
        }
        if let Some(last) = rows.last() {
            sqlx::query("DELETE FROM payments_to_book WHERE payment_id <= $1")
                .bind(row::get::<String>(last, "id")?)
                .execute(&mut *transaction)
                .await?;
        }
        changes.write(&mut transaction).await?;
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

/// What to add to each total of a day and a token: that of a receiver and one of its authorizers, that of a receiver, and
/// that of all. Payments that are booked together mostly share a few of these.
type Days = BTreeMap<(Option<Address>, Option<Address>, i64, Address), Total>;

/// What booking several payments together writes.
#[derive(Default)]
struct Changes {
    payments: Vec<(Digest, Booked)>,
    days: Days,
}

impl Changes {
    /// Notes what a payment came to.
    fn note(&mut self, before: &Entry, booked: Booked) {
        if booked == before.booked {
            return;
        }
        self.payments.push((before.id, booked));
        let difference = booked.total().since(before.booked.total());
        if difference == Total::default() {
            return;
        }
        let Entry { receiver, receiver_authorizer, mint, accepted_at, .. } = before;
        let mut owners = vec![(None, None), (Some(*receiver), None)];
        if receiver_authorizer != receiver {
            owners.push((Some(*receiver), Some(*receiver_authorizer)));
        }
        for (receiver, authorizer) in owners {
            let total = self.days.entry((receiver, authorizer, day_of(*accepted_at), *mint)).or_default();
            *total = total.plus(difference);
        }
    }

    async fn write(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        write(&mut *connection, &self.payments).await?;
        add(connection, &self.days).await
    }
}

static WRITES: LazyLock<Statements> = LazyLock::new(|| {
    statements::<7>(|places| {
        format!(
            "WITH new (id, outcome, captured, fee, refunded, held, paid_by) AS (VALUES {places})
             UPDATE payments
             SET outcome = new.outcome, captured = new.captured, fee = new.fee, refunded = new.refunded,
                 held = new.held, paid_by = new.paid_by
             FROM new WHERE payments.id = new.id"
        )
    })
});

async fn write(connection: &mut AnyConnection, payments: &[(Digest, Booked)]) -> Result<(), StoreError> {
    for (text, payments) in batches(&WRITES, payments) {
        let mut query = sqlx::query(text);
        for (id, booked) in payments {
            let Booked { outcome, captured, fee, refunded, held, transaction } = *booked;
            query = query
                .bind(Hex32(*id).to_string())
                .bind(Outcome::as_str(outcome))
                .bind(Decimal(captured).to_string())
                .bind(Decimal(fee).to_string())
                .bind(Decimal(refunded).to_string())
                .bind(Decimal(held).to_string())
                .bind(transaction.map(|signature| Base58(signature).to_string()));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Adds to the totals of days. The writer has the store's lock, so nothing comes between.
async fn add(connection: &mut AnyConnection, days: &Days) -> Result<(), StoreError> {
    for ((receiver, authorizer, day, mint), difference) in days {
        let column = |address: &Option<Address>| address.map_or_else(String::new, |known| known.to_string());
        let (receiver, authorizer, mint) = (column(receiver), column(authorizer), mint.to_string());
        let stored = sqlx::query(
            "SELECT payments, captured, fee, refunded FROM day_totals
             WHERE receiver = $1 AND receiver_authorizer = $2 AND day = $3 AND mint = $4",
        )
        .bind(&receiver)
        .bind(&authorizer)
        .bind(*day)
        .bind(&mint)
        .fetch_optional(&mut *connection)
        .await?;
        let before = stored.as_ref().map(read::total).transpose()?.unwrap_or_default();
        let total = before.plus(*difference);
        sqlx::query(
            "INSERT INTO day_totals (receiver, receiver_authorizer, day, mint, payments, captured, fee, refunded)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (receiver, receiver_authorizer, day, mint) DO UPDATE
             SET payments = excluded.payments, captured = excluded.captured, fee = excluded.fee,
                 refunded = excluded.refunded",
        )
        .bind(receiver)
        .bind(authorizer)
        .bind(*day)
        .bind(mint)
        .bind(total.payments)
        .bind(total.captured.to_string())
        .bind(total.fee.to_string())
        .bind(total.refunded.to_string())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
