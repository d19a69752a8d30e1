//! Records what somebody else did on chain.

use x402_escrow_domain::{
    decision::Begin,
    found::Found,
    payment::{Action, Attempt, AttemptState, Landing, OperationState, Payment},
};
use x402_escrow_wire::auth_capture::{Commitment, Level};

use super::{
    Store, StoreError,
    attempts::{insert_attempt, update_attempts},
    operations, states,
};

impl Store {
    /// Records what was found on chain, at `now` (unix seconds): as done, by that transaction and for good.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record_found(&self, payment: &Payment, found: &[Found], now: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for Found { signature, slot, action, operation_id } in found {
            let id = match operation_id {
                Some(id) => {
                    // It may have been by another consent than the one that is known.
                    if let Action::Charge { .. } = action {
                        operations::set_action(&mut transaction, payment, action, *id).await?;
                    }
                    *id
                }
                None => {
                    let (begin, level) = (Begin::New, Level::Finalized);
                    operations::begin(&mut transaction, payment, action, begin, level, now).await?
                }
            };
            let landing =
                Landing { slot: *slot, block_hash: None, commitment: Commitment::Finalized, error: None };
            let attempt = Attempt {
                operation_id: id,
                state: AttemptState::Landed(landing),
                ..Attempt::only(*signature, Vec::new(), 0)
            };
            if update_attempts(&mut transaction, &[&attempt]).await? == 0 {
                insert_attempt(&mut transaction, &attempt).await?;
                update_attempts(&mut transaction, &[&attempt]).await?;
            }
            operations::reopen(&mut transaction, id).await?;
            let done = OperationState::Landed(Commitment::Finalized);
            states::set_state(&mut transaction, id, done, true, None).await?;
        }
        Ok(transaction.commit().await?)
    }
}
