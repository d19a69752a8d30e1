//! Pays out of an open hold by a voucher: a capture signed by the session key, for all that was bought so far.

use std::time::{Duration, Instant};

use ed25519_dalek::Signer;
use reqwest::StatusCode;
use serde_json::json;
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Extra, VOUCHER, VoucherPayload},
    clock::unix_now,
    error_code::ErrorCode,
    payment::{PaymentPayload, PaymentRequirements},
    payment_identifier::{self, Offer},
    purchase::{
        buyer::{self, Event},
        verdict::is_repeated,
    },
    text::{Base58, Decimal, Hex32},
};

use crate::{
    client::{
        AgentClient, Bought, FetchError, Receipt,
        exchange::{Call, challenge},
        paid::{PAUSE, Sending, Sent, identifier, step},
    },
    journal::{Purchase, Signed, purchase_id},
    stream::Stream,
};

/// How long a hold may take to get as final as its vouchers need it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many vouchers one request may bring: one that was in doubt, one at another price, and one more.
const MAXIMUM_VOUCHERS: usize = 3;

impl AgentClient {
    /// Sends the request with a voucher. Signs no more than the route's price, as the server told it, and than the hold.
    pub(super) async fn pay(&self, call: &Call<'_>, mut stream: Stream) -> Result<Bought, FetchError> {
        if let Some(served) = self.served(stream.payment_id) {
            stream.served = stream.served.max(served);
        }
        self.decide_doubt(call, &mut stream).await?;
        let mut refused = Bought::NotFor;
        match self.pay_by_vouchers(call, stream, &mut refused).await {
            Ok(Some(bought)) => Ok(bought),
            Err(error) if matches!(refused, Bought::NotFor) => Err(error),
            // The server has the voucher that it refused, whatever fails after that.
            Ok(None) | Err(_) => Ok(refused),
        }
    }

    /// Sends one voucher after the other. `None` if no more can be paid out of the hold for the call; `refused` is the
    /// answer to the last voucher that bought nothing.
    async fn pay_by_vouchers(
        &self,
        call: &Call<'_>,
        mut stream: Stream,
        refused: &mut Bought,
    ) -> Result<Option<Bought>, FetchError> {
        // A voucher that was in doubt may turn out to be used; then the next one pays. A server that says so of one that
        // it sees for the first time lies, and gets no other. A price may have changed, once.
        for _ in 0..MAXIMUM_VOUCHERS {
            let Some(terms) = stream.routes.get(&call.route).cloned() else { return Ok(None) };
            let Some(price) = request_price(&terms).filter(|price| *price <= self.limits.maximum_amount)
            else {
                // The hold may pay for other routes.
                stream.routes.remove(&call.route);
                self.files.streams.put(stream)?;
                return Ok(None);
            };
            let Some(amount) = stream.next_amount(price, unix_now()) else {
                self.files.streams.remove(stream.payment_id)?;
                return Ok(None);
            };
            let was_in_doubt = amount <= stream.signed.0;
            stream.signed = Decimal(amount);
            self.files.streams.put(stream.clone())?;
            let Some(sending) = self.sign_voucher(call, &stream, terms.clone(), price)? else {
                return Ok(Some(Bought::KeyTaken));
            };
            let sent = self.send_until_final(call, sending).await?;
            if sent.state == buyer::Purchase::Served {
                if stream.served == Decimal(0) {
                    // What opened the hold bought nothing by itself, if its answer got lost.
                    let opening = purchase_id(stream.payment_id, None);
                    _ = self.files.journal.note(&opening, buyer::Purchase::Over);
                }
                stream.served = stream.signed;
                self.note_served(&stream);
                if offer_of_ids(&terms).is_some() {
                    // What was bought is not lost over this: a file that can't be written refuses the next voucher.
                    _ = self.files.streams.put(stream);
                }
                return Ok(Some(Bought::For(Box::new(sent.outcome))));
            }
            match self.after_refusal(call, &mut stream, &sent, was_in_doubt).await {
                Ok(Next::Voucher) => *refused = Bought::Refused(Box::new(sent.outcome)),
                Ok(Next::NewHold) => return Ok(Some(Bought::Refused(Box::new(sent.outcome)))),
                Ok(Next::Bought(bought)) => return Ok(Some(bought)),
                // The server has the voucher, whatever fails after that.
                Ok(Next::Answer) | Err(_) => return Ok(Some(Bought::For(Box::new(sent.outcome)))),
            }
        }
        Ok(None)
    }

    async fn after_refusal(
        &self,
        call: &Call<'_>,
        stream: &mut Stream,
        sent: &Sent,
        was_in_doubt: bool,
    ) -> Result<Next, FetchError> {
        let Some(response) = sent.outcome.response() else { return Ok(Next::Answer) };
        if response.status != StatusCode::PAYMENT_REQUIRED.as_u16() {
            return Ok(Next::Answer);
        }
        let reason = sent.outcome.reason().unwrap_or_default();
        if is_repeated(reason) && was_in_doubt && sent.sendings == 1 && call.key().is_none() {
            stream.served = stream.signed;
            return Ok(Next::Voucher);
        }
        // To what was sent twice only the first answer would have been one.
        if sent.state != buyer::Purchase::Refused {
            return Ok(Next::Answer);
        }
        if reason == ErrorCode::PaymentNotFound.as_str()
            && stream.served == Decimal(0)
            && unix_now() < stream.authorize_by
            && let Some(bought) = self.open_again(call, stream.clone()).await?
        {
            return Ok(Next::Bought(bought));
        }
        if ends_hold(reason) {
            self.end_voucher(call, stream)?;
            self.give_up(stream.clone()).await?;
            return Ok(Next::NewHold);
        }
        let offered = challenge(&response.headers).ok();
        let offers = offered.iter().flat_map(|challenge| &challenge.accepts);
        let mut offers = offers.filter_map(|option| self.streamed_offer(option));
        let changed = offers.find(|offer| offer.pay_to == stream.pay_to);
        match changed.filter(|offer| stream.routes.get(&call.route) != Some(offer)) {
            Some(offer) => {
                self.end_voucher(call, stream)?;
                stream.routes.insert(call.route.clone(), offer);
                Ok(Next::Voucher)
            }
            None => Ok(Next::Answer),
        }
    }
}

