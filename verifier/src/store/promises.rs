//! What was promised of an escrow, and the chain may not show yet.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, any::AnyRow};
use x402_escrow_interface::{Address, message::Intent};

use super::{Store, StoreError, payments::read_intent, row};
use x402_escrow_domain::{
    facts::{Facts, View},
    payment::OperationState,
};

/// An accepted payment that some view of the chain may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    intent: Intent,
    /// The slot of the authorization's block; `None` if it is in none.
    slot: Option<u64>,
}

/// The promises of an escrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promises(Vec<Promise>);

impl Promises {
    /// What is promised beyond what each view shows, in base units, in the order of [`Facts::views`].
    pub fn reserved(&self, facts: &Facts) -> Vec<u64> {
        let lacks = |view: &View, promise: &&Promise| promise.slot.is_none_or(|slot| slot > view.slot);
        let reserved = |view| {
            let amounts =
                self.0.iter().filter(|promise| lacks(view, promise)).map(|promise| promise.intent.amount);
            // A sum that can't be counted promises everything.
            amounts.fold(0, u64::saturating_add)
        };
        facts.views().map(reserved).collect()
    }

    /// The nonces of `session_key` in the session with this incarnation.
    pub fn nonces(&self, session_key: &Address, incarnation: &[u8; 32]) -> BTreeSet<u64> {
        let intents = self.0.iter().map(|promise| &promise.intent);
        let of_session =
            |intent: &&Intent| intent.session_key == *session_key && intent.incarnation == *incarnation;
        intents.filter(of_session).map(|intent| intent.nonce).collect()
    }
}

impl Store {
    /// Payments of an escrow that are accepted and not in a block, or in a block that is not final or is after the slot
    /// of some view.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn promises(&self, escrow: &Address, facts: &Facts) -> Result<Promises, StoreError> {
        promises(&mut *self.pool.acquire().await?, escrow, facts).await
    }
}

/// Reads the promises on one connection.
pub(super) async fn promises(
    connection: &mut AnyConnection,
    escrow: &Address,
    facts: &Facts,
) -> Result<Promises, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT operations.*, payments.intent, (
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
    .bind(row::integer("slot", facts.oldest_slot())?)
    .fetch_all(connection)
    .await?;
    Ok(Promises(rows.iter().map(read).collect::<Result<_, _>>()?))
}

fn read(row: &AnyRow) -> Result<Promise, StoreError> {
    let slot = match row::operation(row)?.state {
        OperationState::Landed(_) => row::get::<Option<i64>>(row, "slot")?.map(i64::unsigned_abs),
        _ => None,
    };
    Ok(Promise { intent: read_intent(row)?, slot })
}
