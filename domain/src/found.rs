//! What somebody else did with a hold, going by what the program logged: a capture, a release or a reclaim that another
//! relay sent, or a transaction of the verifier's own that was given up too soon. Uses `cluster`, `payment`.

use base64::{Engine, engine::general_purpose::STANDARD};
use x402_escrow_interface::{
    Address,
    event::{Event, data_lines},
    instruction::Signature,
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

/// What final transactions that name the payment's hold did with it, and the verifier does not know yet, oldest first.
pub fn found(history: &History, logged: &[Logged]) -> Vec<Found> {
    let Some(hold) = history.hold() else { return Vec::new() };
    let mut fees = 0;
    let mut found = Vec::new();
    for transaction in logged {
        for event in events(&hold.intent.program, transaction) {
            let Some(action) = action(&event, history, &mut fees) else { continue };
            let (signature, slot) = (transaction.signature, transaction.slot);
            if let Some(operation_id) = unknown(history, &signature, &action) {
                found.push(Found { signature, slot, action, operation_id });
            }
        }
    }
    found
}

fn events(program: &Address, transaction: &Logged) -> Vec<Event> {
    let lines = data_lines(program, transaction.logs.iter().map(String::as_str));
    lines.into_iter().filter_map(|line| Event::decode(&STANDARD.decode(line).ok()?)).collect()
}

/// What an event says was done with the payment. `fees` counts what was paid of them.
fn action(event: &Event, history: &History, fees: &mut u64) -> Option<Action> {
    let id = history.payment.id;
    match event {
        Event::Authorized(event) if event.intent_digest == id => Some(Action::Authorize),
        Event::Captured(event) if event.intent_digest == id => {
            *fees = fees.saturating_add(event.fee);
            let last = event.left == 0;
            Some(Action::Capture { amount: event.captured, fee: *fees, last, signature: [0; 64] })
        }
        Event::Voided(event) if event.intent_digest == id => {
            let amount = event.captured.saturating_add(event.left);
            Some(Action::Void { amount, signature: [0; 64] })
        }
        Event::Reclaimed(event) if event.intent_digest == id => Some(Action::Reclaim),
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
        history.operations.iter().find(|tracked| {
            key(&tracked.operation.action) == key(action) && !tracked.operation.state.has_landed()
        })
    };
    match own {
        Some(own) if own.operation.state.has_landed() => None,
        Some(own) => Some(Some(own.operation.id)),
        None => Some(equal().map(|equal| equal.operation.id)),
    }
}

/// Whether the event's action can be what the operation came to: the program pays at most what it can, and one that is last
/// or a close logs a capture.
fn is_alike(operation: &Action, event: &Action) -> bool {
    let is_capture = |action: &Action| matches!(action, Action::Capture { .. } | Action::Close { .. });
    operation.kind() == event.kind() || is_capture(operation) && is_capture(event)
}
