//! Reads the books: a page of entries from the newest on, and days.

use sqlx::any::AnyRow;
use x402_escrow_domain::books::{Booked, DayTotal, Entry, Filter, Period, Place, Total};
use x402_escrow_interface::{Address, instruction::Signature, message::Digest};
use x402_escrow_wire::{
    auth_capture, exact,
    text::{Base58, Decimal, Hex32, Key},
};

use super::entries;
use crate::store::{Store, StoreError, row};

/// The most rows that one page looks at where no index finds what is wanted.
const SCANNED: u32 = 2000;

/// The most payments that are listed of one transaction: more than fit in one.
const OF_ONE_TRANSACTION: u32 = 64;

/// A page of entries, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// What was found.
    pub entries: Vec<Entry>,
    /// Where to go on; `None` at the end. A page may have fewer entries than asked for, or none, and others follow.
    pub next: Option<Place>,
}

impl Store {
    /// At most `count` entries before `place` that `filter` wants: those of `receiver`, or of all.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn entries(
        &self,
        receiver: Option<&Address>,
        filter: &Filter,
        place: &Place,
        count: u32,
    ) -> Result<Entries, StoreError> {
        // Indexes begin with the receiver, and keys cost nothing: none has rows read that don't name it.
        let authorizer = filter.receiver_authorizer.filter(|_| receiver.is_some());
        let outcome = filter.outcome.filter(|_| receiver.is_some() && authorizer.is_none());
        let needs_scan = filter.needs_scan() || (filter.outcome.is_some() && outcome.is_none());
        let read = if needs_scan { SCANNED.max(count) } else { count.saturating_add(1) };
        let until = filter.to.map_or(*place, |to| (*place).min(Place { accepted_at: to, id: [0; 32] }));
        // For a comparison of (accepted_at, id) SQLite takes the index that begins with them, and reads past all others.
        let query = match (receiver, authorizer, outcome) {
            (None, ..) => entries!(
                "accepted_at BETWEEN $1 AND $2 AND (accepted_at < $2 OR id < $3)
                 ORDER BY accepted_at DESC, id DESC LIMIT $4"
            ),
            (Some(_), Some(_), _) => entries!(
                "receiver = $5 AND receiver_authorizer = $6 AND accepted_at BETWEEN $1 AND $2
                 AND (accepted_at < $2 OR id < $3)
                 ORDER BY accepted_at DESC, id DESC LIMIT $4"
            ),
            (Some(_), None, None) => entries!(
                "receiver = $5 AND accepted_at BETWEEN $1 AND $2 AND (accepted_at < $2 OR id < $3)
                 ORDER BY accepted_at DESC, id DESC LIMIT $4"
            ),
            (Some(_), None, Some(_)) => entries!(
                "receiver = $5 AND outcome = $6 AND accepted_at BETWEEN $1 AND $2 AND (accepted_at < $2 OR id < $3)
                 ORDER BY accepted_at DESC, id DESC LIMIT $4"
            ),
        };
        let mut query = sqlx::query(query)
            .bind(filter.from.unwrap_or(i64::MIN))
            .bind(until.accepted_at)
            .bind(Hex32(until.id).to_string())
            .bind(i64::from(read));
        if let Some(receiver) = receiver {
            query = query.bind(receiver.to_string());
        }
        if let Some(authorizer) = authorizer {
            query = query.bind(authorizer.to_string());
        }
        if let Some(outcome) = outcome {
            query = query.bind(outcome.as_str());
        }
        let rows = query.fetch_all(&mut *self.pool.acquire().await?).await?;
        page(&rows, filter, count, read)
    }

    /// One entry.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn entry(&self, id: &Digest) -> Result<Option<Entry>, StoreError> {
        let found = sqlx::query(entries!("id = $1"))
            .bind(Hex32(*id).to_string())
            .fetch_optional(&mut *self.pool.acquire().await?)
            .await?;
        found.as_ref().map(entry).transpose()
    }

    /// The entries of the payments in a transaction.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn entries_of_transaction(&self, signature: &Signature) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(entries!(
            "id IN (
                 SELECT payment_id FROM transactions JOIN operations ON operations.id = operation_id
                 WHERE transactions.signature = $1
             ) ORDER BY accepted_at DESC, id DESC LIMIT $2"
        ))
        .bind(Base58(*signature).to_string())
        .bind(i64::from(OF_ONE_TRANSACTION))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// What the payments of some days came to, the first day first: those of `receiver` that `authorizer` may sign for, or
    /// all of the receiver, or of everybody.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn day_totals(
        &self,
        receiver: Option<&Address>,
        authorizer: Option<&Address>,
        period: Period,
    ) -> Result<Vec<DayTotal>, StoreError> {
        let text = |address: Option<&Address>| address.map(Address::to_string).unwrap_or_default();
        let rows = sqlx::query(
            "SELECT day, mint, payments, captured, fee, refunded FROM day_totals
             WHERE receiver = $1 AND receiver_authorizer = $2 AND day >= $3 AND day <= $4 ORDER BY day, mint",
        )
        .bind(text(receiver))
        .bind(text(authorizer))
        .bind(period.first_day)
        .bind(period.last_day)
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let day = |found: &AnyRow| {
            let mint = row::parse::<Key>(found, "mint")?.into();
            Ok(DayTotal { day: row::get(found, "day")?, mint, total: total(found)? })
        };
        rows.iter().map(day).collect()
    }
}

