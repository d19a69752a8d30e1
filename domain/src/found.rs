//! What somebody else did with a payment, going by what the program logged: a capture, a release or a reclaim that another
//! relay sent, a refund that the receiver sent itself, or a transaction of the verifier's own that was given up too soon.
//! Uses `cluster`, `payment`.

use base64::{Engine, engine::general_purpose::STANDARD};
use x402_escrow_interface::{
    Address,
    event::{Deposited, Event, data_lines},
    instruction::Signature,
    message::Digest,
};

use crate::{
    cluster::Logged,
    payment::{Action, History, OperationKey},
};

/// What a final transaction did with a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The transaction.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// What it did. It has no signature: who consented is in the transaction.
    pub action: Action,
    /// The operation that it carried out, if the verifier knows one.
    pub operation_id: Option<i64>,
}

/// What final transactions did with the payment, and the verifier does not know yet, oldest first.
pub fn found(history: &History, logged: &[Logged]) -> Vec<Found> {
    let Some(signed) = history.intent() else { return Vec::new() };
    let mut paid = Paid { fees: 0, refunded: history.refunds_made() };
    let mut found = Vec::new();
    for transaction in logged {
        for event in events(&signed.intent.program, transaction) {
            let Some(action) = action(&event, history, &mut paid) else { continue };
            let (signature, slot) = (transaction.signature, transaction.slot);
            if let Some(operation_id) = unknown(history, &signature, &action) {
                if let Action::Refund { amount, .. } = action {
                    paid.refunded = amount;
                }
                found.push(Found { signature, slot, action, operation_id });
            }
        }
    }
    found
}

/// The transaction of the verifier's own that was the last to do something with what the payment held, if one did.
pub fn ended_by(history: &History) -> Option<Signature> {
    let ends = |action: &Action| {
        matches!(
            action,
            Action::Capture { .. } | Action::Close { .. } | Action::Void { .. } | Action::Reclaim
        )
    };
    let of_hold = history.operations.iter().filter(|tracked| ends(&tracked.operation.action));
    let own = of_hold.flat_map(|tracked| &tracked.attempts).filter(|attempt| !attempt.is_by_others());
    let landed = own.filter_map(|attempt| Some((attempt.state.landing()?, attempt.signature)));
    let succeeded = landed.filter(|(landing, _)| landing.error.is_none());
    succeeded.max_by_key(|(landing, _)| landing.slot).map(|(_, signature)| signature)
}

/// Whether what the payment's last transaction logged is what the books say was captured. It differs where somebody else
/// captured something before: one signature lets anyone capture up to its amount, also more than the verifier asked for.
pub fn is_as_logged(history: &History, logged: &Logged) -> bool {
    let Some(hold) = history.hold() else { return true };
    let id = history.payment.id;
    let captured = |event| match event {
        Event::Captured(event) if event.intent_digest == id => Some(event.captured),
        Event::Voided(event) if event.intent_digest == id => Some(event.captured),
        Event::Reclaimed(event) if event.intent_digest == id => Some(event.captured),
        _ => None,
    };
    let told = events(&hold.intent.program, logged).into_iter().filter_map(captured).next_back();
    told == Some(history.settled_sums().captured)
}

/// The payments that `receiver` refunded in this transaction.
pub fn refunded_payments(program: &Address, receiver: &Address, transaction: &Logged) -> Vec<Digest> {
    let refunded = |event| match event {
        Event::Deposited(event) if event.depositor == *receiver => Some(event.refunded_payment),
        _ => None,
    };
    events(program, transaction).into_iter().filter_map(refunded).collect()
}

/// Whether a deposit refunds the payment: others may name it too.
fn is_refund(deposit: &Deposited, history: &History) -> bool {
    deposit.refunded_payment == history.payment.id
        && deposit.depositor == history.payment.receiver
        && history.intent().is_some_and(|signed| signed.intent.escrow == deposit.escrow)
}

/// What was paid by the events so far, in base units.
struct Paid {
    fees: u64,
    refunded: u64,
}

fn events(program: &Address, transaction: &Logged) -> Vec<Event> {
    let lines = data_lines(program, transaction.logs.iter().map(String::as_str));
    lines.into_iter().filter_map(|line| Event::decode(&STANDARD.decode(line).ok()?)).collect()
}

/// What an event says was done with the payment. `paid` counts the fees of captures.
fn action(event: &Event, history: &History, paid: &mut Paid) -> Option<Action> {
    let id = history.payment.id;
    match event {
        Event::Authorized(event) if event.intent_digest == id => Some(Action::Authorize),
        Event::Charged(event) if event.intent_digest == id => {
            Some(Action::Charge { amount: event.amount, fee: event.fee, last: false, signature: None })
        }
        Event::Captured(event) if event.intent_digest == id => {
            paid.fees = paid.fees.saturating_add(event.fee);
            let last = event.left == 0;
            Some(Action::Capture { amount: event.captured, fee: paid.fees, last, signature: [0; 64] })
        }
        Event::Voided(event) if event.intent_digest == id => {
            let amount = event.captured.saturating_add(event.left);
            Some(Action::Void { amount, signature: [0; 64] })
        }
        Event::Reclaimed(event) if event.intent_digest == id => Some(Action::Reclaim),
        Event::Deposited(event) if is_refund(event, history) => {
            let returns = event.amount;
            Some(Action::Refund { amount: paid.refunded.saturating_add(returns), returns })
        }
        _ => None,
    }
}

/// `None` if the verifier knows that the transaction did this; else the operation that it carried out, if there is one.
fn unknown(history: &History, signature: &Signature, action: &Action) -> Option<Option<i64>> {
    let own = history.operations.iter().find(|tracked| {
        tracked.attempts.iter().any(|attempt| attempt.signature == *signature)
            && is_alike(&tracked.operation.action, action)
    });
    let key = |action| OperationKey::of(action, history.payment.amount);
    let equal = || {
        let mut operations = history.operations.iter();
        // A payment is charged once, whatever consent that was by.
        let are_charges =
            |known: &Action| matches!((known, action), (Action::Charge { .. }, Action::Charge { .. }));
        operations.find(|tracked| {
            let known = &tracked.operation.action;
            are_charges(known) || key(known) == key(action)
        })
    };
    match own.or_else(equal) {
        Some(known) if known.operation.state.has_landed() => None,
        known => Some(known.map(|known| known.operation.id)),
    }
}

/// Whether the event's action can be what the operation came to: the program pays at most what it can, and one that is last
/// or a close logs a capture.
fn is_alike(operation: &Action, event: &Action) -> bool {
    let is_capture = |action: &Action| matches!(action, Action::Capture { .. } | Action::Close { .. });
    operation.kind() == event.kind() || is_capture(operation) && is_capture(event)
}
