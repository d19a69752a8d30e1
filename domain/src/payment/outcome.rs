//! What a payment came to, for the people who keep books.

use super::{History, PaymentState};

/// What a payment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Accepted, and in no block.
    Unsettled,
    /// Held, and nothing is captured yet.
    Held,
    /// All of it was captured.
    Paid,
    /// Less than all of it was captured; the rest is held or went back.
    PartlyPaid,
    /// All that was captured went back.
    Refunded,
    /// Some of what was captured went back.
    PartlyRefunded,
    /// The hold ended, and nothing was captured.
    Void,
    /// Nothing was ever held or paid.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Unsettled,
        Self::Held,
        Self::Paid,
        Self::PartlyPaid,
        Self::Refunded,
        Self::PartlyRefunded,
        Self::Void,
        Self::Failed,
    ];

    /// The name in the store, in answers and in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsettled => "unsettled",
            Self::Held => "held",
            Self::Paid => "paid",
            Self::PartlyPaid => "partly_paid",
            Self::Refunded => "refunded",
            Self::PartlyRefunded => "partly_refunded",
            Self::Void => "void",
            Self::Failed => "failed",
        }
    }

    /// The name for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::PartlyPaid => "partly paid",
            Self::PartlyRefunded => "partly refunded",
            other => other.as_str(),
        }
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        known.ok_or_else(|| format!("must be one of {}, is {text:?}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl History {
    /// What the payment came to, as far as it is on chain.
    pub fn outcome(&self) -> Outcome {
        let sums = self.settled_sums();
        match self.state() {
            PaymentState::Unsettled => Outcome::Unsettled,
            PaymentState::Failed | PaymentState::Refused => Outcome::Failed,
            PaymentState::Authorized => Outcome::Held,
            _ if sums.captured == 0 => Outcome::Void,
            _ if sums.refunded >= sums.captured => Outcome::Refunded,
            _ if sums.refunded > 0 => Outcome::PartlyRefunded,
            _ if sums.captured >= self.payment.amount => Outcome::Paid,
            _ => Outcome::PartlyPaid,
        }
    }
}
