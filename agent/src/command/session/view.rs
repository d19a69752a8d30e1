//! A session, as an owner sees it.

use serde_json::{Value, json};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    receivers::ANYONE,
};
use x402_escrow_wire::{amount, text::Hex32};

use crate::{chain::OpenHold, command::terminal::time};

/// A session with its holds, at a time.
pub(super) struct View<'a> {
    pub(super) address: Address,
    pub(super) session: &'a Session,
    pub(super) escrow: &'a Escrow,
    pub(super) holds: &'a [OpenHold],
    /// By the cluster's clock, in unix seconds.
    pub(super) now: i64,
}

impl View<'_> {
    /// Whether it can pay, and otherwise why not.
    pub(super) fn state(&self) -> &'static str {
        if self.escrow.has_revoked(self.session) {
            "revoked"
        } else if self.now > self.session.expires_at {
            "expired"
        } else if self.left() == 0 {
            "used up"
        } else {
            "open"
        }
    }

    /// What may still be held and captured over its life, in base units.
    fn left(&self) -> u64 {
        self.session.maximum_total.saturating_sub(self.session.spent)
    }

    fn held(&self) -> u64 {
        self.holds.iter().map(|open| open.hold.held()).sum()
    }

    /// When the present period ends, unix.
    fn period_ends_at(&self) -> Option<i64> {
        let length = i64::try_from(self.session.period_seconds).ok().filter(|length| *length > 0)?;
        let since = self.session.periods_since;
        let elapsed = self.now.saturating_sub(since).max(0);
        since.checked_add((elapsed / length + 1).checked_mul(length)?)
    }

    pub(super) fn object(&self) -> Value {
        let Session { session_key, incarnation, .. } = self.session;
        let holds: Vec<Value> = self.holds.iter().map(|open| self.hold_object(open)).collect();
        let period = self.session.left_in_period(self.now).map(|left| {
            json!({
                "maximum": self.session.maximum_per_period.to_string(),
                "seconds": self.session.period_seconds,
                "left": left.to_string(),
                "endsAt": self.period_ends_at(),
            })
        });
        let root = (self.session.receivers_root != ANYONE).then_some(Hex32(self.session.receivers_root));
        json!({
            "session": self.address.to_string(),
            "sessionKey": session_key.to_string(),
            "incarnation": Address::new_from_array(*incarnation).to_string(),
            "state": self.state(),
            "maximumPayment": self.session.maximum_payment.to_string(),
            "maximumTotal": self.session.maximum_total.to_string(),
            "spent": self.session.spent.to_string(),
            "left": self.left().to_string(),
            "period": period,
            "expiresAt": self.session.expires_at,
            "openedSlot": self.session.opened_slot,
            "receiversRoot": root,
            "held": self.held().to_string(),
            "holds": holds,
        })
    }

    fn hold_object(&self, open: &OpenHold) -> Value {
        let hold = &open.hold;
        json!({
            "hold": open.address.to_string(),
            "paymentId": Hex32(hold.intent_digest),
            "receiver": hold.receiver.to_string(),
            "amount": hold.amount.to_string(),
            "captured": hold.captured.to_string(),
            "held": hold.held().to_string(),
            "captureDeadline": hold.capture_deadline,
            "isReclaimable": self.now > hold.capture_deadline,
        })
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let tokens = |units| amount::format(units, self.escrow.decimals);
        let Session { maximum_payment, maximum_total, spent, .. } = *self.session;
        let mut lines = vec![
            ("session key", self.session.session_key.to_string()),
            ("session", self.address.to_string()),
            ("state", self.state().into()),
            ("per payment", tokens(maximum_payment)),
            (
                "spent",
                format!("{} of {}, {} left", tokens(spent), tokens(maximum_total), tokens(self.left())),
            ),
        ];
        if let Some(left) = self.session.left_in_period(self.now) {
            let ends = self.period_ends_at().map(|at| format!(" until {}", time(at))).unwrap_or_default();
            let maximum = tokens(self.session.maximum_per_period);
            let length =
                humantime::format_duration(std::time::Duration::from_secs(self.session.period_seconds));
            lines.push(("per period", format!("{} of {maximum} per {length} left{ends}", tokens(left))));
        }
        lines.push(("expires", time(self.session.expires_at)));
        let pays = match self.session.receivers_root {
            ANYONE => "anyone".into(),
            root => format!("listed receivers, root {}", Hex32(root)),
        };
        lines.push(("pays", pays));
        for open in self.holds {
            let hold = &open.hold;
            let until = match self.now > hold.capture_deadline {
                true => "past its deadline: agent escrow reclaim".into(),
                false => format!("until {}", time(hold.capture_deadline)),
            };
            let (held, amount) = (tokens(hold.held()), tokens(hold.amount));
            lines.push(("holds", format!("{held} of {amount} for {}, {until}", hold.receiver)));
        }
        lines
    }
}
