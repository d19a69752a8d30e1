use borsh::BorshDeserialize;
use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_interface::{
    Address,
    message::{Digest, Intent},
};
use x402_escrow_wire::{
    auth_capture::Level,
    payment_identifier::PaymentIdentifier,
    text::{Base58, Hex32, Key},
};

use super::{
    Store, StoreError, identifiers,
    operations::{self, insert_operation, take_up},
    promises::promises,
    row, vouchers,
};
use x402_escrow_domain::{
    facts::{Facts, View},
    identifier::Purchase,
    payment::{Action, History, Payment},
};

/// What became of a payment that was to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The verifier owes it from now on, by the operation with this id.
    New(i64),
    /// It was accepted before, as the operation with this id.
    Before(i64),
    /// Others were promised too much of the escrow meanwhile.
    Unfunded,
    /// Others of the escrow were accepted meanwhile, as many as there may be.
    TooManyOpen,
    /// Its id is another purchase's of the same session.
    IdentifierTaken(PaymentIdentifier),
}

impl Store {
    /// Accepts `payment`, and binds its id, in one step. Refuses it if either is known, if the escrow has `maximum_open`
    /// open payments, or if its free balance is too small for what is promised already.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_payment(
        &self,
        payment: &Payment,
        commitment: Level,
        facts: &Facts,
        maximum_open: u64,
        purchase: Option<&Purchase>,
    ) -> Result<Accepted, StoreError> {
        let mut transaction = self.begin_write().await?;
        let known = history(&mut transaction, &payment.id).await?;
        let known = known.and_then(|history| Some(history.operations.into_iter().next()?.operation));
        if let Some(known) = known.as_ref().filter(|known| !known.came_to_nothing()) {
            return Ok(Accepted::Before(known.id));
        }
        let promises = promises(&mut transaction, &payment.intent.escrow, facts).await?;
        let reserved = promises.reserved(facts);
        let funded = |(view, reserved): (&View, &u64)| {
            let free = view.escrow.map_or(0, |escrow| escrow.free());
            view.held_payment == Some(payment.id) || payment.intent.amount <= free.saturating_sub(*reserved)
        };
        if !facts.views().zip(&reserved).all(funded) {
            return Ok(Accepted::Unfunded);
        }
        if open_holds(&mut transaction, &payment.intent.escrow).await? >= maximum_open {
            return Ok(Accepted::TooManyOpen);
        }
        if let Some(purchase) = purchase
            && !identifiers::bind(&mut transaction, purchase).await?
        {
            return Ok(Accepted::IdentifierTaken(purchase.id.clone()));
        }
        let id = match known {
            Some(known) => {
                take_up(&mut transaction, known.id, payment.accepted_at).await?;
                set_proof(&mut transaction, payment).await?;
                set_review(&mut transaction, &payment.id, Some(payment.intent.capture_deadline)).await?;
                known.id
            }
            None => {
                insert_payment(&mut transaction, payment).await?;
                let (id, at) = (&payment.id, payment.accepted_at);
                insert_operation(&mut transaction, id, &Action::Authorize, payment, commitment, at).await?
            }
        };
        transaction.commit().await?;
        Ok(Accepted::New(id))
    }

    /// How many payments of an escrow are not over.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open_holds(&self, escrow: &Address) -> Result<u64, StoreError> {
        open_holds(&mut *self.pool.acquire().await?, escrow).await
    }

    /// The payments that are to be reviewed by `now` (unix seconds), longest due first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn due_for_review(&self, now: i64) -> Result<Vec<History>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = sqlx::query("SELECT id FROM payments WHERE review_at <= $1 ORDER BY review_at LIMIT 100")
            .bind(now)
            .fetch_all(&mut *connection)
            .await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            due.extend(history(&mut connection, &row::parse::<Hex32>(row, "id")?.0).await?);
        }
        Ok(due)
    }

    /// Says when a payment is to be reviewed next, if ever.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn review_at(&self, id: &Digest, at: Option<i64>) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        set_review(&mut transaction, id, at).await?;
        Ok(transaction.commit().await?)
    }

    /// A payment and all that was done with it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn history(&self, id: &Digest) -> Result<Option<History>, StoreError> {
        history(&mut *self.pool.acquire().await?, id).await
    }
}

