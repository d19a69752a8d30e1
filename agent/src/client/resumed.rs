//! Purchases that were begun before: what became of them, and how they go on.

use ed25519_dalek::Signer;
use serde_json::json;
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    clock::unix_now,
    field,
    purchase::buyer::{self, Event},
    text::{Base58, Decimal, Hex32},
};

use super::{
    AgentClient, FetchError, Outcome, Receipt, Request,
    exchange::Call,
    found::{self, Report},
    paid::{Sending, step},
};
use crate::journal::Purchase;

/// A purchase, as it was found.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What the journal has of it now.
    pub purchase: Purchase,
    /// Last second at which something can still become of it, unix; `None` if it is finished.
    pub may_settle_until: Option<i64>,
    /// Whether the verifier answered; without it the journal alone is known.
    pub verifier_answered: bool,
}

impl AgentClient {
    /// Finds a purchase by the caller's own key, by its id or its payment's, and asks the verifier what became of it.
    ///
    /// # Errors
    /// If the journal can't be read, or the verifier's URL is not to be used.
    pub async fn lookup(&self, name: &str) -> Result<Option<Lookup>, FetchError> {
        let Some(purchase) = self.files.journal.find(name)? else { return Ok(None) };
        if purchase.is_finished() {
            return Ok(Some(Lookup { purchase, may_settle_until: None, verifier_answered: false }));
        }
        let (purchase, report) = self.refresh(purchase).await?;
        let is_unheld = report.as_ref().is_ok_and(|report| found::is_unheld(report.as_ref()));
        let signed = &purchase.signed;
        let until = if is_unheld { signed.authorize_by } else { signed.capture_deadline };
        let may_settle_until = (!purchase.is_finished()).then_some(until);
        Ok(Some(Lookup { may_settle_until, verifier_answered: report.is_ok(), purchase }))
    }

    /// Goes on with the purchase that has the request's key: sends the same payment again, and never another one unless
    /// nothing can become of the first any more.
    ///
    /// # Errors
    /// If no purchase has the key; for the rest like [`Self::fetch`].
    pub async fn resume(&self, request: &Request) -> Result<Outcome, FetchError> {
        let key = request.key.as_deref().unwrap_or_default();
        if self.files.journal.find(key)?.is_none() {
            return Err(FetchError::NoSuchKey { key: key.to_owned() });
        }
        self.fetch(request).await
    }

    /// Goes on with the purchase of the call's key. `None` if there is none, or nothing can become of it any more.
    pub(super) async fn go_on(&self, call: &Call<'_>) -> Result<Option<Outcome>, FetchError> {
        let Some(mut purchase) = self.unfinished_of(call).await? else { return Ok(None) };
        let _turn = match purchase.is_out_of_stream() {
            true => Some(self.turn(&call.origin).await?),
            false => None,
        };
        if purchase.is_out_of_stream() {
            // Whoever had the turn before may have finished it, or used its voucher for something else.
            let Some(found) = self.unfinished_of(call).await? else { return Ok(None) };
            purchase = found;
        }
        let sent = self.send_paid(call, self.signed_again(&purchase)?).await?;
        if sent.state == buyer::Purchase::Served && purchase.is_out_of_stream() {
            // What was bought is not lost over this: a voucher that was used is refused and then passed over.
            _ = self.note_resumed(&purchase);
        }
        Ok(Some(sent.outcome))
    }

    /// The purchase of the call's key. `None` if there is none, or nothing can become of it any more.
    ///
    /// # Errors
    /// If it is for another request, or has bought something.
    async fn unfinished_of(&self, call: &Call<'_>) -> Result<Option<Purchase>, FetchError> {
        let Some(key) = call.key() else { return Ok(None) };
        let Some(purchase) = self.files.journal.find(key)? else { return Ok(None) };
        if purchase.state == buyer::Purchase::Over {
            return Ok(None);
        }
        if purchase.signed.resource_hash != call.resource_hash {
            return Err(FetchError::KeyConflict { key: key.to_owned() });
        }
        let is_overdue = unix_now() > purchase.signed.authorize_by;
        let purchase =
            if is_overdue && !purchase.is_finished() { self.refresh(purchase).await?.0 } else { purchase };
        if purchase.state == buyer::Purchase::Over {
            return Ok(None);
        }
        if purchase.is_finished() {
            return Err(FetchError::AlreadyBought {
                key: key.to_owned(),
                purchase: purchase.id.clone(),
                state: purchase.state.as_str(),
            });
        }
        Ok(Some(purchase))
    }

