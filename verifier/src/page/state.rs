//! How far something is, for people.

use maud::{Markup, html};
use x402_escrow_domain::payment::{AttemptState, OperationState, Outcome};

/// How far an operation is.
pub(super) fn in_words(state: OperationState) -> &'static str {
    match state {
        OperationState::Queued => "not sent yet",
        OperationState::Sent => "in no block yet",
        other => other.as_str(),
    }
}

/// How far a transaction is.
pub(super) fn in_words_of_attempt(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Sent => "in no block yet",
        other => other.as_str(),
    }
}

/// What a payment came to, coloured by what that means.
pub(super) fn pill(outcome: Outcome) -> Markup {
    let meaning = match outcome {
        Outcome::Paid => "pill good",
        Outcome::PartlyPaid | Outcome::PartlyRefunded => "pill part",
        Outcome::Unsettled | Outcome::Held => "pill wait",
        Outcome::Failed => "pill fail",
        Outcome::Refunded | Outcome::Void => "pill",
    };
    html! { span class=(meaning) { (outcome.in_words()) } }
}
