//! One line of a merchant's record, as `docs/purchases.md` describes it. No I/O.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use x402_escrow_wire::{
    claim::Claim,
    payment::PaymentRequirements,
    purchase::{
        charge::Charge,
        seller::{Hold, Voucher},
    },
    text::{Decimal, Hex32},
};

/// The claim, or what changed of one hold. A member that is absent is as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<Claim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<Hex32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Hold>,
    /// Of a payment that is charged at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<Charge>,
    /// With which the ending is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requirements: Option<PaymentRequirements>,
    /// Last second at which the hold can be made, unix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authorize_by: Option<i64>,
    /// Last second for captures, unix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capture_deadline: Option<i64>,
    /// What goes to the verifier: the intent without a verdict, with its capture if it is
    /// charged, or the signed capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) voucher: Option<VoucherLine>,
    /// The highest voucher that was accepted, in base units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<Decimal>,
    /// All vouchers that bought something, in base units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) served: Vec<Decimal>,
}

/// The new state of a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VoucherLine {
    /// In base units.
    pub(crate) amount: Decimal,
    pub(crate) state: Voucher,
}