/// Reads a payment and its operations on one connection.
pub(super) async fn history(
    connection: &mut AnyConnection,
    id: &Digest,
) -> Result<Option<History>, StoreError> {
    let payment = sqlx::query("SELECT * FROM payments WHERE id = $1")
        .bind(Hex32(*id).to_string())
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| read_payment(&row))
        .transpose()?;
    let Some(payment) = payment else { return Ok(None) };
    let operations = operations::of_payment(connection, id).await?;
    let voucher = vouchers::of_payment(connection, id).await?;
    Ok(Some(History { payment, operations, voucher }))
}

fn read_payment(row: &AnyRow) -> Result<Payment, StoreError> {
    let proof: &[u8] = row::get(row, "receiver_proof")?;
    let (hashes, rest) = proof.as_chunks();
    if !rest.is_empty() {
        return Err(row::unreadable("receiver_proof", format!("{} bytes are no hashes", proof.len())));
    }
    Ok(Payment {
        id: row::parse::<Hex32>(row, "id")?.0,
        intent: read_intent(row)?,
        signature: row::parse::<Base58<64>>(row, "signature")?.0,
        receiver_proof: hashes.to_vec(),
        payer: row::parse::<Key>(row, "payer")?.into(),
        mint: row::parse::<Key>(row, "mint")?.into(),
        accepted_at: row::get(row, "accepted_at")?,
    })
}

/// Reads the column `intent`.
pub(super) fn read_intent(row: &AnyRow) -> Result<Intent, StoreError> {
    Intent::try_from_slice(row::get(row, "intent")?)
        .map_err(|error| row::unreadable("intent", error.to_string()))
}

async fn insert_payment(connection: &mut AnyConnection, payment: &Payment) -> Result<(), StoreError> {
    let intent =
        borsh::to_vec(&payment.intent).map_err(|error| row::unreadable("intent", error.to_string()))?;
    sqlx::query(
        "INSERT INTO payments (id, intent, signature, receiver_proof, escrow, payer, mint, accepted_at, review_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(Hex32(payment.id).to_string())
    .bind(intent)
    .bind(Base58(payment.signature).to_string())
    .bind(payment.receiver_proof.concat())
    .bind(payment.intent.escrow.to_string())
    .bind(payment.payer.to_string())
    .bind(payment.mint.to_string())
    .bind(payment.accepted_at)
    .bind(payment.intent.capture_deadline)
    .execute(connection)
    .await?;
    Ok(())
}

/// The list of the session's receivers may have changed, and the proof with it.
async fn set_proof(connection: &mut AnyConnection, payment: &Payment) -> Result<(), StoreError> {
    sqlx::query("UPDATE payments SET receiver_proof = $1 WHERE id = $2")
        .bind(payment.receiver_proof.concat())
        .bind(Hex32(payment.id).to_string())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn set_review(
    connection: &mut AnyConnection,
    id: &Digest,
    at: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE payments SET review_at = $1 WHERE id = $2")
        .bind(at)
        .bind(Hex32(*id).to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn open_holds(connection: &mut AnyConnection, escrow: &Address) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS open FROM payments WHERE escrow = $1 AND review_at IS NOT NULL
         AND NOT EXISTS (
             SELECT 1 FROM operations
             WHERE payment_id = payments.id AND kind = 'authorize' AND state IN ('failed', 'refused')
         )",
    )
    .bind(escrow.to_string())
    .fetch_one(connection)
    .await?;
    row::get_u64(&row, "open")
}
