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

/// How many payments or sums are corrected in one step: others write in between.
const CORRECTED_TOGETHER: usize = 256;

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
    /// Compares every payment that may hold something, and the sums, and corrects them with `repair`. Then this process leads
    /// and keeps no books meanwhile. Nobody else writes books, so what was found without the write lock is still so when it
    /// is corrected, some at a time: payments are accepted in between, however much there is to compare.
    ///
    /// # Errors
    /// If the store fails, or `repair` is given and another verifier leads.
    pub async fn recheck_held(&self, repair: bool) -> Result<Recheck, StoreError> {
        let mut found = self.compare_held().await?;
        if !repair {
            return Ok(found);
        }
        for ids in found.payments.chunks(CORRECTED_TOGETHER) {
            self.correct_payments(ids).await?;
        }
        if !found.payments.is_empty() {
            // The sums follow from what was just corrected.
            found.sums = self.compare_held().await?.sums;
        }
        for sums in found.sums.chunks(CORRECTED_TOGETHER) {
            let mut transaction = self.begin_leader_write().await?;
            for wrong in sums {
                held::write(&mut transaction, &wrong.sum, wrong.held).await?;
            }
            transaction.commit().await?;
        }
        Ok(found)
    }

    /// It is one transaction, so that what verifiers write meanwhile makes no difference.
    async fn compare_held(&self) -> Result<Recheck, StoreError> {
        let mut transaction = self.pool.begin_read(&self.database).await?;
        let connection: &mut AnyConnection = &mut transaction;
        let (mut found, mut sums) = (Recheck::default(), BTreeMap::<HeldSum, i128>::new());
        let mut after = String::new();
        loop {
            let rows = sqlx::query(entries!(
                "id > $1 AND (held <> '0' OR review_at IS NOT NULL) ORDER BY id LIMIT $2"
            ))
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
            let wrong = wrong_payments(connection, &entries.rows).await?;
            found.payments.extend(wrong.iter().map(|(entry, _)| Hex32(entry.id)));
            for entry in &entries.rows {
                for sum in HeldSum::with(entry) {
                    *sums.entry(sum).or_default() += i128::from(entry.booked.held);
                }
            }
        }
        if found.unreadable.is_empty() {
            found.sums = wrong_sums(connection, &sums).await?;
        }
        Ok(found)
    }

    /// Writes the books of these payments anew, without the sums, where they still differ from their operations.
    async fn correct_payments(&self, ids: &[Hex32]) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        let mut entries = Vec::new();
        for id in ids {
            let row = sqlx::query(entries!("id = $1"))
                .bind(id.to_string())
                .fetch_optional(&mut *transaction)
                .await?;
            entries.extend(row.as_ref().map(read::entry).transpose()?);
        }
        let wrong = wrong_payments(&mut transaction, &entries).await?;
        let mut changes = Changes::default();
        for (entry, booked) in wrong {
            changes.note(entry, booked);
        }
        changes.write(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Those of these payments whose operations say that they hold something else than their books, with what the operations
/// say.
async fn wrong_payments<'a>(
    connection: &mut AnyConnection,
    entries: &'a [Entry],
) -> Result<Vec<(&'a Entry, Booked)>, StoreError> {
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    // A payment whose operations can't be read is left as it is booked.
    let histories = histories::histories(connection, &ids).await?.rows;
    let by_id: HashMap<_, _> =
        histories.iter().map(|history| (history.payment.id, Booked::of(history))).collect();
    let mut wrong = Vec::new();
    for entry in entries {
        if let Some(booked) = by_id.get(&entry.id).filter(|booked| booked.held != entry.booked.held)
            && !is_to_book(connection, &entry.id).await?
        {
            wrong.push((entry, *booked));
        }
    }
    Ok(wrong)
}

/// The stored sums that differ from `sums`.
async fn wrong_sums(
    connection: &mut AnyConnection,
    sums: &BTreeMap<HeldSum, i128>,
) -> Result<Vec<WrongSum>, StoreError> {
    let kept = held::read_all(connection).await?;
    let of = |sums: &BTreeMap<HeldSum, i128>, sum| sums.get(sum).copied().unwrap_or_default();
    let all: BTreeSet<_> = kept.keys().chain(sums.keys()).collect();
    let compared =
        all.into_iter().map(|sum| WrongSum { sum: *sum, kept: of(&kept, sum), held: of(sums, sum) });
    Ok(compared.filter(|wrong| wrong.kept != wrong.held).collect())
}

/// Whether a payment's operations changed since its books were written.
async fn is_to_book(connection: &mut AnyConnection, id: &Digest) -> Result<bool, StoreError> {
    let waiting = sqlx::query("SELECT 1 FROM payments_to_book WHERE payment_id = $1")
        .bind(Hex32(*id).to_string())
        .fetch_optional(connection)
        .await?;
    Ok(waiting.is_some())
}
