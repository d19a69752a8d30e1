//! The rows of last vouchers. Amounts of `u64` are written as the signed integer of the same bits.

use std::{collections::HashSet, sync::LazyLock};

use sqlx::AnyConnection;
use x402_escrow_domain::{payment::Voucher, stream::Stream};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::Hex32;

use super::{Standing, StoreError, known::Known};
use crate::store::{
    histories,
    many::{Statements, batches, statements},
    row,
};

/// Replaces a hold's last voucher if its row is still as it was.
pub(super) struct Swap {
    /// The hold as it is afterwards.
    pub(super) known: Known,
    /// The row's count of what was done with the payment.
    pub(super) version: i64,
    /// The amount of the last voucher before, in base units.
    pub(super) before: u64,
    /// The new last voucher.
    pub(super) voucher: Voucher,
}

static SWAPS: LazyLock<Statements> = LazyLock::new(|| {
    statements::<6>(|places| {
        format!(
            "WITH new (payment_id, version, before, amount, fee, signature) AS (VALUES {places})
             UPDATE vouchers SET amount = new.amount, fee = new.fee, signature = new.signature FROM new
             WHERE vouchers.payment_id = new.payment_id AND vouchers.version = new.version
             AND vouchers.amount = new.before RETURNING vouchers.payment_id"
        )
    })
});

/// Replaces last vouchers. Returns the ids of those holds whose rows were as they should be.
pub(super) async fn swap(
    connection: &mut AnyConnection,
    swaps: &[&Swap],
) -> Result<HashSet<String>, StoreError> {
    let mut swapped = HashSet::with_capacity(swaps.len());
    for (text, swaps) in batches(&SWAPS, swaps) {
        let mut query = sqlx::query(text);
        for Swap { known, version, before, voucher } in swaps {
            query = query
                .bind(&*known.id)
                .bind(*version)
                .bind(before.cast_signed())
                .bind(voucher.amount.cast_signed())
                .bind(voucher.fee.cast_signed())
                .bind(&voucher.signature[..]);
        }
        for row in &query.fetch_all(&mut *connection).await? {
            swapped.insert(row::get::<String>(row, "payment_id")?);
        }
    }
    Ok(swapped)
}

/// Keeps a hold's last voucher, whatever was there. Returns its row's count of what was done with the payment.
pub(super) async fn put(
    connection: &mut AnyConnection,
    id: &str,
    voucher: &Voucher,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO vouchers (payment_id, amount, fee, signature) VALUES ($1, $2, $3, $4)
         ON CONFLICT (payment_id)
         DO UPDATE SET amount = excluded.amount, fee = excluded.fee, signature = excluded.signature
         RETURNING version",
    )
    .bind(id)
    .bind(voucher.amount.cast_signed())
    .bind(voucher.fee.cast_signed())
    .bind(&voucher.signature[..])
    .fetch_one(connection)
    .await?;
    row::get(&row, "version")
}

/// Reads what vouchers of a payment are judged by; only its row if nothing was done with it since `cached`.
pub(super) async fn read(
    connection: &mut AnyConnection,
    id: &Digest,
    cached: Option<Known>,
) -> Result<Option<Known>, StoreError> {
    let text = cached.as_ref().map_or_else(|| Hex32(*id).to_string().into(), |known| known.id.clone());
    // Before the history: where that changes meanwhile, the count is too low, and no row is found by it.
    let row = sqlx::query("SELECT version, amount FROM vouchers WHERE payment_id = $1")
        .bind(&*text)
        .fetch_optional(&mut *connection)
        .await?;
    let version = row.as_ref().map(|row| row::get::<i64>(row, "version")).transpose()?;
    let last = row.as_ref().map(|row| row::get::<i64>(row, "amount")).transpose()?.map(i64::cast_unsigned);
    if let Some(known) = cached
        && known.version.is_some()
        && known.version == version
    {
        let standing = Standing { last, ..known.standing };
        return Ok(Some(Known { standing, ..known }));
    }
    let Some(history) = histories::history(connection, id).await? else { return Ok(None) };
    let Some(stream) = Stream::of(&history) else { return Ok(None) };
    let last = history.voucher.map(|voucher| voucher.amount);
    let standing = Standing { stream: stream.into(), last };
    Ok(Some(Known { standing, version, id: text, claims: u32::MAX }))
}
