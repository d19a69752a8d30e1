//! Pays out of an open hold by a voucher: a capture signed by the session key, for all that was bought so far.

use ed25519_dalek::Signer;
use reqwest::StatusCode;
use serde_json::{Value, json};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, VoucherPayload},
    error_code::ErrorCode,
    payment::{PaymentPayload, PaymentRequirements},
    payment_identifier::{self, Offer, PaymentIdentifier},
    text::{Base58, Decimal, Hex32},
};

use crate::{
    client::{
        AgentClient, FetchError, Fetched, Receipt,
        exchange::{Call, challenge},
        paid::identifier,
        unix_seconds,
    },
    stream::{Stream, Streams},
};

/// What a voucher came to.
pub(super) enum Paid {
    /// The server's answer.
    Answered(Box<Fetched>),
    /// The hold pays for nothing more.
    HoldIsOver,
}

impl AgentClient {
    /// Sends the request with a voucher. Signs no more than the route's price, as the server told it, and than the hold.
    pub(super) async fn pay(
        &self,
        call: &Call<'_>,
        streams: &mut Streams,
        mut stream: Stream,
    ) -> Result<Paid, FetchError> {
        if let Some(served) = self.served(stream.payment_id) {
            stream.served = stream.served.max(served);
        }
        // A voucher that was in doubt may turn out to be used; then the next one pays. A server that says so of one that
        // it sees for the first time lies, and gets no other. A price may have changed, once.
        for _ in 0..3 {
            let Some(terms) = stream.routes.get(&call.route).cloned() else { return Ok(Paid::HoldIsOver) };
            let price = request_price(&terms);
            let next = price.and_then(|price| stream.next_amount(price, unix_seconds()));
            let (Some(price), Some(amount)) =
                (price.filter(|price| *price <= self.limits.maximum_amount), next)
            else {
                streams.remove(stream.payment_id)?;
                return Ok(Paid::HoldIsOver);
            };
            let was_in_doubt = amount <= stream.signed.0;
            stream.signed = Decimal(amount);
            streams.put(stream.clone())?;
            let payload = json!(self.voucher(stream.payment_id, amount));
            let id = identifier(stream.payment_id, Some(amount));
            let takes_ids = offer(&terms).is_some();
            let fetched = self.send_out_of(&stream, call, terms, payload, id, price).await?;
            if (200..300).contains(&fetched.status) {
                if stream.served == Decimal(0) {
                    // What opened the hold was not answered.
                    self.note_held(&fetched);
                }
                stream.served = stream.signed;
                self.note_served(&stream);
                if takes_ids {
                    // What was bought is not lost over this: a file that can't be written refuses the next voucher.
                    _ = streams.put(stream);
                }
                return Ok(Paid::Answered(Box::new(fetched)));
            }
            if fetched.status != StatusCode::PAYMENT_REQUIRED.as_u16() {
                return Ok(Paid::Answered(Box::new(fetched)));
            }
            let reason = refusal_reason(&fetched);
            if reason == Some(ErrorCode::VoucherRepeated.as_str()) && was_in_doubt {
                stream.served = stream.signed;
                continue;
            }
            if reason.is_some_and(ends_hold) {
                streams.remove(stream.payment_id)?;
                return Ok(Paid::HoldIsOver);
            }
            let offered = challenge(&fetched.headers).ok();
            let offers = offered.iter().flat_map(|challenge| &challenge.accepts);
            let mut offers = offers.filter_map(|option| self.streamed_offer(option));
            let changed = offers.find(|offer| offer.pay_to == stream.pay_to);
            match changed.filter(|offer| stream.routes.get(&call.route) != Some(offer)) {
                Some(offer) => _ = stream.routes.insert(call.route.clone(), offer),
                None => return Ok(Paid::Answered(Box::new(fetched))),
            }
        }
        Ok(Paid::HoldIsOver)
    }

    /// Sends the request with a payment out of the hold, under `id` where the route takes ids. `amount` is what is newly
    /// signed for, in base units.
    pub(super) async fn send_out_of(
        &self,
        stream: &Stream,
        call: &Call<'_>,
        accepted: PaymentRequirements,
        payload: Value,
        id: PaymentIdentifier,
        amount: u64,
    ) -> Result<Fetched, FetchError> {
        let extensions = offer(&accepted).map(|offer| payment_identifier::identified(offer, &id));
        let payment =
            PaymentPayload { x402_version: X402_VERSION, resource: None, accepted, payload, extensions };
        let receipt =
            Receipt { payment_id: stream.payment_id, amount, pay_to: stream.pay_to, settlement: None };
        self.send_paid(call, &payment, receipt).await
    }

    fn served(&self, payment_id: Hex32) -> Option<Decimal> {
        self.streaming.as_ref()?.served().get(&payment_id).copied()
    }

    pub(super) fn note_served(&self, stream: &Stream) {
        if let Some(streaming) = &self.streaming {
            streaming.served().insert(stream.payment_id, stream.served);
        }
    }

    pub(super) fn voucher(&self, payment_id: Hex32, amount: u64) -> VoucherPayload {
        let (amount, fee) = (Decimal(amount), Decimal(0));
        let mut voucher = VoucherPayload { payment_id, amount, fee, signature: Base58([0; 64]) };
        voucher.signature = Base58(self.key.sign(&voucher.signed_bytes()).to_bytes());
        voucher
    }
}

pub(super) fn request_price(terms: &PaymentRequirements) -> Option<u64> {
    Extra::read(terms).ok()?.request_price.map(|price| price.0)
}

/// Whether the route takes ids. An open hold is paid out of without asking for a challenge first.
fn offer(terms: &PaymentRequirements) -> Option<Offer> {
    payment_identifier::offer(&terms.extra).ok().flatten()
}

pub(super) fn refusal_reason(fetched: &Fetched) -> Option<&str> {
    fetched.payment.as_ref()?.settlement.as_ref()?.error_reason.as_deref()
}

/// Whether the reason says that the hold pays for nothing more, here.
fn ends_hold(reason: &str) -> bool {
    let ending = [
        ErrorCode::PaymentNotFound,
        ErrorCode::VoucherWrongHold,
        ErrorCode::VoucherHoldNotFinal,
        ErrorCode::VoucherHoldClosed,
        ErrorCode::VoucherTooLate,
        ErrorCode::VoucherDecreased,
        ErrorCode::VoucherAboveHold,
    ];
    ending.iter().any(|code| code.as_str() == reason)
}
