//! What happens to a hold and its vouchers, or to a charge. No I/O.

use serde_json::Value;
use x402_escrow_wire::{
    payment::PaymentRequirements,
    purchase::{
        charge::{Charge, ChargeEvent},
        seller::{Hold, HoldEvent, Voucher, VoucherEvent},
    },
    text::Hex32,
};

/// What happens to a hold, to a voucher of it, or to both at once; or to a charge.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) id: Hex32,
    pub(crate) hold: Option<HoldEvent>,
    /// The voucher's amount, in base units.
    pub(crate) voucher: Option<(u64, VoucherEvent)>,
    /// What happens to a charge; then nothing else does.
    pub(crate) charge: Option<ChargeEvent>,
    /// Of a payment that was not known before.
    pub(crate) about: Option<About>,
    /// What goes to the verifier: the intent, or the signed capture.
    pub(crate) payload: Option<Value>,
}

/// What a hold's ending or a charge needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct About {
    /// With which the ending is settled.
    pub(crate) requirements: PaymentRequirements,
    /// Last second at which the hold can be made, unix.
    pub(crate) authorize_by: i64,
    /// Last second for captures, unix.
    pub(crate) capture_deadline: i64,
}

impl Change {
    pub(crate) fn of_hold(id: Hex32, event: HoldEvent) -> Self {
        Self { id, hold: Some(event), ..Self::of(id) }
    }

    pub(crate) fn of_voucher(id: Hex32, amount: u64, event: VoucherEvent) -> Self {
        Self { voucher: Some((amount, event)), ..Self::of(id) }
    }

    pub(crate) fn of_charge(id: Hex32, event: ChargeEvent) -> Self {
        Self { charge: Some(event), ..Self::of(id) }
    }

    fn of(id: Hex32) -> Self {
        Self { id, hold: None, voucher: None, charge: None, about: None, payload: None }
    }

    pub(crate) fn about(self, about: About) -> Self {
        Self { about: Some(about), ..self }
    }
}

/// The states before and after a change.
#[derive(Clone, Debug)]
pub(crate) struct Undo {
    pub(super) id: Hex32,
    pub(super) hold: (Hold, Hold),
    /// With the amount, in base units.
    pub(super) voucher: Option<(u64, Voucher, Voucher)>,
    pub(super) charge: Option<ChargeUndo>,
}

/// The states of a charge before and after a change, and what the one after it does without.
#[derive(Clone, Debug)]
pub(crate) struct ChargeUndo {
    pub(super) before: Charge,
    pub(super) after: Charge,
    pub(super) requirements: Option<PaymentRequirements>,
    pub(super) payload: Option<Value>,
}
