//! Who may be told yes again to the newest vouchers of a hold.

use std::sync::{Arc, LazyLock};

use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{claim::Claim, text::Hex32};

use super::{ClaimedVoucher, StoreError, known::Known};
use crate::store::{
    Store,
    many::{Statements, batches, statements},
    row,
};

/// Of how many of a hold's vouchers the claims are kept at least: a merchant has fewer answers on their way.
const KEPT: u32 = 64;

/// A claim that is to be kept.
pub(super) struct NewClaim {
    id: Arc<str>,
    amount: u64,
    increment: u64,
    claim: Claim,
}

/// Without WHERE, SQLite would take ON for that of a join.
static INSERTS: LazyLock<Statements> = LazyLock::new(|| {
    statements::<4>(|places| {
        format!(
            "WITH new (payment_id, amount, increment, claim) AS (VALUES {places})
             INSERT INTO voucher_claims (payment_id, amount, increment, claim)
             SELECT payment_id, amount, increment, claim FROM new WHERE true
             ON CONFLICT (payment_id, amount) DO NOTHING"
        )
    })
});

impl NewClaim {
    /// The claim on a voucher of `amount` that adds `increment`, if there is one.
    pub(super) fn of(known: &mut Known, amount: u64, increment: u64, claim: Option<Claim>) -> Option<Self> {
        let claim = claim?;
        known.claims = known.claims.saturating_add(1);
        Some(Self { id: known.id.clone(), amount, increment, claim })
    }
}

impl Store {
    /// Who claimed the voucher of `amount` base units, if it is one of the newest and somebody did.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn voucher_claim(
        &self,
        payment_id: &Digest,
        amount: u64,
    ) -> Result<Option<ClaimedVoucher>, StoreError> {
        let row =
            sqlx::query("SELECT claim, increment FROM voucher_claims WHERE payment_id = $1 AND amount = $2")
                .bind(Hex32(*payment_id).to_string())
                .bind(amount.cast_signed())
                .fetch_optional(&mut *self.pool.acquire().await?)
                .await?;
        let claimed = |row| {
            let claim: &[u8] = row::get(row, "claim")?;
            let claim = claim.try_into().map_err(|_| row::unreadable("claim", "it has not 16 bytes"))?;
            let increment = row::get::<i64>(row, "increment")?.cast_unsigned();
            Ok(ClaimedVoucher { claim: Claim(claim), increment })
        };
        row.as_ref().map(claimed).transpose()
    }
}

/// Keeps claims, and forgets the oldest of those of `known` that have many.
pub(super) async fn keep(
    connection: &mut AnyConnection,
    claims: &[NewClaim],
    known: &mut [Known],
) -> Result<(), StoreError> {
    for (text, claims) in batches(&INSERTS, claims) {
        let mut query = sqlx::query(text);
        for NewClaim { id, amount, increment, claim } in claims {
            query =
                query.bind(&**id).bind(amount.cast_signed()).bind(increment.cast_signed()).bind(&claim.0[..]);
        }
        query.execute(&mut *connection).await?;
    }
    for known in known.iter_mut().filter(|known| known.claims > KEPT) {
        forget_oldest(connection, &known.id).await?;
        known.claims = 0;
    }
    Ok(())
}

async fn forget_oldest(connection: &mut AnyConnection, id: &str) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM voucher_claims WHERE payment_id = $1 AND amount <= (
             SELECT amount FROM voucher_claims WHERE payment_id = $1 ORDER BY amount DESC LIMIT 1 OFFSET $2
         )",
    )
    .bind(id)
    .bind(i64::from(KEPT))
    .execute(connection)
    .await?;
    Ok(())
}
