//! Pays for requests out of one hold: an open one where there is one, or one that the request opens.

mod voucher;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, Extra, SCHEME, stream_resource_hash},
    error_code::ErrorCode,
    field,
    payment::{PaymentRequired, PaymentRequirements},
    payment_identifier,
    text::{Decimal, Hex32},
};

use super::{AgentClient, FetchError, Fetched, drafted::Wanted, exchange::Call, paid::identifier};
use crate::stream::{Stream, Streams, StreamsFile};
use voucher::{Paid, refusal_reason, request_price};

/// Where open holds are kept, and how large they may be.
pub(super) struct Streaming {
    file: StreamsFile,
    /// Base units.
    maximum_hold: u64,
    /// Whether nothing is paid for in another way.
    pub(super) is_required: bool,
    /// What was served of each hold, in base units: it goes into the file with the next voucher. Until then the file has
    /// the last one in doubt, which costs another process one request that is refused. Where vouchers have ids, that
    /// request would be answered like the one before: there it goes into the file at once.
    served: Mutex<BTreeMap<Hex32, Decimal>>,
}

impl AgentClient {
    /// Takes offers of streamed holds up to `maximum_hold` base units, and keeps them in `file`. A hold counts in full as
    /// signed for; what a request may cost is still bounded by the limits.
    #[must_use]
    pub fn streaming(mut self, file: StreamsFile, maximum_hold: u64) -> Self {
        self.streaming = Some(Streaming { file, maximum_hold, is_required: false, served: Mutex::default() });
        self
    }

    /// Like [`Self::streaming`], and pays for nothing that is not offered so.
    #[must_use]
    pub fn only_streaming(self, file: StreamsFile, maximum_hold: u64) -> Self {
        let mut client = self.streaming(file, maximum_hold);
        if let Some(streaming) = &mut client.streaming {
            streaming.is_required = true;
        }
        client
    }

    /// Pays at once for a route that an open hold paid for before. `None` if there is no such hold.
    pub(super) async fn fetch_known(&self, call: &Call<'_>) -> Result<Option<Fetched>, FetchError> {
        let Some(streaming) = &self.streaming else { return Ok(None) };
        let known = |stream: &Stream| stream.origin == call.origin && stream.routes.contains_key(&call.route);
        if !streaming.file.read()?.iter().any(known) {
            return Ok(None);
        }
        let mut streams = streaming.lock().await?;
        let Some(stream) = streams.find_route(&call.origin, &call.route).cloned() else { return Ok(None) };
        match self.pay(call, &mut streams, stream).await? {
            Paid::Answered(fetched) => Ok(Some(*fetched)),
            Paid::HoldIsOver => Ok(None),
        }
    }

    /// Pays out of a hold where the server offers that: an open one, or a new one. `None` if it doesn't.
    pub(super) async fn fetch_streamed(
        &self,
        call: &Call<'_>,
        challenge: &PaymentRequired,
    ) -> Result<Option<Fetched>, FetchError> {
        let Some(streaming) = &self.streaming else { return Ok(None) };
        let Some(offer) = challenge.accepts.iter().find_map(|option| self.streamed_offer(option)) else {
            return Ok(None);
        };
        let mut streams = streaming.lock().await?;
        if let Some(mut stream) = streams.find(&call.origin, offer.pay_to).cloned() {
            stream.routes.insert(call.route.clone(), offer.clone());
            if let Paid::Answered(fetched) = self.pay(call, &mut streams, stream).await? {
                return Ok(Some(*fetched));
            }
        }
        self.open(call, &mut streams, challenge, offer, streaming.maximum_hold).await.map(Some)
    }

    /// The option, if it is a streamed hold that this session could pay for at a price it would pay.
    fn streamed_offer(&self, option: &Value) -> Option<PaymentRequirements> {
        let offer: PaymentRequirements = field::read(option).ok()?;
        let extra = (offer.scheme == SCHEME).then(|| Extra::read(&offer).ok())??;
        payment_identifier::offer(&offer.extra).ok()?;
        let price =
            extra.request_price.filter(|_| extra.capture_authorizer == CaptureAuthorizer::SessionKey)?;
        let is_ours = offer.network == self.session.network
            && offer.asset == self.session.mint
            && extra.program == self.session.program;
        (is_ours && price.0 <= self.limits.maximum_amount).then_some(offer)
    }

    /// Opens a hold with the request.
    async fn open(
        &self,
        call: &Call<'_>,
        streams: &mut Streams,
        challenge: &PaymentRequired,
        offer: PaymentRequirements,
        maximum_hold: u64,
    ) -> Result<Fetched, FetchError> {
        let only = PaymentRequired { accepts: vec![json!(offer)], ..challenge.clone() };
        let wanted = Wanted {
            challenge: &only,
            resource_hash: stream_resource_hash(&call.origin),
            maximum_amount: maximum_hold,
            maximum_request_price: Some(self.limits.maximum_amount),
        };
        let drafted = self.draft(&wanted).await?;
        let intent = drafted.intent;
        let price = request_price(&drafted.payment.accepted).unwrap_or(u64::MAX);
        let stream = Stream {
            origin: call.origin.clone(),
            payment_id: drafted.payment_id(),
            pay_to: intent.receiver.into(),
            hold: Decimal(intent.amount),
            capture_deadline: intent.capture_deadline,
            signed: Decimal(price),
            served: Decimal(0),
            routes: BTreeMap::from([(call.route.clone(), drafted.payment.accepted.clone())]),
        };
        let mut payment = self.sign(drafted)?;
        streams.put(stream.clone())?;
        payment.payload["voucher"] = json!(self.voucher(stream.payment_id, price));
        let id = identifier(stream.payment_id, None);
        let fetched =
            self.send_out_of(&stream, call, payment.accepted, payment.payload, id, intent.amount).await?;
        self.note_held(&fetched);
        if (200..300).contains(&fetched.status) {
            self.note_served(&Stream { served: stream.signed, ..stream });
        } else if refusal_reason(&fetched)
            .is_some_and(|reason| reason != ErrorCode::SettlementPending.as_str())
        {
            streams.remove(stream.payment_id)?;
        }
        Ok(fetched)
    }
}

impl Streaming {
    /// The map stays whole whatever panics while it is locked.
    fn served(&self) -> MutexGuard<'_, BTreeMap<Hex32, Decimal>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for other requests out of streams, also of other processes, without holding up the rest of this one.
    async fn lock(&self) -> Result<Streams, FetchError> {
        let file = self.file.clone();
        let locked = tokio::task::spawn_blocking(move || file.lock()).await;
        let streams = locked.map_err(|error| FetchError::InvalidRequest {
            what: "streams",
            message: format!("waiting for the file of streamed holds broke off: {error}"),
        })?;
        Ok(streams?)
    }
}
