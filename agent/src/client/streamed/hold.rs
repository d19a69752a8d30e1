//! Opens holds, and gives them up: a server that takes no more vouchers gets one replacement for its hold, until the
//! verifier says that the first has ended or its deadline has passed.

use std::collections::BTreeMap;

use serde_json::json;
use x402_escrow_wire::{
    auth_capture::stream_resource_hash,
    clock::unix_now,
    payment::{PaymentRequired, PaymentRequirements},
    payment_identifier,
    purchase::buyer,
    text::Decimal,
};

use crate::{
    client::{
        AgentClient, Bought, FetchError,
        exchange::Call,
        found,
        paid::{Sending, identifier},
        streamed::voucher::{offer_of_ids, request_price},
        verifier::Wanted,
    },
    journal::{Purchase, Signed, purchase_id},
    stream::Stream,
};

/// How many holds one origin may have that are not used up: one, and the one before it.
const MAXIMUM_HOLDS: usize = 2;

impl AgentClient {
    /// Opens a hold with the request.
    pub(super) async fn open(
        &self,
        call: &Call<'_>,
        challenge: &PaymentRequired,
        offer: PaymentRequirements,
        maximum_hold: u64,
    ) -> Result<Bought, FetchError> {
        if let Some(stream) = self.check_holds(call).await? {
            let (origin, until) = (stream.origin.clone(), stream.capture_deadline);
            self.files.streams.put(stream.clone())?;
            let opened = self.open_again(call, stream).await?;
            return opened.ok_or(FetchError::TooManyHolds { origin, until });
        }
        let only = PaymentRequired { accepts: vec![json!(offer)], ..challenge.clone() };
        let wanted = Wanted {
            challenge: &only,
            resource_hash: stream_resource_hash(&call.origin),
            maximum_amount: maximum_hold,
            maximum_request_price: Some(self.limits.maximum_amount),
        };
        let mut drafted = self.draft(&wanted).await?;
        let (payment_id, intent) = (drafted.payment_id(), drafted.intent);
        let accepted = drafted.payment.accepted.clone();
        let id = identifier(&purchase_id(payment_id, None));
        drafted.payment.extensions =
            offer_of_ids(&accepted).map(|offer| payment_identifier::identified(offer, &id));
        let stream = Stream {
            origin: call.origin.clone(),
            payment_id,
            pay_to: intent.receiver.into(),
            hold: Decimal(intent.amount),
            authorize_by: intent.authorize_by,
            capture_deadline: intent.capture_deadline,
            signed: Decimal(request_price(&accepted).unwrap_or(u64::MAX)),
            served: Decimal(0),
            routes: BTreeMap::from([(call.route.clone(), accepted)]),
            given_up: false,
        };
        let Some(sending) = self.sign(call, drafted).await? else { return Ok(Bought::KeyTaken) };
        self.files.streams.put(stream.clone())?;
        self.send_opening(call, stream, sending).await
    }

    async fn send_opening(
        &self,
        call: &Call<'_>,
        stream: Stream,
        sending: Sending,
    ) -> Result<Bought, FetchError> {
        let sent = self.send_paid(call, sending).await?;
        match sent.state {
            buyer::Purchase::Served => self.note_served(&Stream { served: stream.signed, ..stream }),
            // The server has the signature: its answer is told whatever fails after that.
            buyer::Purchase::Refused => _ = self.give_up(stream).await,
            _ => {}
        }
        Ok(Bought::For(Box::new(sent.outcome)))
    }

    /// Sends what opened the hold once more, with this request: the server, or its verifier, has not had it.
    pub(super) async fn open_again(
        &self,
        call: &Call<'_>,
        stream: Stream,
    ) -> Result<Option<Bought>, FetchError> {
        let found = self.files.journal.find(&purchase_id(stream.payment_id, None))?;
        let Some(opening) = found.filter(|opening| opening.state != buyer::Purchase::Served) else {
            return Ok(None);
        };
        let again = Purchase {
            key: call.key().map(str::to_owned),
            state: buyer::Purchase::Unknown,
            signed: Signed { at: unix_now(), resource_hash: call.resource_hash, ..opening.signed },
            ..opening
        };
        // It locks nothing more than it did.
        if !self.files.journal.begin(&again, unix_now(), |_| Ok::<_, FetchError>(()))? {
            return Ok(Some(Bought::KeyTaken));
        }
        let sending = self.signed_again(&again)?;
        self.send_opening(call, stream, sending).await.map(Some)
    }

    /// Takes no more out of a hold that its server says is over. It is forgotten if the verifier says so too.
    pub(super) async fn give_up(&self, stream: Stream) -> Result<(), FetchError> {
        let report = self.ask_about(&stream.payment_id.to_string()).await?;
        if report.is_ok_and(|report| found::is_over(&stream, report.as_ref(), unix_now())) {
            self.files.streams.remove(stream.payment_id)?;
        } else {
            self.files.streams.put(Stream { given_up: true, ..stream })?;
        }
        Ok(())
    }

    /// Refuses to open a hold where the origin has two that are not over. Returns one that was refused and is not on
    /// chain, if there is one: what opens it can be sent again instead.
    async fn check_holds(&self, call: &Call<'_>) -> Result<Option<Stream>, FetchError> {
        let all = self.files.streams.read()?;
        let (mut deadlines, mut unheld) = (Vec::new(), None);
        for stream in all.into_iter().filter(|stream| stream.origin == call.origin) {
            let now = unix_now();
            let mut is_over = now > stream.capture_deadline;
            if stream.given_up {
                let report = self.ask_about(&stream.payment_id.to_string()).await?;
                // It would draft nothing either.
                let report = report.map_err(|message| self.no_draft(message))?;
                is_over = found::is_over(&stream, report.as_ref(), now);
                if report.is_none() && stream.served == Decimal(0) && now < stream.authorize_by {
                    unheld = Some(Stream { given_up: false, ..stream.clone() });
                }
            }
            if is_over {
                self.files.streams.remove(stream.payment_id)?;
            } else {
                deadlines.push(stream.capture_deadline);
            }
        }
        if deadlines.len() < MAXIMUM_HOLDS {
            return Ok(None);
        }
        let until = deadlines.into_iter().min().unwrap_or_default();
        unheld.map(Some).ok_or(FetchError::TooManyHolds { origin: call.origin.clone(), until })
    }
}