/// The first `count` of the rows that are wanted, of `read` that were asked for.
fn page(rows: &[AnyRow], filter: &Filter, count: u32, read: u32) -> Result<Entries, StoreError> {
    let (mut entries, mut last) = (Vec::new(), None);
    let mut left = rows.iter();
    for found in left.by_ref() {
        let entry = entry(found)?;
        last = Some(Place::of(&entry));
        if filter.matches(&entry) {
            entries.push(entry);
        }
        if entries.len() >= count as usize {
            break;
        }
    }
    let has_more = left.len() > 0 || rows.len() >= read as usize;
    Ok(Entries { entries, next: last.filter(|_| has_more) })
}

/// Reads an entry.
pub(super) fn entry(found: &AnyRow) -> Result<Entry, StoreError> {
    let schemes = [auth_capture::SCHEME, exact::SCHEME];
    let scheme: &str = row::get(found, "scheme")?;
    let scheme = schemes.into_iter().find(|known| *known == scheme);
    Ok(Entry {
        id: row::parse::<Hex32>(found, "id")?.0,
        scheme: scheme.ok_or_else(|| row::unreadable("scheme", "is no scheme"))?,
        accepted_at: row::get(found, "accepted_at")?,
        payer: row::parse::<Key>(found, "payer")?.into(),
        receiver: row::parse::<Key>(found, "receiver")?.into(),
        receiver_authorizer: row::parse::<Key>(found, "receiver_authorizer")?.into(),
        mint: row::parse::<Key>(found, "mint")?.into(),
        amount: row::parse::<Decimal>(found, "amount")?.0,
        booked: Booked {
            outcome: row::parse(found, "outcome")?,
            captured: row::parse::<Decimal>(found, "captured")?.0,
            fee: row::parse::<Decimal>(found, "fee")?.0,
            refunded: row::parse::<Decimal>(found, "refunded")?.0,
            held: row::parse::<Decimal>(found, "held")?.0,
            transaction: row::parse_optional::<Base58<64>>(found, "paid_by")?.map(|signature| signature.0),
        },
        resource_hash: row::parse_optional::<Hex32>(found, "resource_hash")?.map(|hash| hash.0),
        resource: row::resource(found)?,
    })
}

/// Reads a day's total.
pub(super) fn total(found: &AnyRow) -> Result<Total, StoreError> {
    Ok(Total {
        payments: row::get(found, "payments")?,
        captured: row::parse(found, "captured")?,
        fee: row::parse(found, "fee")?,
        refunded: row::parse(found, "refunded")?,
    })
}
