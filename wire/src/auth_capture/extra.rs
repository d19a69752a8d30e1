//! `extra` of the requirements: the scheme's terms.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use x402_escrow_interface::{fee::BASIS_POINTS, message::PaymentFlow};

use super::{CaptureAuthorizer, Level, SESSION_KEY};
use crate::{
    field::FieldError,
    payment::PaymentRequirements,
    text::{Decimal, Hex32, Key, null_as_default},
};

/// `extra.paymentFlow` of a payment that is held first.
pub const ESCROW_FLOW: &str = "escrow";

/// `extra.paymentFlow` of a payment that is charged at once, after the resource ran and before it leaves.
pub const AUTHORIZATION_FLOW: &str = "authorization";

/// When a held payment is captured: the server's choice, which the facilitator needs nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureMode {
    /// During the request, after the resource ran.
    Sync,
    /// Later, out of what the server stores.
    Deferred,
}

/// What `extra` of the requirements holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// `escrow` for a hold, `authorization` for a charge; absent means `escrow`.
    #[serde(default = "escrow_flow", deserialize_with = "null_as_escrow_flow")]
    pub payment_flow: String,
    /// When a hold is captured; absent means during the request. Only with the flow `escrow`: see [`Extra::check_flow`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_mode: Option<CaptureMode>,
    /// The escrow program. Clients pin it: who picks the program picks who holds the money.
    pub program: Key,
    /// Who pays the transaction's fee and the hold's rent: the facilitator.
    pub fee_payer: Key,
    /// Whose signature lets money go to the receiver.
    pub capture_authorizer: CaptureAuthorizer,
    /// What each request costs, in base units, where the hold is streamed: each brings a voucher that is higher by at
    /// least this. Absent where a payment buys one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_price: Option<Decimal>,
    /// Whose signature lets money go back early.
    pub receiver_authorizer: Key,
    /// Last second for captures, unix.
    pub capture_deadline: i64,
    /// Until when the receiver promises refunds, unix; absent or 0 for no promise. Nothing on chain enforces it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_zero")]
    pub refund_deadline: i64,
    /// Who may take a fee; absent means nobody. See [`Extra::fee_recipient`] and [`Extra::check_fee`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_recipient: Option<Key>,
    /// The most of what is captured that may be fee, in basis points; above 0 only where `fee_recipient` is named.
    #[serde(default, deserialize_with = "null_as_default")]
    pub max_fee_bps: u16,
    /// The request that is paid for: `x402_escrow_interface::resource::resource_hash`.
    pub resource_hash: Hex32,
    /// How sure what is settled must be before the answer is yes; absent leaves it to the facilitator's policy, and so
    /// does what is weaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Level>,
}

fn escrow_flow() -> String {
    ESCROW_FLOW.to_owned()
}

