//! Whether the books say of a hold what the chain says. Uses `payment`.

use serde::Serialize;
use x402_escrow_interface::account::Hold;
use x402_escrow_wire::{auth_capture::Commitment, text::Decimal};

use crate::payment::{History, OperationState, Sums};

/// What is held for a payment, as far as it is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// What was captured so far, the fee included, in base units.
    pub captured: Decimal,
    /// What can still be captured, in base units.
    pub left: Decimal,
}

/// How books and chain compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They say this; `None` where nothing is held.
    Equal(Option<Held>),
    /// Something is on its way: what is final tells nothing yet.
    UnderWay,
    /// They differ. `None` where nothing is held.
    Differs {
        /// What the books say.
        books: Option<Held>,
        /// What the chain says.
        chain: Option<Held>,
    },
}

/// Compares the books with the payment's `hold`, as a final block has it; `None` if there is none.
pub fn compare(history: &History, hold: Option<&Hold>) -> Comparison {
    let is_under_way = |state: OperationState| match state {
        OperationState::Sent => true,
        OperationState::Landed(commitment) => commitment < Commitment::Finalized,
        OperationState::Queued | OperationState::Failed | OperationState::Refused => false,
    };
    let mut states = history.operations.iter().map(|tracked| tracked.operation.state);
    if states.any(is_under_way) {
        return Comparison::UnderWay;
    }
    let books = history.authorization().has_landed().then(|| held_by(&history.settled_sums()));
    let books = books.filter(|held| held.left.0 > 0);
    let hold = hold.filter(|hold| hold.intent_digest == history.payment.id);
    let chain = hold.map(|hold| Held {
        captured: Decimal(hold.captured),
        left: Decimal(hold.amount.saturating_sub(hold.captured)),
    });
    if books == chain { Comparison::Equal(books) } else { Comparison::Differs { books, chain } }
}

fn held_by(sums: &Sums) -> Held {
    Held { captured: Decimal(sums.captured), left: Decimal(sums.left()) }
}
