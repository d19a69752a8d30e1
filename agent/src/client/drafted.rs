//! Has the verifier draft a payment, checks it, and signs it.

use serde_json::{Value, json};
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::{IntentPayload, SCHEME},
    clock::unix_now,
    field,
    payment::{PaymentPayload, PaymentRequired, PaymentRequirements},
    purchase::buyer::{self, Event},
    text::{Decimal, Hex32, Key},
};

use super::{
    AgentClient, FetchError,
    exchange::Call,
    found,
    paid::{Sending, step},
    verifier::{Answer, Wanted},
};
use crate::{
    draft::{self, Expected},
    journal::{Entries, Purchase, Signed, purchase_id},
    nonces::Taken,
    spending::{Promise, SpendingError},
    stream::Stream,
};

/// A draft that may be signed, with a nonce of the agent's own.
pub(super) struct Drafted {
    pub(super) payment: PaymentPayload,
    pub(super) intent: Intent,
    nonce: Taken,
}

impl Drafted {
    pub(super) fn payment_id(&self) -> Hex32 {
        Hex32(self.intent.digest())
    }
}

impl AgentClient {
    /// The challenge with the offers of the scheme that the session may pay, and nothing in them that the scheme does
    /// not know. They have one receiver where the session has a list, so that one proof is for all.
    pub(super) fn payable(&self, mut challenge: PaymentRequired) -> Result<PaymentRequired, FetchError> {
        let schemes: Vec<String> = challenge.accepts.iter().map(scheme).collect();
        // One that can't be read may be of another chain, and must not hide the others.
        let of_scheme = challenge.accepts.iter().filter(|offer| offer["scheme"] == SCHEME);
        let mut offers: Vec<PaymentRequirements> =
            of_scheme.filter_map(|offer| field::read(offer).ok()).collect();
        let Some(first) = offers.first().map(|offer| offer.pay_to) else {
            return Err(FetchError::NoOffer { schemes });
        };
        if let Some(list) = &self.receivers {
            let is_listed = |receiver: &Key| list.proof(&(*receiver).into()).is_some();
            let receiver = offers.iter().map(|offer| offer.pay_to).find(is_listed);
            let receiver =
                receiver.ok_or(FetchError::NotListed { pay_to: first, listed: list.receivers().len() })?;
            offers.retain(|offer| offer.pay_to == receiver);
        }
        challenge.accepts = offers.iter().map(|offer| json!(offer)).collect();
        Ok(challenge)
    }

    /// Shows that the receiver of a [`Self::payable`] challenge is in the session's list.
    fn receiver_proof(&self, challenge: &PaymentRequired) -> Vec<Hex32> {
        let proof = self.receivers.as_ref().and_then(|list| {
            let receiver = challenge.accepts.iter().find_map(pay_to)?;
            list.proof(&receiver.into())
        });
        proof.unwrap_or_default().into_iter().map(Hex32).collect()
    }

    /// Has the verifier pick an offer and draft the payment for it. A nonce that it says is used is
    /// dropped for a higher one, in steps that double, so that few requests pass all that were used
    /// elsewhere.
    pub(super) async fn draft(&self, wanted: &Wanted<'_>) -> Result<Drafted, FetchError> {
        let expires_at = self.session.expires_at;
        if unix_now() > expires_at {
            return Err(FetchError::SessionExpired { expires_at });
        }
        let is_streamed = wanted.maximum_request_price.is_some();
        draft::check_price(wanted.challenge, &self.session, wanted.maximum_amount, is_streamed)?;
        let proof = self.receiver_proof(wanted.challenge);
        let (mut above, mut step) = (0, 1);
        loop {
            let nonce = self.nonces.take(above, unix_now())?;
            let number = nonce.nonce();
            let payment = match self.ask_for_draft(wanted, number, &proof).await? {
                Answer::Draft(payment) => *payment,
                Answer::NonceRefused => {
                    nonce.refuse()?;
                    above = number.saturating_add(step - 1);
                    step *= 2;
                    continue;
                }
            };
            let expected = Expected {
                session: &self.session,
                challenge: wanted.challenge,
                resource_hash: wanted.resource_hash,
                maximum_amount: wanted.maximum_amount,
                maximum_request_price: wanted.maximum_request_price,
                nonce: number,
                receiver_proof: &proof,
                now: unix_now(),
            };
            let intent = draft::check(&payment, &expected)?;
            return Ok(Drafted { payment: without_extras(payment, wanted.challenge)?, intent, nonce });
        }
    }

