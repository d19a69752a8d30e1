use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::auth_capture::Level;

use super::{insert_operation, take_up};
use crate::{
    payment::{Action, Attempt, History, Payment},
    store::{Store, StoreError, attempts::insert_attempt, payments},
    verify::Rejection,
};

impl Store {
    /// Accepts `action` on a known payment unless an equal one is known, or `check` (given all that is known then)
    /// refuses it, in one step. Returns the operation's id and whether it is new. `None` if there is no such payment.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_operation(
        &self,
        payment_id: &Digest,
        action: &Action,
        commitment: impl FnOnce(&History) -> Level + Send,
        now: i64,
        check: impl FnOnce(&History) -> Result<(), Rejection> + Send,
    ) -> Result<Option<Result<(i64, bool), Rejection>>, StoreError> {
        let mut transaction = self.begin_write().await?;
        let accepted = accept(&mut transaction, payment_id, action, commitment, now, check).await?;
        if let Some(Ok(_)) = accepted {
            transaction.commit().await?;
        }
        Ok(accepted)
    }

    /// Accepts `action` like [`Self::accept_operation`], together with its only transaction, which is sent already
    /// signed.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_signed(
        &self,
        payment_id: &Digest,
        action: &Action,
        commitment: impl FnOnce(&History) -> Level + Send,
        now: i64,
        attempt: impl FnOnce(i64) -> Attempt + Send,
        check: impl FnOnce(&History) -> Result<(), Rejection> + Send,
    ) -> Result<Option<Result<(i64, bool), Rejection>>, StoreError> {
        let mut transaction = self.begin_write().await?;
        let accepted = accept(&mut transaction, payment_id, action, commitment, now, check).await?;
        if let Some(Ok((id, true))) = accepted {
            insert_attempt(&mut transaction, &attempt(id)).await?;
            transaction.commit().await?;
        }
        Ok(accepted)
    }
}

/// Accepts `action` in the transaction of `connection`: see [`Store::accept_operation`].
async fn accept(
    connection: &mut AnyConnection,
    payment_id: &Digest,
    action: &Action,
    commitment: impl FnOnce(&History) -> Level + Send,
    now: i64,
    check: impl FnOnce(&History) -> Result<(), Rejection> + Send,
) -> Result<Option<Result<(i64, bool), Rejection>>, StoreError> {
    let Some(history) = payments::history(connection, payment_id).await? else { return Ok(None) };
    let equal = history.operations.iter().map(|tracked| &tracked.operation).find(|known| {
        // The signature may differ: any valid one permits the same.
        key_of(&known.action, &history.payment) == key_of(action, &history.payment)
    });
    let commitment = commitment(&history);
    if let Some(known) = equal.filter(|known| !known.came_to_nothing()) {
        if known.commitment < commitment {
            ask_more(connection, known.id, commitment).await?;
        }
        return Ok(Some(Ok((known.id, false))));
    }
    if let Err(rejection) = check(&history) {
        return Ok(Some(Err(rejection)));
    }
    let id = match equal {
        Some(known) => {
            take_up(connection, known.id, now).await?;
            known.id
        }
        None => insert_operation(connection, payment_id, action, &history.payment, commitment, now).await?,
    };
    Ok(Some(Ok((id, true))))
}

/// Somebody waits for more than whoever came before.
async fn ask_more(connection: &mut AnyConnection, id: i64, commitment: Level) -> Result<(), StoreError> {
    sqlx::query("UPDATE operations SET commitment = $1 WHERE id = $2")
        .bind(commitment.as_str())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// What makes two operations of a payment equal.
pub(super) fn key_of(action: &Action, payment: &Payment) -> (&'static str, u64, u64, bool) {
    match *action {
        Action::Authorize => (action.kind(), payment.intent.amount, 0, false),
        Action::Capture { amount, fee, last, .. } => (action.kind(), amount, fee, last),
        Action::Close { amount, fee, .. } => (action.kind(), amount, fee, true),
        Action::Void { amount, .. } | Action::Refund { amount } => (action.kind(), amount, 0, false),
        Action::Reclaim | Action::CloseHold => (action.kind(), 0, 0, false),
    }
}
