//! Sends a request with a payment, and again where its answer got lost.

use std::time::Duration;

use reqwest::StatusCode;
use x402_escrow_wire::{
    payment::PaymentPayload,
    payment_identifier::{self, Info, PaymentIdentifier},
    purchase::{
        buyer::{Event, Purchase},
        verdict::{is_repeated, is_undecided},
    },
};

use super::{
    AgentClient, FetchError, Fetched, Outcome, Receipt,
    exchange::{Call, payment_header, read},
};

/// How often a payment that has an id is sent, the first time included.
const MAXIMUM_SENDINGS: usize = 3;
/// Before it is sent again.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// A purchase that is signed.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub(super) payment: PaymentPayload,
    pub(super) receipt: Receipt,
    /// What is known of it.
    pub(super) state: Purchase,
    /// Its id in the journal. A voucher without a key is not there.
    pub(super) journaled: Option<String>,
    /// Last second for captures, unix.
    pub(super) capture_deadline: i64,
}

/// What a sending came to.
pub(super) struct Sent {
    pub(super) outcome: Outcome,
    pub(super) state: Purchase,
    /// How often it was sent now.
    pub(super) sendings: usize,
}

impl AgentClient {
    /// Sends the request with the payment. The same payment under its id is answered like the first time, if that answer
    /// gets lost: so only one that has an id is sent again.
    pub(super) async fn send_paid(&self, call: &Call<'_>, sending: Sending) -> Result<Sent, FetchError> {
        let header = payment_header(&sending.payment)?;
        let info = payment_identifier::read(sending.payment.extensions.as_ref());
        let is_identified = matches!(info, Ok(Some(Info { id: Some(_), .. })));
        let maximum_sendings = if is_identified { MAXIMUM_SENDINGS } else { 1 };
        let mut state = sending.state;
        let mut sendings = 1;
        let answer = loop {
            state = step(state, Event::Send);
            let answer = match self.send(call, Some(&header)).await {
                Ok(response) => read(response, Some(sending.receipt.clone())).await,
                Err(error) => Err(error),
            };
            let fetched = answer.as_ref().ok();
            state = step(state, fetched.map_or(Event::NoAnswer, event));
            if sendings == maximum_sendings || !fetched.is_none_or(is_unanswered) {
                break answer;
            }
            sendings += 1;
            tokio::time::sleep(PAUSE).await;
        };
        if let Some(id) = &sending.journaled {
            // Without it the journal says that it was signed, which is as good: nobody knows what became of it.
            _ = self.files.journal.note(id, state);
        }
        if let Ok(fetched) = &answer {
            self.note_held(fetched);
        }
        Ok(Sent { outcome: outcome(state, &sending, answer), state, sendings })
    }

    /// Notes that the payment is held, if the answer to it says so: its nonce is used for good.
    fn note_held(&self, fetched: &Fetched) {
        let Some(receipt) = &fetched.payment else { return };
        if fetched.says_settled() || fetched.is_served() {
            // What was bought is not lost over this: a nonce that is tried again is refused and dropped.
            _ = self.nonces.held(receipt.payment_id);
        }
    }
}

/// What becomes of a purchase. What can't happen leaves it in doubt.
pub(super) fn step(state: Purchase, event: Event) -> Purchase {
    state.next(event).unwrap_or(Purchase::Unknown)
}

fn event(fetched: &Fetched) -> Event {
    match fetched.refusal_reason() {
        _ if fetched.is_served() => Event::Served,
        _ if fetched.status != StatusCode::PAYMENT_REQUIRED.as_u16() => Event::NoAnswer,
        None => Event::NoAnswer,
        Some(reason) if is_undecided(reason) => Event::NoAnswer,
        Some(reason) if is_repeated(reason) => Event::Repeated,
        Some(_) => Event::Refused,
    }
}

/// Whether it is worth asking again: proxies answer so for a server that does not, and servers for what is undecided.
fn is_unanswered(fetched: &Fetched) -> bool {
    let is_payment_required = fetched.status == StatusCode::PAYMENT_REQUIRED.as_u16();
    matches!(fetched.status, 502..=504)
        || is_payment_required && fetched.refusal_reason().is_some_and(is_undecided)
}

fn outcome(state: Purchase, sending: &Sending, answer: Result<Fetched, reqwest::Error>) -> Outcome {
    // A server may have it held whatever it says: then it is captured until the capture deadline.
    let until = sending.capture_deadline;
    match (state, answer) {
        (Purchase::Served, Ok(fetched)) => Outcome::Served(fetched),
        (Purchase::Refused, Ok(response)) => Outcome::Refused { response, may_settle_until: Some(until) },
        (_, Ok(response)) => {
            let reason = match response.refusal_reason() {
                Some(reason) => format!("the server answered {} ({reason})", response.status),
                None => format!("the server answered {}", response.status),
            };
            let payment = response.payment.clone().unwrap_or_else(|| sending.receipt.clone());
            Outcome::Unknown { response: Some(Box::new(response)), payment, until, reason }
        }
        (_, Err(error)) => Outcome::Unknown {
            response: None,
            payment: sending.receipt.clone(),
            until,
            reason: format!("no answer came: {error}"),
        },
    }
}

/// What a purchase is called on the wire: what the journal calls it.
pub(super) fn identifier(purchase_id: &str) -> PaymentIdentifier {
    format!("pay_{purchase_id}")
        .parse()
        .unwrap_or_else(|error| unreachable!("at most 89 letters, digits and underscores are an id: {error}"))
}
