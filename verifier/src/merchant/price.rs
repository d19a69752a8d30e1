//! What a route costs, and the offer that says so. No I/O.

use serde_json::Value;
use x402_escrow_interface::{Address, ID};
use x402_escrow_wire::{
    X402_VERSION,
    auth_capture::{Commitment, ESCROW_FLOW, Extra, SCHEME},
    error_code::ErrorCode,
    facilitator::SupportedResponse,
    payment::PaymentRequirements,
    text::{Decimal, Hex32, Key},
};

use crate::verify::{
    Rejection,
    requirements::{check_accepted, check_scheme},
};

/// The least time between the last moment at which an offer can be taken up and the end of its capture window: for
/// the handler, and for the facilitator to put the capture on chain.
const MINIMUM_CAPTURE_SECONDS: u32 = 60;
/// How far ahead the clock of another server of the same merchant may be.
const CLOCK_SKEW_SECONDS: i64 = 10;

/// What a route costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What is held, and captured unless the handler asks for less; in base units of `asset`.
    pub amount: u64,
    /// The token's mint.
    pub asset: Address,
    /// Who is paid. It must have an associated token account of `asset`.
    pub pay_to: Address,
    /// How final the hold must be before the handler runs; `None` leaves it to the facilitator's policy.
    pub commitment: Option<Commitment>,
    /// What is sold, for people.
    pub description: Option<String>,
    /// Media type of the response.
    pub mime_type: Option<String>,
    /// How long an offer can be taken up.
    pub maximum_timeout_seconds: u32,
    /// How long after the offer the price stays held at most: time for the handler, and for an unreachable facilitator
    /// to come back.
    pub capture_window_seconds: u32,
    /// How long after the capture window money can be refunded on chain; 0 for never.
    pub refund_window_seconds: u32,
}

/// Why a price can't be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrice {
    /// Nothing would be paid.
    #[error("amount: must be above 0; a free route needs no layer")]
    Free,
    /// An offer that is taken up late would leave no time for the capture.
    #[error(
        "capture_window_seconds: must be at least maximum_timeout_seconds and {MINIMUM_CAPTURE_SECONDS} more, {least}"
    )]
    WindowTooShort {
        /// The least that would do.
        least: u32,
    },
    /// Offers would be dead at once.
    #[error("maximum_timeout_seconds: must be above 0")]
    NoTime,
}

impl Price {
    /// A price with the facilitator's finality, offers that can be taken up for 2 minutes, a capture window of 15, and
    /// no refunds on chain.
    pub fn new(amount: u64, asset: Address, pay_to: Address) -> Self {
        Self {
            amount,
            asset,
            pay_to,
            commitment: None,
            description: None,
            mime_type: None,
            maximum_timeout_seconds: 2 * 60,
            capture_window_seconds: 15 * 60,
            refund_window_seconds: 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), InvalidPrice> {
        let least = self.maximum_timeout_seconds.saturating_add(MINIMUM_CAPTURE_SECONDS);
        if self.amount == 0 {
            Err(InvalidPrice::Free)
        } else if self.maximum_timeout_seconds == 0 {
            Err(InvalidPrice::NoTime)
        } else if self.capture_window_seconds < least {
            Err(InvalidPrice::WindowTooShort { least })
        } else {
            Ok(())
        }
    }
}

/// What all offers of a merchant have in common.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) network: String,
    fee_payer: Key,
    authorizer: Key,
}

impl Terms {
    /// Takes from the facilitator's answer what offers need; `None` if it doesn't settle them.
    pub(super) fn new(
        supported: &SupportedResponse,
        network: Option<&str>,
        authorizer: Address,
    ) -> Option<Self> {
        let program = Key::from(ID).to_string();
        supported.kinds.iter().find_map(|kind| {
            let settles = kind.x402_version == X402_VERSION
                && kind.scheme == SCHEME
                && network.is_none_or(|network| network == kind.network)
                && kind.extra.get("program").and_then(Value::as_str) == Some(program.as_str());
            let fee_payer = kind.extra.get("feePayer")?.as_str()?.parse().ok()?;
            settles.then(|| Self { network: kind.network.clone(), fee_payer, authorizer: authorizer.into() })
        })
    }

