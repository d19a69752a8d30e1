//! Pays for requests out of one hold: an open one where there is one, or one that the request opens.

mod hold;
mod voucher;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use x402_escrow_wire::{
    auth_capture::{Extra, SCHEME},
    field,
    payment::{PaymentRequired, PaymentRequirements},
    payment_identifier,
    text::{Decimal, Hex32},
};

use super::{AgentClient, Bought, FetchError, exchange::Call};
use crate::stream::{Stream, Turn};

/// How holds may be used.
pub(super) struct Streaming {
    /// The most to hold, in base units.
    maximum_hold: u64,
    /// Whether nothing is paid for in another way.
    pub(super) is_required: bool,
    /// What was served of each hold, in base units: it goes into the file with the next voucher. Until then the file has
    /// the last one in doubt, which costs another process one request that is refused. Where vouchers have ids, that
    /// request would be answered like the one before: there it goes into the file at once.
    served: Mutex<BTreeMap<Hex32, Decimal>>,
}

impl AgentClient {
    /// Takes offers of streamed holds up to `maximum_hold` base units. A hold counts in full as signed for; what a request
    /// may cost is still bounded by the limits.
    #[must_use]
    pub fn streaming(mut self, maximum_hold: u64) -> Self {
        self.streaming = Some(Streaming { maximum_hold, is_required: false, served: Mutex::default() });
        self
    }

    /// Like [`Self::streaming`], and pays for nothing that is not offered so.
    #[must_use]
    pub fn only_streaming(self, maximum_hold: u64) -> Self {
        let mut client = self.streaming(maximum_hold);
        if let Some(streaming) = &mut client.streaming {
            streaming.is_required = true;
        }
        client
    }

    /// Pays at once for a route that an open hold paid for before.
    pub(super) async fn fetch_known(&self, call: &Call<'_>) -> Result<Bought, FetchError> {
        if self.streaming.is_none() {
            return Ok(Bought::NotFor);
        }
        let known = |stream: &Stream| stream.routes.contains_key(&call.route);
        if self.open_hold(call, known)?.is_none() {
            return Ok(Bought::NotFor);
        }
        let _turn = self.turn(&call.origin).await?;
        match self.open_hold(call, known)? {
            Some(stream) => self.pay(call, stream).await,
            None => Ok(Bought::NotFor),
        }
    }

    /// Pays out of a hold where the server offers that: an open one, or a new one.
    pub(super) async fn fetch_streamed(
        &self,
        call: &Call<'_>,
        challenge: &PaymentRequired,
    ) -> Result<Bought, FetchError> {
        let Some(streaming) = &self.streaming else { return Ok(Bought::NotFor) };
        let Some(offer) = challenge.accepts.iter().find_map(|option| self.streamed_offer(option)) else {
            return Ok(Bought::NotFor);
        };
        let _turn = self.turn(&call.origin).await?;
        if let Some(mut stream) = self.open_hold(call, |stream| stream.pay_to == offer.pay_to)? {
            stream.routes.insert(call.route.clone(), offer.clone());
            match self.pay(call, stream).await? {
                Bought::NotFor => {}
                Bought::Refused(outcome) => {
                    let opened = self.open(call, challenge, offer, streaming.maximum_hold).await;
                    return Ok(opened.unwrap_or(Bought::For(outcome)));
                }
                bought => return Ok(bought),
            }
        }
        self.open(call, challenge, offer, streaming.maximum_hold).await
    }

    /// A hold that more may be paid out of.
    fn open_hold(
        &self,
        call: &Call<'_>,
        is_meant: impl Fn(&Stream) -> bool,
    ) -> Result<Option<Stream>, FetchError> {
        let is_open = |stream: &Stream| stream.origin == call.origin && !stream.given_up && is_meant(stream);
        Ok(self.files.streams.read()?.into_iter().find(is_open))
    }

    /// The option, if it is a streamed hold that this session could pay for at a price it would pay.
    fn streamed_offer(&self, option: &Value) -> Option<PaymentRequirements> {
        let offer: PaymentRequirements = field::read(option).ok()?;
        let extra = (offer.scheme == SCHEME).then(|| Extra::read(&offer).ok())??;
        payment_identifier::offer(&offer.extra).ok()?;
        let price = extra.request_price.filter(|_| extra.is_streamed())?;
        let is_ours = offer.network == self.session.network
            && offer.asset == self.session.mint
            && extra.program == self.session.program;
        (is_ours && price.0 <= self.limits.maximum_amount).then_some(offer)
    }

    /// Waits for other requests out of the origin's holds, also of other processes, without holding up the rest of this
    /// one.
    pub(super) async fn turn(&self, origin: &str) -> Result<Turn, FetchError> {
        let (file, origin) = (self.files.streams.clone(), origin.to_owned());
        let turn = tokio::task::spawn_blocking(move || file.turn(&origin)).await;
        let turn = turn.map_err(|error| FetchError::InvalidRequest {
            what: "streams",
            message: format!("waiting for the file of streamed holds broke off: {error}"),
        })?;
        Ok(turn?)
    }

    fn served(&self, payment_id: Hex32) -> Option<Decimal> {
        self.streaming.as_ref()?.served().get(&payment_id).copied()
    }

    fn note_served(&self, stream: &Stream) {
        if let Some(streaming) = &self.streaming {
            streaming.served().insert(stream.payment_id, stream.served);
        }
    }
}

impl Streaming {
    /// The map stays whole whatever panics while it is locked.
    fn served(&self) -> MutexGuard<'_, BTreeMap<Hex32, Decimal>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
