//! A purchase as the agent knows it: an intent, or a voucher on an open hold. Once it was sent twice,
//! no refusal is believed: the first sending may have bought something, and its answer got lost.

use super::{Illegal, names};

names! {
    /// What an agent knows of a purchase.
    Purchase {
        /// The merchant has named its price; nothing is signed.
        Offered = "offered",
        /// The journal has it; it may be signed.
        Signed = "signed",
        /// It is on its way for the first time.
        Sent = "sent",
        /// It may be paid or not, and the request may be served or not. It can settle until its
        /// authorize-by time; once it is held, it can be captured until the capture deadline.
        Unknown = "unknown",
        /// It is on its way again.
        SentAgain = "sent_again",
        /// The merchant said no to it. It can still settle, as in `unknown`: the merchant has it.
        Refused = "refused",
        /// The request was served.
        Served = "served",
        /// It is captured, and no answer that was paid for came.
        Charged = "charged",
        /// Nothing was charged for it, and nothing can be any more.
        Over = "over",
    }
}

names! {
    /// What happens to a purchase.
    Event {
        /// The agent wrote it into its journal, and signs it.
        Sign = "sign",
        /// The agent sends it.
        Send = "send",
        /// The merchant answered 2xx.
        Served = "served",
        /// The merchant answered 402, with a reason that is none of those below.
        Refused = "refused",
        /// The merchant's reason is `duplicate_settlement` or `…_voucher_repeated`.
        Repeated = "repeated",
        /// Any other answer, or none. Also the reasons `settlement_pending` and `unexpected_…`.
        NoAnswer = "no_answer",
        /// The verifier says that it is held, or the voucher accepted, and not captured.
        FoundHeld = "found_held",
        /// The verifier or the chain says that it is captured: of a voucher, up to its amount.
        FoundCaptured = "found_captured",
        /// The verifier or the chain says that it ended without being captured.
        FoundReleased = "found_released",
        /// Its authorize-by time has passed and it is not held, or the capture deadline has passed and
        /// it is not captured.
        Expired = "expired",
        /// The agent stopped and started again.
        Crashed = "crashed",
    }
}

impl Purchase {
    /// Returns what becomes of the purchase.
    ///
    /// # Errors
    /// If the event can't happen in this state.
    pub fn next(self, event: Event) -> Result<Self, Illegal> {
        use Event as E;
        Ok(match (self, event) {
            (Self::Offered, E::Sign) => Self::Signed,
            (Self::Signed, E::Send) => Self::Sent,
            (Self::Unknown | Self::Refused, E::Send) => Self::SentAgain,

            (Self::Sent | Self::SentAgain, E::Served) => Self::Served,
            (Self::Sent, E::Refused) => Self::Refused,
            (Self::SentAgain, E::Refused) => Self::Unknown,
            (Self::Sent | Self::SentAgain, E::Repeated | E::NoAnswer) => Self::Unknown,

            (Self::Unknown | Self::Refused, E::FoundHeld) => Self::Unknown,
            (Self::Unknown | Self::Refused, E::FoundCaptured) => Self::Charged,
            (Self::Signed | Self::Unknown | Self::Refused, E::FoundReleased | E::Expired) => Self::Over,
            (
                Self::Served | Self::Charged | Self::Over,
                E::FoundHeld | E::FoundCaptured | E::FoundReleased | E::Expired,
            ) => self,

            // The journal does not say whether it left.
            (Self::Signed | Self::Sent | Self::SentAgain, E::Crashed) => Self::Unknown,
            (state, E::Crashed) => state,
            _ => return Err(Illegal),
        })
    }
}