fn null_as_escrow_flow<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(escrow_flow))
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Extra {
    /// Reads the requirements' `extra`.
    ///
    /// # Errors
    /// If a field is missing or can't be read; the error names it.
    pub fn read(requirements: &PaymentRequirements) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(requirements.extra.clone()))
    }

    /// In which order the payment is settled; `None` if that is an unknown one.
    pub fn flow(&self) -> Option<PaymentFlow> {
        match self.payment_flow.as_str() {
            ESCROW_FLOW => Some(PaymentFlow::Escrow),
            AUTHORIZATION_FLOW => Some(PaymentFlow::Authorization),
            _ => None,
        }
    }

    /// Whether the hold is streamed: the key that signs the intent signs its captures too.
    pub fn is_streamed(&self) -> bool {
        self.capture_authorizer == CaptureAuthorizer::SessionKey
    }

    /// Checks the flow, and that what depends on it fits: a hold can be streamed, and captured later; a charge is neither.
    /// Returns the flow; `None` if it is unknown.
    ///
    /// # Errors
    /// If something does not fit. The field is relative to `extra`.
    pub fn check_flow(&self) -> Result<Option<PaymentFlow>, FieldError> {
        let error = |field: &str, message: String| Err(FieldError { field: field.to_owned(), message });
        let flow = self.flow();
        match flow {
            Some(PaymentFlow::Authorization) => {
                if self.capture_mode.is_some() {
                    return error(
                        "captureMode",
                        format!("must be absent with the flow {AUTHORIZATION_FLOW:?}"),
                    );
                }
                if self.request_price.is_some() {
                    let message = format!(
                        "must be absent with the flow {AUTHORIZATION_FLOW:?}: only a hold is streamed"
                    );
                    return error("requestPrice", message);
                }
            }
            Some(PaymentFlow::Escrow) => {
                if self.is_streamed() != self.request_price.is_some() {
                    let message = format!(
                        "belongs to extra.captureAuthorizer = {SESSION_KEY:?}: a hold is streamed, or it pays for one thing"
                    );
                    return error("requestPrice", message);
                }
                if self.request_price == Some(Decimal(0)) {
                    return error("requestPrice", "must be above zero".to_owned());
                }
            }
            None => {}
        }
        Ok(flow)
    }

    /// The fee recipient that the intent names: the receiver where `feeRecipient` is absent.
    pub fn fee_recipient(&self, pay_to: Key) -> Key {
        self.fee_recipient.unwrap_or(pay_to)
    }

    /// Checks that a fee of these terms can be paid: the program accepts none that goes to the receiver or the escrow.
    ///
    /// # Errors
    /// If it can't. The field is relative to `extra`.
    pub fn check_fee(&self, pay_to: Key, escrow: Key) -> Result<(), FieldError> {
        let error = |field: &str, message: String| Err(FieldError { field: field.to_owned(), message });
        if self.max_fee_bps > BASIS_POINTS {
            return error("maxFeeBps", format!("must be at most {BASIS_POINTS} basis points"));
        }
        let recipient = self.fee_recipient(pay_to);
        if self.max_fee_bps == 0 || (recipient != pay_to && recipient != escrow) {
            return Ok(());
        }
        if self.fee_recipient.is_none() {
            return error(
                "maxFeeBps",
                "must be 0 where extra.feeRecipient is absent: nobody takes a fee".to_owned(),
            );
        }
        error(
            "feeRecipient",
            "must be neither payTo nor the escrow where extra.maxFeeBps is above 0".to_owned(),
        )
    }

    /// As a JSON object, for requirements.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("a struct with string keys is a JSON object"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::Base58;

    const RECEIVER: Key = Base58([1; 32]);
    const ESCROW: Key = Base58([2; 32]);
    const OTHER: Key = Base58([3; 32]);

    fn refused(fee_recipient: Option<Key>, max_fee_bps: u16) -> Option<String> {
        let extra: Extra = serde_json::from_value(json!({
            "program": OTHER, "feePayer": OTHER, "captureAuthorizer": OTHER, "receiverAuthorizer": OTHER,
            "captureDeadline": 0, "resourceHash": "00".repeat(32), "maxFeeBps": max_fee_bps,
            "feeRecipient": fee_recipient,
        }))
        .unwrap();
        extra.check_fee(RECEIVER, ESCROW).err().map(|error| error.field)
    }

    #[test]
    fn a_fee_that_could_not_be_paid_is_refused() {
        assert_eq!(refused(None, 1).as_deref(), Some("maxFeeBps"));
        assert_eq!(refused(Some(OTHER), 10_001).as_deref(), Some("maxFeeBps"));
        for recipient in [RECEIVER, ESCROW] {
            assert_eq!(refused(Some(recipient), 1).as_deref(), Some("feeRecipient"));
        }
    }

    fn flow(more: serde_json::Value) -> Result<Option<PaymentFlow>, String> {
        let mut extra = json!({
            "program": OTHER, "feePayer": OTHER, "captureAuthorizer": OTHER, "receiverAuthorizer": OTHER,
            "captureDeadline": 0, "resourceHash": "00".repeat(32),
        });
        extra.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Extra>(extra).unwrap().check_flow().map_err(|error| error.field)
    }

    #[test]
    fn a_charge_is_neither_streamed_nor_captured_later() {
        let charge = |name: &str, value: serde_json::Value| {
            flow(json!({ "paymentFlow": "authorization", "captureAuthorizer": "sessionKey", (name): value }))
        };
        assert_eq!(charge("maxFeeBps", json!(0)), Ok(Some(PaymentFlow::Authorization)));
        assert_eq!(charge("requestPrice", json!("1")), Err("requestPrice".to_owned()));
        for mode in ["sync", "deferred"] {
            assert_eq!(charge("captureMode", json!(mode)), Err("captureMode".to_owned()));
            assert_eq!(flow(json!({ "captureMode": mode })), Ok(Some(PaymentFlow::Escrow)));
        }
        assert_eq!(flow(json!({ "captureAuthorizer": "sessionKey" })), Err("requestPrice".to_owned()));
        assert_eq!(flow(json!({ "paymentFlow": "upfront" })), Ok(None));
    }

    #[test]
    fn a_fee_to_another_and_no_fee_at_all_are_accepted() {
        assert_eq!(refused(Some(OTHER), 10_000), None);
        for recipient in [None, Some(RECEIVER), Some(ESCROW), Some(OTHER)] {
            assert_eq!(refused(recipient, 0), None);
        }
    }
}
