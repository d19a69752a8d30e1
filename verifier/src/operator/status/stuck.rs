//! What needs somebody: why, and what to do.

use x402_escrow_domain::payment::{Action, History, ListedOperation, OperationState, PaymentState, Problem};
use x402_escrow_interface::message::Digest;

use crate::{
    operator::alarm::{self, CAPTURE_MARGIN_SECONDS},
    page::text,
};

/// After how long something should be in a block: it may wait for others for a minute, and a blockhash lives for half of
/// one, or with slots of 400 ms for a whole one.
const PATIENCE_SECONDS: i64 = 120;

/// Something that is stuck or came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) payment_id: Digest,
    pub(super) what: String,
    /// In base units, if it has one.
    pub(super) amount: Option<u64>,
    pub(super) asset: String,
    /// Since when, unix seconds.
    pub(super) since: i64,
    pub(super) why: String,
    pub(super) next: String,
    /// By when somebody must act, if there is such a time: unix seconds.
    pub(super) deadline: Option<i64>,
}

impl Stuck {
    /// What is urgent comes first: what has a deadline, then what is older.
    pub(super) fn urgency(&self) -> (bool, i64, i64) {
        (self.deadline.is_none(), self.deadline.unwrap_or(0), self.since)
    }
}

fn capitalised(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn amount(listed: &ListedOperation) -> Option<u64> {
    match listed.operation.action {
        Action::Authorize | Action::Transfer => Some(listed.authorized),
        Action::Charge { amount, .. }
        | Action::Capture { amount, .. }
        | Action::Close { amount, .. }
        | Action::Void { amount, .. }
        | Action::Refund { amount, .. } => Some(amount),
        Action::Reclaim => None,
    }
}

fn in_words(problem: &Problem) -> String {
    format!("{} ({})", problem.message, problem.code)
}

/// An operation that should be in a block by now.
pub(super) fn operation(open: &ListedOperation, now: i64) -> Option<Stuck> {
    let operation = &open.operation;
    let is_endangered = alarm::is_endangered(open, now);
    let is_unsettled = matches!(operation.state, OperationState::Queued | OperationState::Sent);
    let is_late = is_unsettled && now.saturating_sub(operation.accepted_at) >= PATIENCE_SECONDS;
    if !is_late && !is_endangered {
        return None;
    }
    let kind = capitalised(text::kind(operation.action.kind()));
    let why = match (operation.state, &operation.problem) {
        (OperationState::Queued, Some(problem)) => in_words(problem),
        (OperationState::Queued, None) => "No transaction of it could be sent yet.".to_owned(),
        (OperationState::Sent, _) => "Its transaction was sent, and no block has it yet.".to_owned(),
        _ => "Its block is not confirmed yet.".to_owned(),
    };
    let next = match operation.action {
        Action::Capture { .. } | Action::Close { .. } => {
            "The verifier sends it again until the capture deadline. Is the receiver's token account there and not \
             frozen, the fee payer funded, the node well?"
        }
        Action::Authorize | Action::Charge { .. } | Action::Transfer => {
            "Serve nothing for it yet: settle again to learn what became of it."
        }
        Action::Refund { .. } => {
            "Wait: where no block takes it in time it is refused, and another can be drafted."
        }
        Action::Void { .. } | Action::Reclaim => {
            "The verifier sends it again. Check the fee payer's SOL and the node."
        }
    };
    Some(Stuck {
        payment_id: operation.payment_id,
        what: if is_endangered {
            format!("{kind} near its deadline, and not confirmed")
        } else {
            format!("{kind} not in a block")
        },
        amount: amount(open),
        asset: open.asset.clone(),
        since: operation.accepted_at,
        why,
        next: next.to_owned(),
        deadline: is_endangered.then_some(open.capture_deadline),
    })
}

/// A hold of which something can still be captured, though not for long, and nobody asked for it. Many holds are
/// meant for minutes: of those the second half is late.
pub(super) fn hold(history: &History, now: i64) -> Option<Stuck> {
    let (payment, accepted) = (&history.payment, history.accepted_sums());
    let deadline = payment.capture_deadline();
    let is_held = matches!(history.state(), PaymentState::Authorized | PaymentState::Captured);
    let margin = CAPTURE_MARGIN_SECONDS.min(deadline.saturating_sub(payment.accepted_at) / 2);
    let is_near = (0..=margin).contains(&deadline.saturating_sub(now));
    let rest = accepted.left();
    // The verifier captures a streamed hold's last voucher by itself.
    if !is_held || !is_near || rest == 0 || history.voucher.is_some() {
        return None;
    }
    Some(Stuck {
        payment_id: payment.id,
        what: "Hold near its deadline, and not captured".to_owned(),
        amount: Some(rest),
        asset: payment.mint.to_string(),
        since: payment.accepted_at,
        why: "Nobody asked to capture this much of it, or to release it.".to_owned(),
        next: "Capture what was delivered now: after the deadline all of it goes back to the payer."
            .to_owned(),
        deadline: Some(deadline),
    })
}

/// An operation that came to nothing.
pub(super) fn fruitless(listed: &ListedOperation, now: i64) -> Stuck {
    let operation = &listed.operation;
    let kind = capitalised(text::kind(operation.action.kind()));
    let how = match operation.state {
        _ if operation.action == Action::Transfer => "failed",
        OperationState::Failed => "failed on chain",
        _ => "refused",
    };
    let next = match operation.action {
        Action::Authorize => "Nothing is held: serve nothing for it.",
        Action::Charge { .. } | Action::Transfer => "Nothing was paid: serve nothing for it.",
        Action::Capture { .. } | Action::Close { .. } if now <= listed.capture_deadline => {
            "Fix the named cause, and settle the same again before the capture deadline."
        }
        Action::Capture { .. } | Action::Close { .. } => {
            "The capture deadline has passed: it can't be captured any more."
        }
        Action::Refund { .. } => "Nothing went back: draft another refund if it is still owed.",
        Action::Void { .. } => {
            "Settle the same again, or leave it: after the deadline the rest goes back anyway."
        }
        Action::Reclaim => "The verifier checks the hold again by itself.",
    };
    Stuck {
        payment_id: operation.payment_id,
        what: format!("{kind} {how}"),
        amount: amount(listed),
        asset: listed.asset.clone(),
        since: operation.accepted_at,
        why: operation.problem.as_ref().map_or_else(|| "The reason is unknown.".to_owned(), in_words),
        next: next.to_owned(),
        deadline: None,
    }
}
