//! Has the facilitator check or settle what a client sent, and says why it buys nothing. Uses the facilitator
//! and the record.

use std::sync::Arc;

use axum::response::Response;
use tracing::{error, warn};
use x402_escrow_wire::{error_code::ErrorCode, facilitator::SettleResponse, purchase::verdict::Verdict};

use crate::{
    answer::{no_verdict, refusal, refused_settlement, untrustworthy},
    check::Accepted,
    facilitator::FacilitatorError,
    shared::Shared,
    terms::Terms,
};

/// Has the facilitator settle what the client sent, and reads its verdict.
pub(crate) async fn ask(
    merchant: &Arc<Shared>,
    accepted: &Accepted,
) -> (Verdict, Result<SettleResponse, FacilitatorError>) {
    let answer = merchant.facilitator.pay(accepted.payment(), merchant.record.claim).await;
    (verdict(merchant, &answer), answer)
}

/// Asks the facilitator whether it would settle what the client sent, and reads its verdict.
pub(crate) async fn verify(
    merchant: &Arc<Shared>,
    accepted: &Accepted,
) -> (Verdict, Result<SettleResponse, FacilitatorError>) {
    let answer = merchant.facilitator.verify(accepted.payment()).await;
    let answer = answer.map(|verified| SettleResponse {
        success: verified.is_valid,
        error_reason: verified.invalid_reason,
        error_message: verified.invalid_message,
        payer: verified.payer,
        transaction: String::new(),
        network: accepted.requirements.network.clone(),
        amount: None,
        extra: None,
    });
    (verdict(merchant, &answer), answer)
}

fn verdict(merchant: &Arc<Shared>, answer: &Result<SettleResponse, FacilitatorError>) -> Verdict {
    if let Ok(answer) = answer
        && answer.error_reason.as_deref() == Some(ErrorCode::InvalidExtra.as_str())
    {
        // The facilitator may have another fee payer by now.
        let merchant = Arc::clone(merchant);
        tokio::spawn(async move { merchant.ask_support().await });
    }
    answer.as_ref().map_or_else(FacilitatorError::verdict, Verdict::of)
}

/// What a client is told whose payment or voucher buys nothing now.
pub(crate) fn not_sold(
    terms: &Terms<'_>,
    accepted: &Accepted,
    verdict: Verdict,
    answer: &Result<SettleResponse, FacilitatorError>,
) -> Response {
    let id = accepted.payment_id;
    match answer {
        Ok(answer) if !answer.success => refused_settlement(terms, answer),
        Ok(_) if verdict == Verdict::Anothers => used(terms, accepted),
        Ok(_) => {
            error!(payment_id = %id, "the facilitator said yes to less than payment {id} is for");
            untrustworthy()
        }
        Err(error) if verdict == Verdict::Unreadable => {
            warn!(payment_id = %id, %error, "the facilitator can't read payment {id}");
            refusal(terms, ErrorCode::InvalidPayload, "the facilitator can't read the payment")
        }
        Err(error) => {
            warn!(payment_id = %id, %error, "no verdict on payment {id}");
            no_verdict(error, "the payment could not be settled now; send the same request again")
        }
    }
}

/// What a client is told whose payment or voucher bought something before, or is about to.
pub(crate) fn used(terms: &Terms<'_>, accepted: &Accepted) -> Response {
    if accepted.opens_hold {
        let message = "the payment bought something before, or is being served in another request";
        return refusal(terms, ErrorCode::DuplicateSettlement, message);
    }
    let message = "the voucher bought something before, or is being served in another request";
    refusal(terms, ErrorCode::VoucherRepeated, message)
}