    /// The offer of `price` for the request with `resource_hash`, made at `now` (unix seconds).
    pub(super) fn offer(&self, price: &Price, resource_hash: [u8; 32], now: i64) -> PaymentRequirements {
        let deadline = now.saturating_add(price.capture_window_seconds.into());
        self.offer_until(price, resource_hash, deadline)
    }

    fn offer_until(
        &self,
        price: &Price,
        resource_hash: [u8; 32],
        capture_deadline: i64,
    ) -> PaymentRequirements {
        let refund_deadline = match price.refund_window_seconds {
            0 => 0,
            window => capture_deadline.saturating_add(window.into()),
        };
        let extra = Extra {
            payment_flow: ESCROW_FLOW.to_owned(),
            program: ID.into(),
            fee_payer: self.fee_payer,
            capture_authorizer: self.authorizer,
            receiver_authorizer: self.authorizer,
            capture_deadline,
            refund_deadline,
            fee_recipient: None,
            max_fee_bps: 0,
            resource_hash: Hex32(resource_hash),
            commitment: price.commitment,
        };
        PaymentRequirements {
            scheme: SCHEME.to_owned(),
            network: self.network.clone(),
            amount: Decimal(price.amount),
            asset: price.asset.into(),
            pay_to: price.pay_to.into(),
            max_timeout_seconds: price.maximum_timeout_seconds.into(),
            extra: extra.to_map(),
        }
    }

