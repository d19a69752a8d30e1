use sqlx::any::AnyRow;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::{
    payment_identifier::PaymentIdentifier,
    text::{Base58, Decimal, Hex32, Key},
};

use super::{Place, Store, StoreError, identifiers, row};
use x402_escrow_domain::{exact::payment::Payment, identifier::Purchase};

/// What became of a payment that was to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedExact {
    /// The verifier follows it from now on.
    New,
    /// It was accepted before.
    Before,
    /// Its id is another purchase's of the same payer.
    IdentifierTaken(PaymentIdentifier),
}

impl Store {
    /// Adds a payment before its transaction is sent, and binds its id, unless either is known.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_exact(
        &self,
        payment: &Payment,
        purchase: Option<&Purchase>,
    ) -> Result<AcceptedExact, StoreError> {
        let mut transaction = self.begin_write().await?;
        let inserted = sqlx::query(
            "INSERT INTO exact_payments (id, payer, mint, receiver, destination, amount, signature, bytes,
                 last_valid_block_height, accepted_at, state, closed, claimed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0) ON CONFLICT (id) DO NOTHING",
        )
        .bind(Hex32(payment.id).to_string())
        .bind(payment.payer.to_string())
        .bind(payment.mint.to_string())
        .bind(payment.receiver.to_string())
        .bind(payment.destination.to_string())
        .bind(Decimal(payment.amount).to_string())
        .bind(Base58(payment.signature).to_string())
        .bind(&payment.transaction)
        .bind(row::integer("last_valid_block_height", payment.last_valid_block_height)?)
        .bind(payment.accepted_at)
        .bind(payment.state.as_str())
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(AcceptedExact::Before);
        }
        if let Some(purchase) = purchase
            && !identifiers::bind(&mut transaction, purchase).await?
        {
            return Ok(AcceptedExact::IdentifierTaken(purchase.id.clone()));
        }
        transaction.commit().await?;
        Ok(AcceptedExact::New)
    }

    /// A payment of the scheme `exact`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn exact_payment(&self, id: &Digest) -> Result<Option<Payment>, StoreError> {
        sqlx::query("SELECT * FROM exact_payments WHERE id = $1")
            .bind(Hex32(*id).to_string())
            .fetch_optional(&self.pool)
            .await?
            .map(|row| read_payment(&row))
            .transpose()
    }

    /// The payments of the scheme `exact` whose state can still change, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_exact_payments(&self) -> Result<Vec<Payment>, StoreError> {
        let rows = sqlx::query("SELECT * FROM exact_payments WHERE closed = 0 ORDER BY accepted_at, rowid")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_payment).collect()
    }

    /// The newest `count` payments of the scheme `exact` before `place`, newest first: those of `receiver`, or all.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn exact_payments_before(
        &self,
        receiver: Option<&Address>,
        place: &Place,
        count: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let of_all = "SELECT * FROM exact_payments WHERE (accepted_at, id) < ($1, $2)
             ORDER BY accepted_at DESC, id DESC LIMIT $3";
        let of_one = "SELECT * FROM exact_payments WHERE receiver = $4 AND (accepted_at, id) < ($1, $2)
             ORDER BY accepted_at DESC, id DESC LIMIT $3";
        let mut query = sqlx::query(if receiver.is_some() { of_one } else { of_all })
            .bind(place.accepted_at)
            .bind(Hex32(place.id).to_string())
            .bind(i64::from(count));
        if let Some(receiver) = receiver {
            query = query.bind(receiver.to_string());
        }
        query.fetch_all(&self.pool).await?.iter().map(read_payment).collect()
    }

    /// Records how far a payment's transaction is.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record_exact(&self, payment: &Payment) -> Result<(), StoreError> {
        let columns = row::StateColumns::new(&payment.state)?;
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query(
            "UPDATE exact_payments SET state = $1, slot = $2, block_hash = $3, confirmations = $4, error_code = $5,
                 error = $6, closed = $7
             WHERE id = $8",
        )
        .bind(columns.state)
        .bind(columns.slot)
        .bind(columns.block_hash)
        .bind(columns.confirmations)
        .bind(columns.error_code)
        .bind(columns.error)
        .bind(i64::from(payment.closed))
        .bind(Hex32(payment.id).to_string())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Takes the one yes that a payment has. Returns whether it was still there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn claim_exact(&self, id: &Digest) -> Result<bool, StoreError> {
        let claimed = sqlx::query("UPDATE exact_payments SET claimed = 1 WHERE id = $1 AND claimed = 0")
            .bind(Hex32(*id).to_string())
            .execute(&self.pool)
            .await?;
        Ok(claimed.rows_affected() == 1)
    }
}

fn read_payment(row: &AnyRow) -> Result<Payment, StoreError> {
    Ok(Payment {
        id: row::parse::<Hex32>(row, "id")?.0,
        payer: row::parse::<Key>(row, "payer")?.into(),
        mint: row::parse::<Key>(row, "mint")?.into(),
        receiver: row::parse::<Key>(row, "receiver")?.into(),
        destination: row::parse::<Key>(row, "destination")?.into(),
        amount: row::parse::<Decimal>(row, "amount")?.0,
        signature: row::parse::<Base58<64>>(row, "signature")?.0,
        transaction: row::get(row, "bytes")?,
        last_valid_block_height: row::get_u64(row, "last_valid_block_height")?,
        accepted_at: row::get(row, "accepted_at")?,
        state: row::attempt_state(row)?,
        closed: row::flag(row, "closed")?,
        claimed: row::flag(row, "claimed")?,
    })
}
