//! Has the verifier draft a payment, checks it, and signs it.

use ed25519_dalek::Signer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x402_escrow_interface::message::Intent;
use x402_escrow_wire::{
    auth_capture::SCHEME,
    error_code::ErrorCode,
    field,
    payment::{PaymentPayload, PaymentRequired},
    text::{Base58, Decimal, Hex32, Key},
};

use super::{AgentClient, FetchError, Fetched, exchange::Call, unix_seconds};
use crate::{
    draft::{self, Expected},
    nonces::Taken,
};

/// A draft to ask the verifier for.
pub(super) struct Wanted<'a> {
    /// The offers to choose from.
    pub(super) challenge: &'a PaymentRequired,
    /// Hash of what is paid for.
    pub(super) resource_hash: [u8; 32],
    /// In base units.
    pub(super) maximum_amount: u64,
    /// For a hold that pays for many requests: the most that each may cost, in base units.
    pub(super) maximum_request_price: Option<u64>,
}

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

/// The verifier's answer.
enum Answer {
    Draft(Box<PaymentPayload>),
    /// The nonce can't be used.
    NonceRefused,
}

impl AgentClient {
    /// The challenge with the offers that the session may pay. They have one receiver, so that one
    /// proof is for all.
    pub(super) fn payable(&self, mut challenge: PaymentRequired) -> Result<PaymentRequired, FetchError> {
        let Some(list) = &self.receivers else { return Ok(challenge) };
        let receivers: Vec<Key> = challenge.accepts.iter().filter_map(pay_to).collect();
        let Some(first) = receivers.first().copied() else { return Ok(challenge) };
        let is_listed = |receiver: &Key| list.proof(&(*receiver).into()).is_some();
        let Some(receiver) = receivers.into_iter().find(is_listed) else {
            return Err(FetchError::NotListed { pay_to: first, listed: list.receivers().len() });
        };
        challenge.accepts.retain(|offer| pay_to(offer) == Some(receiver));
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
    pub(super) async fn draft(&self, call: &Call<'_>, wanted: &Wanted<'_>) -> Result<Drafted, FetchError> {
        let proof = self.receiver_proof(wanted.challenge);
        let (mut above, mut step) = (0, 1);
        loop {
            let nonce = self.nonces.take(above, unix_seconds())?;
            let number = nonce.nonce();
            let payment = match self.ask(call, wanted, number, &proof).await? {
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
                now: unix_seconds(),
            };
            let intent = draft::check(&payment, &expected)?;
            return Ok(Drafted { payment, intent, nonce });
        }
    }

    async fn ask(
        &self,
        Call { request, url, .. }: &Call<'_>,
        wanted: &Wanted<'_>,
        nonce: u64,
        receiver_proof: &[Hex32],
    ) -> Result<Answer, FetchError> {
        let failed =
            |message: String| FetchError::NoDraft { verifier: self.session.verifier.clone(), message };
        let mut body = json!({
            "paymentRequired": wanted.challenge,
            "session": { "escrow": self.session.escrow, "sessionKey": self.session.session_key },
            "request": {
                "method": request.method,
                "url": url.as_str(),
                "bodySha256": Hex32(Sha256::digest(&request.body).into()),
            },
            "maximumAmount": Decimal(wanted.maximum_amount),
            "nonce": Decimal(nonce),
        });
        if !receiver_proof.is_empty() {
            body["receiverProof"] = json!(receiver_proof);
        }
        let endpoint = format!("{}/intents", self.session.verifier.trim_end_matches('/'));
        let response =
            self.http.post(endpoint).json(&body).send().await.map_err(|error| failed(error.to_string()))?;
        let status = response.status();
        let mut answer: Value = response.json().await.map_err(|error| failed(error.to_string()))?;
        if !status.is_success() {
            return match answer["error"]["code"].as_str() {
                Some(code) if code == ErrorCode::NonceInvalid.as_str() => Ok(Answer::NonceRefused),
                _ => Err(failed(refusal(&answer).unwrap_or_else(|| format!("HTTP status {status}")))),
            };
        }
        field::read(&answer["unsigned"].take())
            .map(|payment| Answer::Draft(Box::new(payment)))
            .map_err(|error| failed(error.to_string()))
    }

    /// Counts what is signed for, writes down that the nonce is signed, and signs. The signature
    /// must not leave before.
    pub(super) fn sign(&self, drafted: Drafted) -> Result<PaymentPayload, FetchError> {
        let payment_id = drafted.payment_id();
        let Drafted { mut payment, intent, nonce } = drafted;
        if let Some(spending) = &self.spending {
            spending.add(intent.amount, self.limits.spending_limit.unwrap_or(u64::MAX))?;
        }
        nonce.sign(payment_id, intent.authorize_by)?;
        payment.payload["signature"] = json!(Base58(self.key.sign(&intent.signed_bytes()).to_bytes()));
        Ok(payment)
    }

    /// Notes that the payment is held, if the answer to it says so: its nonce is used for good.
    pub(super) fn note_held(&self, fetched: &Fetched) {
        let Some(receipt) = &fetched.payment else { return };
        let is_settled = receipt.settlement.as_ref().is_some_and(|settlement| settlement.success);
        if is_settled || (200..300).contains(&fetched.status) {
            // What was bought is not lost over this: a nonce that is tried again is refused and
            // dropped.
            _ = self.nonces.held(receipt.payment_id);
        }
    }
}

/// The receiver of an offer of the scheme.
fn pay_to(offer: &Value) -> Option<Key> {
    if offer["scheme"] != SCHEME {
        return None;
    }
    offer["payTo"].as_str()?.parse().ok()
}

/// What the verifier's refusal says: its message, and why each of the server's offers was passed
/// over.
fn refusal(answer: &Value) -> Option<String> {
    let message = answer["error"]["message"].as_str()?.to_owned();
    let reasons = answer["passedOver"].as_array().into_iter().flatten().filter_map(|offer| {
        Some(format!(
            "offer {} ({}): {}",
            offer["index"],
            offer["scheme"].as_str()?,
            offer["reason"].as_str()?
        ))
    });
    Some(std::iter::once(message).chain(reasons).collect::<Vec<_>>().join("; "))
}
