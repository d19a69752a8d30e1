//! Turns a 402 challenge into an intent: picks the first way to pay that is sound and within bounds, and says why the
//! others were passed over. Uses `facts`, `promises`, `verify`.

use serde_json::Value;
use x402_escrow_interface::{Address, message::Intent};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload},
    error_code::ErrorCode,
    field,
    payment::PaymentRequirements,
    text::{Decimal, Hex32, Key},
};

use crate::{
    facts::{Facts, receiver_token_accounts},
    promises::Promises,
    verify::{
        Rejection, Rules,
        intent::{self, Proposal},
        requirements,
    },
};

/// A way to pay that this facilitator could settle, going by the challenge alone.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its place in the challenge.
    pub index: usize,
    /// The way to pay.
    pub requirements: PaymentRequirements,
    /// The scheme's part of it.
    pub extra: Extra,
}

impl Candidate {
    /// Where the receiver would be paid: one of these, by the mint's token program.
    pub fn token_accounts(&self) -> [Address; 2] {
        receiver_token_accounts(&self.requirements.pay_to.into(), &self.requirements.asset.into())
    }
}

/// A way to pay that was not taken.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PassedOver {
    /// Its place in the challenge.
    pub index: usize,
    /// Its scheme, if it has one.
    pub scheme: Option<String>,
    /// Its network, if it has one.
    pub network: Option<String>,
    /// Why.
    pub reason: String,
}

impl PassedOver {
    fn new(index: usize, option: &Value, reason: impl ToString) -> Self {
        let text = |name| option.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { index, scheme: text("scheme"), network: text("network"), reason: reason.to_string() }
    }
}

/// What the agent asks for besides the challenge.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its escrow.
    pub escrow: Address,
    /// The key that it signs with.
    pub session_key: Address,
    /// What the payment must be bound to, if the agent told its request.
    pub resource_hash: Option<[u8; 32]>,
    /// The same for a streamed hold, which is bound to the origin.
    pub stream_hash: Option<[u8; 32]>,
    /// The most it would pay, in base units.
    pub maximum_amount: Option<u64>,
    /// Shows that the receiver is in the session's list.
    pub receiver_proof: Vec<Hex32>,
}

/// Sorts the challenge's ways to pay by what can be told without the chain.
pub fn candidates(accepts: &[Value], wish: &Wish, rules: &Rules) -> (Vec<Candidate>, Vec<PassedOver>) {
    let (mut candidates, mut passed_over) = (Vec::new(), Vec::new());
    for (index, option) in accepts.iter().enumerate() {
        match candidate(index, option, wish, rules) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => passed_over.push(PassedOver::new(index, option, reason)),
        }
    }
    (candidates, passed_over)
}

fn candidate(index: usize, option: &Value, wish: &Wish, rules: &Rules) -> Result<Candidate, Rejection> {
    // The scheme first: another scheme's option may have another shape, and that is no fault of it.
    let scheme = option.get("scheme").and_then(Value::as_str).unwrap_or_default();
    if scheme != x402_escrow_wire::auth_capture::SCHEME {
        return Err(Rejection::new(
            ErrorCode::UnsupportedScheme,
            format!("scheme: {scheme:?} is another scheme"),
        ));
    }
    let requirements: PaymentRequirements = field::read(option)
        .map_err(|error| Rejection::new(ErrorCode::InvalidPaymentRequirements, error.to_string()))?;
    let extra = requirements::check(&requirements, rules)?;
    requirements::check_fee_payer(&extra, rules)?;
    intent::check_token(&requirements.asset.into(), &rules.tokens)?;
    if wish.maximum_amount.is_some_and(|maximum| requirements.amount.0 > maximum) {
        return Err(Rejection::new(
            ErrorCode::InvalidPaymentRequirements,
            format!("amount: {} base units are above maximumAmount", requirements.amount),
        ));
    }
    let (bound_to, what) = match extra.request_price {
        None => (wish.resource_hash, "your request's method, URL and body"),
        Some(_) => (wish.stream_hash, "your request's origin"),
    };
    if bound_to.is_some_and(|hash| hash != extra.resource_hash.0) {
        let message = format!(
            "extra.resourceHash: is not the hash of {what}; ask for the URL that the server names in its challenge, or have \
             its public URL (--public-url) set to the one you ask for"
        );
        return Err(Rejection::new(ErrorCode::InvalidExtra, message));
    }
    Ok(Candidate { index, requirements, extra })
}

/// The way to pay that was chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The way to pay.
    pub requirements: PaymentRequirements,
    /// What the client adds to it.
    pub payload: IntentPayload,
    /// The intent to sign.
    pub intent: Intent,
}

/// Picks the first of `candidates` that would be authorized with `nonce`, going by the chain; the others before it are
/// added to `passed_over`.
pub fn choose(
    candidates: Vec<Candidate>,
    wish: &Wish,
    nonce: u64,
    facts: &Facts,
    promises: &Promises,
    rules: &Rules,
    passed_over: &mut Vec<PassedOver>,
) -> Option<Choice> {
    for candidate in candidates {
        match choice(&candidate, wish, nonce, facts, promises, rules) {
            Ok(choice) => return Some(choice),
            Err(reason) => passed_over.push(PassedOver {
                index: candidate.index,
                scheme: Some(candidate.requirements.scheme),
                network: Some(candidate.requirements.network),
                reason: reason.to_string(),
            }),
        }
    }
    None
}

fn choice(
    candidate: &Candidate,
    wish: &Wish,
    nonce: u64,
    facts: &Facts,
    promises: &Promises,
    rules: &Rules,
) -> Result<Choice, Rejection> {
    let Candidate { requirements, extra, .. } = candidate;
    // Without a session any value does: the check below says that it is missing.
    let incarnation = facts.newest.session.map(|session| session.incarnation).unwrap_or_default();
    let timeout = i64::try_from(requirements.max_timeout_seconds).unwrap_or(i64::MAX);
    let authorize_seconds = timeout.min(rules.policy.maximum_authorize_seconds);
    let payload = IntentPayload {
        escrow: wish.escrow.into(),
        session_key: wish.session_key.into(),
        incarnation: Key::from(Address::from(incarnation)),
        nonce: Decimal(nonce),
        authorize_by: facts.newest.now.saturating_add(authorize_seconds).min(extra.capture_deadline),
        receiver_proof: wish.receiver_proof.clone(),
        signature: None,
        voucher: None,
        capture: None,
    };
    let intent = intent::read(&payload, requirements, extra)?;
    let (asset, proof) = (requirements.asset.into(), payload.proof());
    let proposal = Proposal { intent: &intent, receiver_proof: &proof, asset: &asset };
    intent::check(&proposal, facts, promises, &rules.policy)?;
    Ok(Choice { requirements: requirements.clone(), payload, intent })
}
