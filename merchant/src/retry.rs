//! Settles what `unsettled` keeps, in the background, until the facilitator has it or the capture
//! deadline has passed. Uses the facilitator and the clock.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tracing::{error, info, warn};
use x402_escrow_wire::{error_code::ErrorCode, facilitator::SettleResponse};

use crate::shared::{Shared, unix_seconds};

/// Time between two rounds in the background.
const INTERVAL: Duration = Duration::from_secs(5);

/// How many are settled at once. One after another they could miss their deadlines: while the
/// cluster is congested, the facilitator takes up to a minute for each.
const CONCURRENCY: usize = 16;

/// Whether settling again can't change the answer any more. A payment that the facilitator doesn't
/// know may be one that it will know again once its database is back.
pub(crate) fn is_decided(answer: &SettleResponse) -> bool {
    let open = [
        ErrorCode::SettlementPending,
        ErrorCode::UnexpectedSettleError,
        ErrorCode::UnexpectedVerifyError,
        ErrorCode::PaymentNotFound,
    ];
    answer.success || !open.iter().any(|code| answer.error_reason.as_deref() == Some(code.as_str()))
}

/// Settles what is left over, round after round, for as long as the merchant lives.
pub(crate) async fn settle_again_and_again(merchant: Weak<Shared>) {
    loop {
        let Some(merchant) = merchant.upgrade() else { return };
        let payment_ids = stream::iter(merchant.unsettled.all().into_keys());
        payment_ids.for_each_concurrent(CONCURRENCY, |id| settle_again(Arc::clone(&merchant), id)).await;
        drop(merchant);
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn settle_again(merchant: Arc<Shared>, payment_id: String) {
    // A request that works on a payment ends it itself.
    let Some(_claim) = payment_id.parse().ok().and_then(|id| merchant.claim(id)) else { return };
    // Read only now: until it was claimed, a release may have become a capture.
    let Some(finalization) = merchant.unsettled.all().remove(&payment_id) else { return };
    // Past the deadline a release still goes through, and a capture that was sent before may have.
    let expired = unix_seconds() > finalization.capture_deadline.saturating_add(3600);
    let answer = merchant.facilitator.settle(finalization.payload, &finalization.requirements).await;
    match answer {
        Ok(answer) if answer.success => info!(payment_id, "settled payment {payment_id} after a retry"),
        Ok(answer) if is_decided(&answer) => {
            let reason = answer.error_reason.unwrap_or_default();
            error!(payment_id, reason, "payment {payment_id} can't be finalized: {reason}");
        }
        _ if expired => error!(payment_id, "payment {payment_id} could not be finalized before its deadline"),
        Ok(_) => return,
        Err(error) => return warn!(payment_id, %error, "payment {payment_id} is still to be finalized"),
    }
    if let Err(error) = merchant.unsettled.remove(&payment_id) {
        error!(payment_id, %error, "payment {payment_id} is settled and could not be taken off the list");
    }
}
