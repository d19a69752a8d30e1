//! States what a route costs, and how final a payment must be. Uses nothing.

use serde_json::Value;
use x402_escrow_wire::{
    auth_capture::Commitment,
    facilitator::SettleResponse,
    field,
    payment_identifier::Offer,
    purchase::{charge::ChargeEvent, verdict::Verdict},
};

/// What a route costs, and how final a payment must be before it is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// In base units; [`crate::Merchant::tokens`] makes them of a decimal amount. The handler may
    /// capture less ([`CaptureAmount`]) unless the price is streamed.
    pub amount: u64,
    /// If set, what is held once for many requests, in base units: each request brings a voucher
    /// over `amount` more.
    pub hold: Option<u64>,
    /// Whether the price is held before the handler runs, and captured after it. If not, and unless it
    /// is streamed, it is charged at once: after the handler has answered, before its answer leaves.
    pub held: bool,
    /// How long after the capture deadline refunds are promised, in seconds; `None` for the
    /// merchant's own.
    pub refund_window_seconds: Option<u32>,
    /// How final the hold or the charge must be; `None` leaves it to the facilitator's policy.
    pub commitment: Option<Commitment>,
    /// Whether clients may or must give each purchase an id, by which a repeat is answered like the
    /// first.
    pub identified: Option<Offer>,
    /// What is sold, for people.
    pub description: Option<String>,
    /// Media type of the response.
    pub mime_type: Option<String>,
    /// An example of what a request takes, for catalogues: an object of query parameters, or the JSON
    /// of a body.
    pub example: Option<Value>,
    /// Whether the facilitator may list the route in its catalogue, once somebody has paid for it.
    pub listed: bool,
}

impl Price {
    /// A price in base units that is charged at once, as final as the facilitator's policy has it.
    ///
    /// That is x402's flow `authorization`: the handler runs on the facilitator's word that the payment
    /// is good, the payment is charged, and only then does the answer leave. It is the cheapest way to
    /// be paid once: one transaction, and no rent. Nothing of the answer leaves unpaid, but the
    /// handler's work may turn out unpaid: one that is dear or has effects of its own is better
    /// [held](Self::held) for.
    pub fn new(amount: u64) -> Self {
        Self {
            amount,
            hold: None,
            held: false,
            refund_window_seconds: None,
            commitment: None,
            identified: None,
            description: None,
            mime_type: None,
            example: None,
            listed: true,
        }
    }

    /// Asks for a hold, or a charge, that is at least this final.
    #[must_use]
    pub fn at_least(mut self, commitment: Commitment) -> Self {
        self.commitment = Some(commitment);
        self
    }

    /// Lets many requests be paid out of one hold of `hold` base units, each by a signature that
    /// touches no chain. The hold pays for every streamed route under the same origin.
    #[must_use]
    pub fn streamed(mut self, hold: u64) -> Self {
        self.hold = Some(hold);
        self
    }

    /// Has the price held before the handler runs, and captured after it, as x402's flow `escrow`
    /// orders it: the handler's work is paid for whatever the payer does meanwhile.
    #[must_use]
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// Promises refunds until `seconds` after the capture deadline.
    #[must_use]
    pub fn refundable(mut self, seconds: u32) -> Self {
        self.refund_window_seconds = Some(seconds);
        self
    }

    /// Takes ids of purchases: a client whose answer got lost asks again under the same id, with
    /// the same payment, and is answered as before. Kept for an hour, of answers up to 64 KiB.
    #[must_use]
    pub fn identified(mut self, offer: Offer) -> Self {
        self.identified = Some(offer);
        self
    }

    /// Says what is sold.
    #[must_use]
    pub fn describe(mut self, description: &str) -> Self {
        self.description = Some(description.to_owned());
        self
    }

    /// Shows catalogues what a request takes: an object of query parameters, or the JSON of a body.
    /// Without it a route that takes a body is not listed.
    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        self.example = Some(example);
        self
    }

    /// Keeps the route out of catalogues, also where a client declares it.
    #[must_use]
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// Why nothing can be sold at this price.
    pub(crate) fn mistake(&self) -> Option<String> {
        match (self.amount, self.hold) {
            (0, _) => Some("the price is 0; leave the layer out for what is free".to_owned()),
            (amount, Some(hold)) if hold < amount => {
                Some(format!("what is held, {hold}, is less than one request costs, {amount}"))
            }
            _ => None,
        }
    }

    /// Whether the price is charged at once: nothing is held for it.
    pub(crate) fn is_charged(&self) -> bool {
        !self.held && self.hold.is_none()
    }

    /// Whether the facilitator saw the payment as finally as the price asks.
    pub(crate) fn is_final_enough(&self, answer: &SettleResponse) -> bool {
        is_final_enough(self.commitment, answer)
    }
}

/// What the facilitator's answer is, if it gave one, to a charge that was asked to be this final.
pub(crate) fn charge_event(
    commitment: Option<Commitment>,
    verdict: Verdict,
    answer: Option<&SettleResponse>,
) -> ChargeEvent {
    match (verdict, answer) {
        (Verdict::Yes, Some(answer)) if is_final_enough(commitment, answer) => ChargeEvent::Charged,
        (Verdict::Anothers, _) => ChargeEvent::Anothers,
        (Verdict::No, _) => ChargeEvent::Denied,
        _ => ChargeEvent::Undecided,
    }
}

/// Whether the facilitator saw a payment as finally as was asked for, if anything was.
fn is_final_enough(commitment: Option<Commitment>, answer: &SettleResponse) -> bool {
    let status = answer.extra.as_ref().and_then(|extra| extra.get("status"));
    let observed = status.and_then(|status| field::read::<Commitment>(status).ok());
    observed >= Some(commitment.unwrap_or(Commitment::Processed))
}

/// What a handler puts into its response's extensions to be paid less than the price: base units.
/// The payer keeps the rest. More than the price is a fault of the handler's: then nothing is paid, and
/// the client is answered 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureAmount(pub u64);