    /// Asks the verifier about a purchase, and writes down what it says.
    pub(super) async fn refresh(
        &self,
        mut purchase: Purchase,
    ) -> Result<(Purchase, Result<Option<Report>, String>), FetchError> {
        // Whoever sends it now writes down what comes of that; for everybody else it is in doubt.
        purchase.state = step(purchase.state, Event::Crashed);
        let report = self.ask_about(purchase.payment_id()).await?;
        if let Ok(report) = &report
            && let Some(event) = found::event(&purchase, report.as_ref(), unix_now())
        {
            let state = purchase.state.next(event).unwrap_or(purchase.state);
            if state != purchase.state {
                self.files.journal.note(&purchase.id, state)?;
                purchase.state = state;
            }
        }
        Ok((purchase, report))
    }

    /// Asks the verifier about all that may lock something.
    pub(super) async fn refresh_all(&self) -> Result<(), FetchError> {
        for purchase in self.files.journal.unfinished()? {
            if purchase.vouched().is_none() && self.refresh(purchase).await?.1.is_err() {
                // It answers to none of the others either.
                return Ok(());
            }
        }
        Ok(())
    }

    /// The purchase's payment, with the same signatures as the first time, as one that was sent before.
    pub(super) fn signed_again(&self, purchase: &Purchase) -> Result<Sending, FetchError> {
        let signed = &purchase.signed;
        let damaged = || FetchError::AnotherSession { purchase: purchase.id.clone() };
        let mut payment = signed.payment.clone();
        let payment_id = if let Some(amount) = purchase.vouched() {
            let payment_id: Hex32 = purchase.payment_id().parse().map_err(|_| damaged())?;
            payment.payload = json!(self.voucher(payment_id, amount));
            payment_id
        } else {
            let mut payload: IntentPayload = field::read(&payment.payload).map_err(|_| damaged())?;
            let extra = Extra::read(&payment.accepted).map_err(|_| damaged())?;
            if payload.session_key != self.session.session_key {
                return Err(damaged());
            }
            let intent = payload.intent(&payment.accepted, &extra);
            let payment_id = Hex32(intent.digest());
            payload.signature = Some(Base58(self.key.sign(&intent.signed_bytes()).to_bytes()));
            payload.voucher = extra.request_price.map(|price| self.voucher(payment_id, price.0));
            payment.payload = json!(payload);
            payment_id
        };
        if payment_id.to_string() != purchase.payment_id() {
            return Err(damaged());
        }
        let (amount, pay_to) = (signed.amount.0, signed.pay_to);
        Ok(Sending {
            payment,
            receipt: Receipt { payment_id, amount, pay_to, settlement: None },
            state: step(purchase.state, Event::Crashed),
            journaled: Some(purchase.id.clone()),
            capture_deadline: signed.capture_deadline,
        })
    }

    /// Notes what a resumed purchase bought out of a hold that is still open.
    fn note_resumed(&self, purchase: &Purchase) -> Result<(), FetchError> {
        let file = &self.files.streams;
        let open = file.read()?;
        let hold = open.into_iter().find(|stream| stream.payment_id.to_string() == purchase.payment_id());
        let Some(mut stream) = hold else { return Ok(()) };
        let bought = Decimal(purchase.signed_of_hold().unwrap_or_default());
        if bought > stream.served {
            stream.served = bought;
            file.put(stream)?;
        }
        Ok(())
    }
}