    /// Counts what is signed for, writes down that the nonce is signed, writes the purchase into the journal, and signs.
    /// The signature must not leave before. `None` if another purchase has taken the key meanwhile.
    pub(super) async fn sign(
        &self,
        call: &Call<'_>,
        drafted: Drafted,
    ) -> Result<Option<Sending>, FetchError> {
        let payment_id = drafted.payment_id();
        let Drafted { payment, intent, nonce } = drafted;
        let purchase = Purchase {
            id: purchase_id(payment_id, None),
            key: call.key().map(str::to_owned),
            state: step(buyer::Purchase::Offered, Event::Sign),
            signed: Signed {
                at: unix_now(),
                origin: call.origin.clone(),
                resource_hash: call.resource_hash,
                pay_to: payment.accepted.pay_to,
                amount: Decimal(intent.amount),
                authorize_by: intent.authorize_by,
                capture_deadline: intent.capture_deadline,
                payment: PaymentPayload { resource: None, ..payment.clone() },
            },
        };
        if !self.begin(&purchase, payment_id, nonce).await? {
            return Ok(None);
        }
        let mut sending = self.signed_again(&purchase)?;
        sending.payment.resource = payment.resource;
        sending.state = purchase.state;
        Ok(Some(sending))
    }

    /// Counts the purchase and writes it down; `false` if another has its key. Where too much is locked, the verifier is
    /// asked once what of it still is.
    async fn begin(&self, purchase: &Purchase, payment_id: Hex32, nonce: Taken) -> Result<bool, FetchError> {
        let signed = &purchase.signed;
        let (mut nonce, mut was_refreshed, mut was_settled) = (Some(nonce), false, false);
        loop {
            let (now, streams) = (unix_now(), self.files.streams.read()?);
            let begun = self.files.journal.begin(purchase, now, |entries| {
                self.check_locked(entries, &streams, signed.amount.0, now)?;
                // Whoever finds the purchase may send it, so it is counted before.
                let Signed { amount, authorize_by, capture_deadline, .. } = *signed;
                let promise = Promise { amount, authorize_by, capture_deadline };
                self.files.spending.add(payment_id, promise, self.limits.spending_limit)?;
                match nonce.take() {
                    Some(nonce) => Ok(nonce.sign(payment_id, signed.authorize_by)?),
                    None => Ok(()),
                }
            });
            match begun {
                Err(FetchError::LockedLimit { .. }) if !was_refreshed => {
                    self.refresh_all().await?;
                    was_refreshed = true;
                }
                Err(FetchError::Spending(SpendingError::LimitReached { .. })) if !was_settled => {
                    self.settle_spending().await?;
                    was_settled = true;
                }
                begun => return begun,
            }
        }
    }

    /// Asks the verifier what became of payments that count in full, and counts those that ended with what they came to.
    async fn settle_spending(&self) -> Result<(), FetchError> {
        for (payment_id, promise) in self.files.spending.promised()? {
            let Ok(report) = self.ask_about(&payment_id.to_string()).await? else {
                // It answers to none of the others either.
                return Ok(());
            };
            if let Some(paid) = found::came_to(report.as_ref(), &promise, unix_now()) {
                self.files.spending.settle(payment_id, paid)?;
            }
        }
        Ok(())
    }

    /// Refuses to lock `amount` more at `now` (unix seconds) if that would be too much.
    fn check_locked(
        &self,
        entries: &Entries,
        streams: &[Stream],
        amount: u64,
        now: i64,
    ) -> Result<(), FetchError> {
        let Some(limit) = self.limits.maximum_locked else { return Ok(()) };
        let streamed = streams.iter().fold(0_u64, |sum, stream| sum.saturating_add(stream.locked(now)));
        let is_streamed = |id: &str| streams.iter().any(|stream| stream.payment_id.to_string() == id);
        let locked = entries.locked(now, is_streamed).saturating_add(streamed);
        match locked.checked_add(amount) {
            Some(sum) if sum <= limit => Ok(()),
            _ => Err(FetchError::LockedLimit { limit, locked, amount }),
        }
    }
}

/// The drafted payment with what was checked, and nothing that the verifier may have added.
fn without_extras(
    payment: PaymentPayload,
    challenge: &PaymentRequired,
) -> Result<PaymentPayload, FetchError> {
    let payload: IntentPayload = field::read(&payment.payload)
        .map_err(|error| FetchError::NotX402(format!("the drafted payload: {error}")))?;
    let payload = json!(IntentPayload { signature: None, voucher: None, capture: None, ..payload });
    let (resource, extensions) = (Some(challenge.resource.clone()), challenge.extensions.clone());
    Ok(PaymentPayload { payload, resource, extensions, ..payment })
}

fn scheme(offer: &Value) -> String {
    offer["scheme"].as_str().unwrap_or("none").to_owned()
}

fn pay_to(offer: &Value) -> Option<Key> {
    offer["payTo"].as_str()?.parse().ok()
}
