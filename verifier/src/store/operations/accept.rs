use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::auth_capture::Level;

use super::{insert_operation, take_up};
use crate::store::{Store, StoreError, attempts::insert_attempt, payments};
use x402_escrow_domain::{
    payment::{Action, Attempt, History, Payment},
    verify::Rejection,
};

impl Store {
    /// Accepts `action` on a known payment unless an equal one is known, nothing is left to do for it, or `check` (given
    /// all that is known then) refuses it, in one step. Returns the id of the operation by which it is done and whether
    /// that is new. `None` if there is no such payment.
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
    let key = |action| Key::of(action, &history.payment);
    let mut operations = history.operations.iter().map(|tracked| &tracked.operation);
    // The signature may differ: any valid one permits the same.
    let equal = operations.find(|known| key(&known.action) == key(action));
    let commitment = commitment(&history);
    if let Some(known) = equal.filter(|known| !known.came_to_nothing()).or_else(|| history.done_by(action)) {
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
#[derive(PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: &'static str,
    pub(super) amount: u64,
    pub(super) fee: u64,
    pub(super) last: bool,
    pub(super) returns: u64,
}

impl Key {
    pub(super) fn of(action: &Action, payment: &Payment) -> Self {
        let key = Self { kind: action.kind(), amount: 0, fee: 0, last: false, returns: 0 };
        match *action {
            Action::Authorize => Self { amount: payment.intent.amount, ..key },
            Action::Capture { amount, fee, last, .. } => Self { amount, fee, last, ..key },
            Action::Close { amount, fee, .. } => Self { amount, fee, last: true, ..key },
            Action::Void { amount, .. } => Self { amount, ..key },
            Action::Refund { amount, returns } => Self { amount, returns, ..key },
            Action::Reclaim => key,
        }
    }
}
