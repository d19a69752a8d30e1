use borsh::BorshDeserialize;
use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_interface::{
    Address,
    message::{Digest, Intent},
};
use x402_escrow_wire::{
    auth_capture::Level,
    payment_identifier::PaymentIdentifier,
    text::{Base58, Decimal, Hex32, Key},
};

use super::{
    Store, StoreError, identifiers,
    operations::{self, insert_operation, take_up},
    row, vouchers,
};
use crate::{
    facts::{Facts, View},
    identifier::Purchase,
    payment::{Action, History, Operation, OperationState, Payment},
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
    /// Accepts `payment`, and binds its id, unless either is known, or `maximum_open` of its escrow are not over, or what is promised of its
    /// escrow already leaves too little of it, in one step.
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
        let reserved = reserved(&mut transaction, &payment.intent.escrow, facts).await?;
        let funded = |(view, reserved): (&View, &u64)| {
            let free = view.escrow.map_or(0, |escrow| escrow.free());
            payment.intent.amount <= free.saturating_sub(*reserved)
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

    /// What is promised of an escrow beyond what each view of the chain shows: payments that are accepted and not in
    /// a block, or in a block after the view's slot.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reserved(&self, escrow: &Address, facts: &Facts) -> Result<Vec<u64>, StoreError> {
        reserved(&mut *self.pool.acquire().await?, escrow, facts).await
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
    let intent = Intent::try_from_slice(row::get(row, "intent")?)
        .map_err(|error| row::unreadable("intent", error.to_string()))?;
    Ok(Payment {
        id: row::parse::<Hex32>(row, "id")?.0,
        intent,
        signature: row::parse::<Base58<64>>(row, "signature")?.0,
        payer: row::parse::<Key>(row, "payer")?.into(),
        mint: row::parse::<Key>(row, "mint")?.into(),
        accepted_at: row::get(row, "accepted_at")?,
    })
}

async fn insert_payment(connection: &mut AnyConnection, payment: &Payment) -> Result<(), StoreError> {
    let intent =
        borsh::to_vec(&payment.intent).map_err(|error| row::unreadable("intent", error.to_string()))?;
    sqlx::query(
        "INSERT INTO payments (id, intent, signature, escrow, payer, mint, accepted_at, review_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(Hex32(payment.id).to_string())
    .bind(intent)
    .bind(Base58(payment.signature).to_string())
    .bind(payment.intent.escrow.to_string())
    .bind(payment.payer.to_string())
    .bind(payment.mint.to_string())
    .bind(payment.accepted_at)
    .bind(payment.intent.capture_deadline)
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

async fn reserved(
    connection: &mut AnyConnection,
    escrow: &Address,
    facts: &Facts,
) -> Result<Vec<u64>, StoreError> {
    // The oldest view's slot is the lower bound of what any misses.
    let oldest_slot = facts.views().map(|view| view.slot).min().unwrap_or(0);
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT operations.*, (
                 SELECT max(slot) FROM transactions
                 WHERE operation_id = operations.id AND retired = 0 AND error_code IS NULL
             ) AS slot
             FROM payments JOIN operations ON operations.payment_id = payments.id
             WHERE payments.escrow = $1 AND operations.kind = 'authorize'
             AND operations.state NOT IN ('failed', 'refused')
         ) AS authorizations
         WHERE closed = 0 OR slot > $2",
    )
    .bind(escrow.to_string())
    .bind(row::integer("slot", oldest_slot)?)
    .fetch_all(connection)
    .await?;
    let mut reserved = vec![0_u64; facts.views().count()];
    for row in &rows {
        let operation: Operation = row::operation(row)?;
        let amount = row::parse::<Decimal>(row, "amount")?.0;
        let slot = match operation.state {
            OperationState::Landed(_) => row::get::<Option<i64>>(row, "slot")?,
            _ => None,
        };
        // Payments above what can be counted are refused one by one; a sum that is not counted promises everything.
        let missing_in = |view: &View| slot.is_none_or(|slot| slot.unsigned_abs() > view.slot);
        for (view, reserved) in facts.views().zip(&mut reserved) {
            if missing_in(view) {
                *reserved = reserved.saturating_add(amount);
            }
        }
    }
    Ok(reserved)
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
