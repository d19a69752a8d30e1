//! Takes vouchers for streamed holds, and closes the holds. Uses the facilitator, memory and the
//! clock.
//!
//! One hold pays for many requests, each by a voucher. The facilitator has every voucher on disk
//! before it is served, and captures the last one before the deadline whatever becomes of the
//! merchant. What is kept here only lets the rest of a hold go back to its payer earlier.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tracing::{error, info, warn};
use x402_escrow_wire::{
    auth_capture::VoucherPayload,
    error_code::ErrorCode,
    facilitator::SettleResponse,
    text::{Decimal, Hex32},
};

use crate::{
    answer::{no_verdict, refusal, refused_settlement, untrustworthy},
    check::Accepted,
    end,
    shared::{Shared, Stream, lock},
    terms::Terms,
};

/// How often to look for holds that nobody uses any more.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many holds are closed at once: the facilitator takes up to a minute for each.
const CONCURRENCY: usize = 16;

/// Has the facilitator keep the voucher. Anything but one that is new, or paid for a request that
/// was not served, is answered at once.
pub(crate) async fn pay(
    merchant: &Shared,
    terms: &Terms<'_>,
    accepted: &Accepted,
    voucher: &VoucherPayload,
    extensions: Option<Map<String, Value>>,
) -> Result<SettleResponse, Box<Response>> {
    let (id, amount) = (voucher.payment_id, voucher.amount.0);
    let spent =
        || Box::new(refusal(terms, ErrorCode::VoucherRepeated, "the voucher bought something before"));
    if lock(&merchant.sold).is_spent(&id, amount) {
        return Err(spent());
    }
    let mut answer = match merchant.facilitator.pay(json!(voucher), extensions, &accepted.requirements).await
    {
        Ok(answer) => answer,
        Err(error) => {
            warn!(payment_id = %id, %error, "no verdict on a voucher of payment {id}");
            if !error.is_refusal() {
                merchant.voucher_comes_again(voucher);
            }
            let message = "the voucher could not be checked now; send the same request again";
            return Err(Box::new(no_verdict(&error, message)));
        }
    };
    // Under its id a voucher that was accepted before is told yes again.
    let told_again = answer.success
        && answer.extra.as_ref().and_then(|extra| extra.get("alreadySettled")) == Some(&Value::Bool(true));
    let is_repeated =
        told_again || answer.error_reason.as_deref() == Some(ErrorCode::VoucherRepeated.as_str());
    // Decided and noted in one step: equal requests may be on their way.
    let sold = &mut *lock(&merchant.sold);
    if sold.is_spent(&id, amount) {
        return Err(spent());
    } else if is_repeated && sold.voucher_comes_again(&id, amount) {
        answer = SettleResponse { success: true, error_reason: None, error_message: None, ..answer };
    } else if told_again {
        return Err(spent());
    } else if !answer.success {
        return Err(Box::new(refused_settlement(terms, &answer)));
    } else if answer.amount < Some(Decimal(terms.price.amount)) {
        error!(payment_id = %voucher.payment_id, "the facilitator said yes to a voucher that is below the price");
        return Err(Box::new(untrustworthy()));
    }
    let until = merchant.remember_until(sold);
    sold.spend(id, amount, until);
    Ok(answer)
}

/// A voucher whose request is being served. Unless it was when this is dropped, also because the
/// handler broke off, the voucher may pay for another request.
pub(crate) struct Unserved<'a> {
    pub(crate) merchant: &'a Shared,
    pub(crate) voucher: &'a VoucherPayload,
    pub(crate) is_served: bool,
}

impl Drop for Unserved<'_> {
    fn drop(&mut self) {
        if !self.is_served {
            lock(&self.merchant.sold).give_back(self.voucher.payment_id, self.voucher.amount.0);
        }
    }
}

impl Shared {
    /// Notes that a voucher was told to come again.
    fn voucher_comes_again(&self, voucher: &VoucherPayload) {
        let sold = &mut *lock(&self.sold);
        let until = self.remember_until(sold);
        sold.voucher_come_again(voucher.payment_id, voucher.amount.0, until);
    }

    /// Remembers what a voucher paid.
    pub(crate) fn note_voucher(&self, accepted: &Accepted, voucher: &VoucherPayload) {
        let mut streams = lock(&self.streams);
        let stream = streams.entry(voucher.payment_id).or_insert_with(|| Stream {
            requirements: accepted.lifecycle_requirements(&self.config),
            amount: 0,
            last_used: Instant::now(),
        });
        stream.amount = stream.amount.max(voucher.amount.0);
        stream.last_used = Instant::now();
    }

    /// Captures the last voucher of every hold for which `is_over` holds, and releases the rest.
    /// Returns how many are left that should be closed and could not be yet.
    pub(crate) async fn close_streams(self: &Arc<Self>, is_over: impl Fn(&Stream) -> bool) -> usize {
        let over = lock(&self.streams)
            .iter()
            .filter(|(_, stream)| is_over(stream))
            .map(|(id, _)| *id)
            .collect::<Vec<_>>();
        let closed = stream::iter(over).map(|id| close(Arc::clone(self), id)).buffer_unordered(CONCURRENCY);
        closed.filter(|closed| std::future::ready(!closed)).count().await
    }
}

impl Stream {
    fn is_idle(&self, idle: Duration) -> bool {
        self.last_used.elapsed() >= idle || self.amount >= self.requirements.amount.0
    }
}

/// Returns whether it is done with.
async fn close(merchant: Arc<Shared>, payment_id: Hex32) -> bool {
    let Some(_claim) = merchant.claim(payment_id) else { return false };
    let Some((requirements, amount)) =
        lock(&merchant.streams).get(&payment_id).map(|stream| (stream.requirements.clone(), stream.amount))
    else {
        return true;
    };
    let payload = end::close(&merchant.config, payment_id, amount);
    match merchant.facilitator.settle(payload, &requirements).await {
        Ok(answer) if answer.success => {
            info!(%payment_id, amount, transaction = answer.transaction, "closed the hold of payment {payment_id}");
        }
        // A voucher came in between, or the facilitator takes its time. If it never works, the
        // facilitator captures the last voucher before the deadline by itself.
        Ok(answer) => {
            let reason = answer.error_reason.unwrap_or_default();
            warn!(%payment_id, reason, "the hold of payment {payment_id} is not closed yet: {reason}");
            if let Some(stream) = lock(&merchant.streams).get_mut(&payment_id) {
                stream.last_used = Instant::now();
            }
            return false;
        }
        Err(error) => {
            warn!(%payment_id, %error, "the hold of payment {payment_id} is not closed yet");
            return false;
        }
    }
    lock(&merchant.streams).remove(&payment_id);
    lock(&merchant.sold).close(&payment_id);
    true
}

/// Closes holds that are used up, or that nobody has used for a while, for as long as the merchant
/// lives.
pub(crate) async fn close_idle(merchant: Weak<Shared>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(merchant) = merchant.upgrade() else { return };
        let idle = Duration::from_secs(merchant.config.stream_idle_seconds);
        merchant.close_streams(|stream| stream.is_idle(idle)).await;
    }
}