/// What follows a voucher that bought nothing.
enum Next {
    /// Another voucher.
    Voucher,
    /// The caller is told the answer.
    Answer,
    /// Another hold.
    NewHold,
    /// The request went with what opened the hold.
    Bought(Bought),
}

impl AgentClient {
    /// Finds out whether the hold's last voucher bought something, where a key depends on it: a keyed purchase shares no
    /// voucher with another one.
    async fn decide_doubt(&self, call: &Call<'_>, stream: &mut Stream) -> Result<(), FetchError> {
        if !stream.is_in_doubt() {
            return Ok(());
        }
        let mut others = Vec::new();
        for id in [None, Some(stream.signed.0)].map(|vouched| purchase_id(stream.payment_id, vouched)) {
            let other = self.files.journal.find(&id)?;
            others.extend(other.filter(|other| other.key.is_some() && !other.is_finished()));
        }
        if call.key().is_none() && others.is_empty() {
            return Ok(());
        }
        let payment_id = stream.payment_id.to_string();
        let report = self.ask_about(&payment_id).await?.map_err(|message| FetchError::InDoubt {
            payment_id,
            verifier: self.session.verifier.clone(),
            message,
        })?;
        let accepted = report.map_or(Decimal(0), |report| report.accepted());
        stream.served = stream.served.max(accepted.min(stream.signed));
        for other in others {
            if other.signed_of_hold().is_none_or(|amount| amount > accepted.0) {
                // Its voucher goes to this request: nothing is charged for the other one.
                self.files.journal.note(&other.id, buyer::Purchase::Over)?;
            }
        }
        Ok(())
    }

    /// Writes a voucher with a key into the journal, and signs it. `None` if another purchase has the key.
    fn sign_voucher(
        &self,
        call: &Call<'_>,
        stream: &Stream,
        accepted: PaymentRequirements,
        price: u64,
    ) -> Result<Option<Sending>, FetchError> {
        let (payment_id, amount) = (stream.payment_id, stream.signed.0);
        let id = purchase_id(payment_id, Some(amount));
        let extensions =
            offer_of_ids(&accepted).map(|offer| payment_identifier::identified(offer, &identifier(&id)));
        let (x402_version, resource) = (X402_VERSION, None);
        let payload = json!({ "type": VOUCHER, "paymentId": payment_id, "amount": Decimal(amount) });
        let mut payment = PaymentPayload { x402_version, resource, accepted, payload, extensions };
        let state = step(buyer::Purchase::Offered, Event::Sign);
        if call.key().is_some() {
            let purchase = Purchase {
                id: id.clone(),
                key: call.key().map(str::to_owned),
                state,
                signed: Signed {
                    at: unix_now(),
                    origin: call.origin.clone(),
                    resource_hash: call.resource_hash,
                    pay_to: stream.pay_to,
                    amount: Decimal(price),
                    authorize_by: stream.capture_deadline,
                    capture_deadline: stream.capture_deadline,
                    payment: payment.clone(),
                },
            };
            if !self.files.journal.begin(&purchase, unix_now(), |_| Ok::<_, FetchError>(()))? {
                return Ok(None);
            }
        }
        payment.payload = json!(self.voucher(payment_id, amount));
        Ok(Some(Sending {
            payment,
            receipt: Receipt { payment_id, amount: price, pay_to: stream.pay_to, settlement: None },
            state,
            journaled: call.key().is_some().then_some(id),
            capture_deadline: stream.capture_deadline,
        }))
    }

    /// Sends a voucher, and the same again while its hold is not final enough.
    async fn send_until_final(&self, call: &Call<'_>, mut sending: Sending) -> Result<Sent, FetchError> {
        let started = Instant::now();
        loop {
            let sent = self.send_paid(call, sending.clone()).await?;
            let is_early = sent.outcome.reason() == Some(ErrorCode::VoucherHoldNotFinal.as_str());
            if !is_early || started.elapsed() > PATIENCE {
                return Ok(sent);
            }
            sending.state = sent.state;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Notes that nothing is charged for the hold's last voucher by itself.
    fn end_voucher(&self, call: &Call<'_>, stream: &Stream) -> Result<(), FetchError> {
        if call.key().is_some() {
            let id = purchase_id(stream.payment_id, Some(stream.signed.0));
            self.files.journal.note(&id, buyer::Purchase::Over)?;
        }
        Ok(())
    }

    pub(in crate::client) fn voucher(&self, payment_id: Hex32, amount: u64) -> VoucherPayload {
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
pub(super) fn offer_of_ids(terms: &PaymentRequirements) -> Option<Offer> {
    payment_identifier::offer(&terms.extra).ok().flatten()
}

/// Whether the reason says that the hold pays for nothing more, here.
fn ends_hold(reason: &str) -> bool {
    let ending = [
        ErrorCode::PaymentNotFound,
        ErrorCode::VoucherWrongHold,
        ErrorCode::VoucherHoldClosed,
        ErrorCode::VoucherTooLate,
        ErrorCode::VoucherDecreased,
        ErrorCode::VoucherAboveHold,
    ];
    ending.iter().any(|code| code.as_str() == reason)
}