    /// Checks that `accepted` is an offer of `price` for the request with `resource_hash` that can still be taken up.
    pub(super) fn check(
        &self,
        accepted: &PaymentRequirements,
        price: &Price,
        resource_hash: [u8; 32],
        now: i64,
    ) -> Result<(), Rejection> {
        check_scheme(accepted)?;
        let hash = Hex32(resource_hash).to_string();
        if accepted.extra.get("resourceHash").and_then(Value::as_str) != Some(hash.as_str()) {
            return Err(Rejection::new(
                ErrorCode::InvalidPaymentRequirements,
                "accepted.extra.resourceHash: this payment is for a request with another method, URL or body",
            ));
        }
        let latest = now.saturating_add(price.capture_window_seconds.into());
        // Where it is missing or no number, the comparison says so.
        let deadline = accepted.extra.get("captureDeadline").and_then(Value::as_i64).unwrap_or(latest);
        check_accepted(accepted, &self.offer_until(price, resource_hash, deadline))?;
        let earliest = latest.saturating_sub(price.maximum_timeout_seconds.into());
        if (earliest..=latest.saturating_add(CLOCK_SKEW_SECONDS)).contains(&deadline) {
            return Ok(());
        }
        Err(Rejection::new(
            ErrorCode::DeadlinesInvalid,
            format!(
                "accepted.extra.captureDeadline: {deadline} is of an offer that can't be taken up now; take a new one"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use x402_escrow_wire::facilitator::SupportedKind;

    use super::*;

    const NOW: i64 = 1_700_000_000;
    const HASH: [u8; 32] = [7; 32];

    fn supported() -> SupportedResponse {
        let extra = Map::from_iter([
            ("program".to_owned(), json!(Key::from(ID))),
            ("feePayer".to_owned(), json!(Key::from(Address::from([9; 32])))),
        ]);
        let kind = |scheme: &str, network: &str| SupportedKind {
            x402_version: 2,
            scheme: scheme.into(),
            network: network.into(),
            extra: extra.clone(),
        };
        SupportedResponse {
            kinds: vec![kind("exact", "solana:a"), kind(SCHEME, "solana:a"), kind(SCHEME, "solana:b")],
            extensions: Vec::new(),
            signers: Map::new(),
        }
    }

    fn terms() -> Terms {
        Terms::new(&supported(), None, Address::from([5; 32])).unwrap()
    }

    fn price() -> Price {
        Price::new(1000, Address::from([2; 32]), Address::from([3; 32]))
    }

    fn refused(alter: impl Fn(&mut PaymentRequirements), now: i64) -> Option<Rejection> {
        let mut accepted = terms().offer(&price(), HASH, NOW);
        alter(&mut accepted);
        terms().check(&accepted, &price(), HASH, now).err()
    }

    #[test]
    fn an_offer_is_accepted_until_it_is_too_old() {
        assert_eq!(refused(|_| {}, NOW), None);
        assert_eq!(refused(|_| {}, NOW + 120), None);
        assert_eq!(refused(|_| {}, NOW + 121).unwrap().code, ErrorCode::DeadlinesInvalid);
        assert_eq!(refused(|_| {}, NOW - 10), None);
        assert_eq!(refused(|_| {}, NOW - 11).unwrap().code, ErrorCode::DeadlinesInvalid);
    }

    #[test]
    fn every_altered_field_is_refused_and_named() {
        type Alter = Box<dyn Fn(&mut PaymentRequirements)>;
        let extra = |name: &'static str, value: Value| -> Alter {
            Box::new(move |accepted| _ = accepted.extra.insert(name.into(), value.clone()))
        };
        let other = json!(Key::from(Address::from([8; 32])));
        let cases: Vec<(&str, Alter)> = vec![
            ("scheme", Box::new(|accepted| accepted.scheme = "exact".into())),
            ("network", Box::new(|accepted| accepted.network = "solana:c".into())),
            ("amount", Box::new(|accepted| accepted.amount = Decimal(999))),
            ("asset", Box::new(|accepted| accepted.asset = Address::from([8; 32]).into())),
            ("payTo", Box::new(|accepted| accepted.pay_to = Address::from([8; 32]).into())),
            ("maxTimeoutSeconds", Box::new(|accepted| accepted.max_timeout_seconds = 1)),
            ("extra.paymentFlow", extra("paymentFlow", json!("authorization"))),
            ("extra.program", extra("program", other.clone())),
            ("extra.feePayer", extra("feePayer", other.clone())),
            ("extra.captureAuthorizer", extra("captureAuthorizer", other.clone())),
            ("extra.receiverAuthorizer", extra("receiverAuthorizer", other.clone())),
            ("extra.feeRecipient", extra("feeRecipient", other)),
            ("extra.maxFeeBps", extra("maxFeeBps", json!(1))),
            ("extra.refundDeadline", extra("refundDeadline", json!(NOW + 10_000))),
            ("extra.commitment", extra("commitment", json!("processed"))),
            ("extra.resourceHash", extra("resourceHash", json!("00".repeat(32)))),
            ("extra.unheardOf", extra("unheardOf", json!(1))),
            (
                "extra.captureDeadline",
                Box::new(|accepted| _ = accepted.extra.remove("captureDeadline").unwrap()),
            ),
        ];
        for (name, alter) in cases {
            let rejection = refused(alter, NOW).unwrap_or_else(|| panic!("{name} was accepted"));
            assert!(rejection.message.contains(name), "{name}: {rejection}");
        }
    }

    #[test]
    fn the_refund_deadline_follows_the_capture_deadline() {
        let price = Price { refund_window_seconds: 100, ..price() };
        let offer = terms().offer(&price, HASH, NOW);
        assert_eq!(offer.extra["captureDeadline"], NOW + 900);
        assert_eq!(offer.extra["refundDeadline"], NOW + 1000);
        assert_eq!(terms().check(&offer, &price, HASH, NOW + 5), Ok(()));
    }

    #[test]
    fn the_network_is_the_one_asked_for() {
        let network = |asked| Some(Terms::new(&supported(), asked, Address::default())?.network);
        assert_eq!(network(None).as_deref(), Some("solana:a"));
        assert_eq!(network(Some("solana:b")).as_deref(), Some("solana:b"));
        assert_eq!(network(Some("solana:c")), None);
        let mut other_program = supported();
        for kind in &mut other_program.kinds {
            kind.extra.insert("program".into(), json!(Key::from(Address::from([8; 32]))));
        }
        assert!(Terms::new(&other_program, None, Address::default()).is_none());
    }

    #[test]
    fn prices_that_could_not_be_captured_are_refused() {
        assert_eq!(price().check(), Ok(()));
        assert_eq!(Price { amount: 0, ..price() }.check(), Err(InvalidPrice::Free));
        assert_eq!(Price { maximum_timeout_seconds: 0, ..price() }.check(), Err(InvalidPrice::NoTime));
        let late = Price { maximum_timeout_seconds: 60, capture_window_seconds: 119, ..price() };
        assert_eq!(late.check(), Err(InvalidPrice::WindowTooShort { least: 120 }));
        assert_eq!(Price { capture_window_seconds: 120, ..late }.check(), Ok(()));
    }
}
