//! Compares what the books say is held with the operations that it follows from.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::AnyConnection;
use x402_escrow_domain::books::{Booked, Entry, HeldSum};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::Hex32;

use super::{Changes, entries, held, read};
use crate::store::{Readable, Store, StoreError, UnreadableRow, histories, row};

/// How many payments are read at once.
const AT_ONCE: i64 = 256;

/// Where the books say something else of what is held than the rows that it follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recheck {
    /// Payments whose operations say something else than their books.
    pub payments: Vec<Hex32>,
    /// Sums that differ from what the payments' books add up to.
    pub sums: Vec<WrongSum>,
    /// Payments whose books can't be read. While there is one, no sum is compared.
    pub unreadable: Vec<UnreadableRow>,
}

/// A sum that differs from what the payments' books add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSum {
    /// Which sum.
    pub sum: HeldSum,
    /// What is stored, in base units.
    pub kept: i128,
    /// What the payments add up to, in base units.
    pub held: i128,
}

impl Store {
    /// Compares every payment that may hold something, and the sums, and corrects them with `repair`. It is one transaction,
    /// so that what verifiers write meanwhile makes no difference.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn recheck_held(&self, repair: bool) -> Result<Recheck, StoreError> {
        if !repair {
            return recheck(&mut *self.pool.begin_read(&self.database).await?, false).await;
        }
        let mut transaction = self.begin_leader_write().await?;
        let found = recheck(&mut transaction, true).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

async fn recheck(connection: &mut AnyConnection, repair: bool) -> Result<Recheck, StoreError> {
    let (mut found, mut sums) = (Recheck::default(), BTreeMap::<HeldSum, i128>::new());
    let mut after = String::new();
    loop {
        let rows =
            sqlx::query(entries!("id > $1 AND (held <> '0' OR review_at IS NOT NULL) ORDER BY id LIMIT $2"))
                .bind(&after)
                .bind(AT_ONCE)
                .fetch_all(&mut *connection)
                .await?;
        let Some(last) = rows.last() else { break };
        after = row::get(last, "id")?;
        let mut entries = Readable::new();
        for row in &rows {
            entries.add(|| row::get(row, "id").unwrap_or_default(), read::entry(row))?;
        }
        found.unreadable.extend(entries.unreadable);
        recheck_payments(connection, &mut entries.rows, &mut found, repair).await?;
        for entry in &entries.rows {
            for sum in HeldSum::with(entry) {
                *sums.entry(sum).or_default() += i128::from(entry.booked.held);
            }
        }
    }
    if found.unreadable.is_empty() {
        recheck_sums(connection, &sums, &mut found, repair).await?;
    }
    Ok(found)
}

/// Compares payments with their operations. With `repair`, `entries` say afterwards what their operations say.
async fn recheck_payments(
    connection: &mut AnyConnection,
    entries: &mut [Entry],
    found: &mut Recheck,
    repair: bool,
) -> Result<(), StoreError> {
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    // A payment whose operations can't be read is left as it is booked.
    let histories = histories::histories(connection, &ids).await?.rows;
    let by_id: HashMap<_, _> =
        histories.iter().map(|history| (history.payment.id, Booked::of(history))).collect();
    for entry in entries {
        if let Some(booked) = by_id.get(&entry.id).filter(|booked| booked.held != entry.booked.held)
            && !is_to_book(connection, &entry.id).await?
        {
            found.payments.push(Hex32(entry.id));
            if repair {
                // The sums are compared after this, and corrected as a whole.
                let mut changes = Changes::default();
                changes.note(entry, *booked);
                changes.write(connection).await?;
                entry.booked = *booked;
            }
        }
    }
    Ok(())
}

/// Compares the stored sums with `sums`.
async fn recheck_sums(
    connection: &mut AnyConnection,
    sums: &BTreeMap<HeldSum, i128>,
    found: &mut Recheck,
    repair: bool,
) -> Result<(), StoreError> {
    let kept = held::read_all(connection).await?;
    let of = |sums: &BTreeMap<HeldSum, i128>, sum| sums.get(sum).copied().unwrap_or_default();
    for sum in kept.keys().chain(sums.keys()).collect::<BTreeSet<_>>() {
        let wrong = WrongSum { sum: *sum, kept: of(&kept, sum), held: of(sums, sum) };
        if wrong.kept != wrong.held {
            if repair {
                held::write(connection, sum, wrong.held).await?;
            }
            found.sums.push(wrong);
        }
    }
    Ok(())
}

/// Whether a payment's operations changed since its books were written.
async fn is_to_book(connection: &mut AnyConnection, id: &Digest) -> Result<bool, StoreError> {
    let waiting = sqlx::query("SELECT 1 FROM payments_to_book WHERE payment_id = $1")
        .bind(Hex32(*id).to_string())
        .fetch_optional(connection)
        .await?;
    Ok(waiting.is_some())
}
