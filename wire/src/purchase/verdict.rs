//! What a verifier's answer says of a purchase.

use serde_json::Value;

use super::seller::{HoldEvent, VoucherEvent};
use crate::{error_code::ErrorCode, facilitator::SettleResponse};

/// A verifier's answer to `POST /settle`, as far as it decides about a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is held or accepted, for whoever asked.
    Yes,
    /// It is held or accepted for another claim.
    Anothers,
    /// It is refused.
    No,
    /// The request can't be read or is too long; it says nothing of an earlier one.
    Unreadable,
    /// There is no verdict.
    Missing,
}

impl Verdict {
    /// Reads the verdict on an intent or a voucher out of an answer with status 200.
    pub fn of(answer: &SettleResponse) -> Self {
        let says = |name: &str| {
            answer.extra.as_ref().and_then(|extra| extra.get(name)).is_some_and(|is| *is == Value::Bool(true))
        };
        match answer.error_reason.as_deref() {
            _ if answer.success && says("alreadySettled") && !says("claimed") => Self::Anothers,
            _ if answer.success => Self::Yes,
            None => Self::Missing,
            Some(reason) if is_repeated(reason) => Self::Anothers,
            Some(reason) if is_undecided(reason) => Self::Missing,
            Some(_) => Self::No,
        }
    }

    /// The verdict of an answer that has another status than 200.
    pub fn of_status(status: u16) -> Self {
        if matches!(status, 400 | 413) { Self::Unreadable } else { Self::Missing }
    }

    /// What it is to a hold; `None` of a yes, which is to be looked at more closely.
    pub fn of_hold(self) -> Option<HoldEvent> {
        Some(match self {
            Self::Yes => return None,
            Self::Anothers => HoldEvent::Anothers,
            Self::No => HoldEvent::No,
            Self::Unreadable => HoldEvent::Unreadable,
            Self::Missing => HoldEvent::NoAnswer,
        })
    }

    /// What it is to a voucher; `None` of a yes, which is to be looked at more closely.
    pub fn of_voucher(self) -> Option<VoucherEvent> {
        Some(match self {
            Self::Yes => return None,
            Self::Anothers => VoucherEvent::Anothers,
            Self::No => VoucherEvent::No,
            Self::Unreadable => VoucherEvent::Unreadable,
            Self::Missing => VoucherEvent::NoAnswer,
        })
    }
}

/// What an answer with status 200 says of a capture, close or release.
pub fn ending(answer: &SettleResponse) -> HoldEvent {
    let status = answer.extra.as_ref().and_then(|extra| extra.get("status")).and_then(Value::as_str);
    match answer.error_reason.as_deref() {
        _ if answer.success && status == Some("finalized") => HoldEvent::Final,
        _ if answer.success => HoldEvent::Undecided,
        None => HoldEvent::Undecided,
        Some(reason) if is_undecided(reason) => HoldEvent::Undecided,
        Some(_) => HoldEvent::Denied,
    }
}

/// Whether the reason says that the payment or voucher bought something before.
pub fn is_repeated(reason: &str) -> bool {
    is_one_of(reason, &[ErrorCode::DuplicateSettlement, ErrorCode::VoucherRepeated])
}

/// Whether asking again may change the answer.
pub fn is_undecided(reason: &str) -> bool {
    let undecided =
        [ErrorCode::SettlementPending, ErrorCode::UnexpectedSettleError, ErrorCode::UnexpectedVerifyError];
    is_one_of(reason, &undecided)
}

fn is_one_of(reason: &str, codes: &[ErrorCode]) -> bool {
    codes.iter().any(|code| code.as_str() == reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(success: bool, reason: Option<&str>, extra: Value) -> SettleResponse {
        let answer = json!({"success": success, "errorReason": reason, "transaction": "", "network": "n",
            "extra": extra});
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn a_yes_again_is_for_whoever_claimed_it() {
        for (extra, verdict) in [
            (json!({}), Verdict::Yes),
            (json!({"alreadySettled": false}), Verdict::Yes),
            (json!({"alreadySettled": true, "claimed": true}), Verdict::Yes),
            (json!({"alreadySettled": true, "claimed": "true"}), Verdict::Anothers),
            (json!({"alreadySettled": true}), Verdict::Anothers),
        ] {
            assert_eq!(Verdict::of(&answer(true, None, extra.clone())), verdict, "{extra}");
        }
    }

    #[test]
    fn only_a_reason_for_a_no_is_one() {
        for (reason, verdict) in [
            (None, Verdict::Missing),
            (Some("settlement_pending"), Verdict::Missing),
            (Some("unexpected_settle_error"), Verdict::Missing),
            (Some("unexpected_verify_error"), Verdict::Missing),
            (Some("duplicate_settlement"), Verdict::Anothers),
            (Some("invalid_auth_capture_svm_voucher_repeated"), Verdict::Anothers),
            (Some("insufficient_funds"), Verdict::No),
        ] {
            assert_eq!(Verdict::of(&answer(false, reason, json!({}))), verdict, "{reason:?}");
        }
        let unreadable = [400, 413, 409, 429, 500, 502, 503].map(Verdict::of_status);
        assert_eq!(unreadable[..2], [Verdict::Unreadable; 2]);
        assert_eq!(unreadable[2..], [Verdict::Missing; 5]);
    }

    #[test]
    fn an_ending_is_final_once_it_is_finalized() {
        for (answer, event) in [
            (answer(true, None, json!({"status": "finalized"})), HoldEvent::Final),
            (answer(true, None, json!({"status": "confirmed"})), HoldEvent::Undecided),
            (answer(true, None, json!({})), HoldEvent::Undecided),
            (answer(false, Some("settlement_pending"), json!({})), HoldEvent::Undecided),
            (answer(false, None, json!({})), HoldEvent::Undecided),
            (answer(false, Some("invalid_auth_capture_svm_payment_not_found"), json!({})), HoldEvent::Denied),
        ] {
            assert_eq!(ending(&answer), event, "{answer:?}");
        }
    }
}
