//! Sends a request with a payment, and again where its answer got lost.

use std::time::Duration;

use x402_escrow_wire::{
    payment::PaymentPayload,
    payment_identifier::{self, Info, PaymentIdentifier},
    text::Hex32,
};

use super::{
    AgentClient, FetchError, Fetched, Receipt,
    exchange::{Call, payment_header, read},
};

/// How often a payment that has an id is sent, the first time included.
const MAXIMUM_SENDINGS: usize = 3;
/// Before it is sent again.
const PAUSE: Duration = Duration::from_secs(1);

impl AgentClient {
    /// Sends the request with the payment that `receipt` is of. The same payment under its id is answered like the first,
    /// if that answer gets lost: so only one that has an id is sent again.
    pub(super) async fn send_paid(
        &self,
        call: &Call<'_>,
        payment: &PaymentPayload,
        receipt: Receipt,
    ) -> Result<Fetched, FetchError> {
        let header = payment_header(payment)?;
        let info = payment_identifier::read(payment.extensions.as_ref());
        let is_identified = matches!(info, Ok(Some(Info { id: Some(_), .. })));
        let mut sendings = 1;
        loop {
            let answer = match self.send(call, Some(&header)).await {
                Ok(response) => read(response, Some(receipt.clone())).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(_) if is_identified && sendings < MAXIMUM_SENDINGS => {
                    sendings += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => {
                    return answer.map_err(|source| FetchError::NoAnswerAfterPayment {
                        url: call.request.url.clone(),
                        payment_id: receipt.payment_id,
                        amount: receipt.amount,
                        verifier: self.session.verifier.clone(),
                        source,
                    });
                }
            }
        }
    }
}

/// What a purchase is called: one intent is one purchase, and so is each voucher that comes without one, which is for
/// `vouched` base units.
pub(super) fn identifier(payment_id: Hex32, vouched: Option<u64>) -> PaymentIdentifier {
    let id = match vouched {
        None => format!("pay_{payment_id}"),
        Some(amount) => format!("pay_{payment_id}_{amount}"),
    };
    id.parse()
        .unwrap_or_else(|error| unreachable!("at most 89 letters, digits and underscores are an id: {error}"))
}
