//! A charge as the merchant knows it: checked, served, paid, and only then answered. What is signed
//! may be charged whatever the verifier says, so a payment that is may be served until it was.

use super::{Illegal, names};

names! {
    /// What a merchant knows of a payment that is charged at once.
    Charge {
        /// Nothing is known of it, and nothing is signed.
        Offered = "offered",
        /// The verifier is being asked whether it would be paid.
        Verifying = "verifying",
        /// It would be, and the handler runs. Nothing is signed yet.
        Working = "working",
        /// The handler answered; the capture is signed, and the verifier is being asked to charge it.
        Charging = "charging",
        /// It may be charged, and has bought nothing: it may come again. Once its authorize-by time
        /// has passed, the verifier is asked whether it was.
        Unknown = "unknown",
        /// The verifier is being asked again, and a request waits.
        ChargingAgain = "charging_again",
        /// The verifier is being asked again, and no request waits for the answer.
        Checking = "checking",
        /// It is charged and has bought nothing: its answer got lost, or the handler failed.
        Paid = "paid",
        /// It is charged, and the handler runs once more.
        Serving = "serving",
        /// It bought its request.
        Served = "served",
    }
}

names! {
    /// What happens to a charge.
    ChargeEvent {
        /// A request came with it.
        Asked = "asked",
        /// The verifier says that it would be paid.
        Sound = "sound",
        /// The verifier says something else, or nothing.
        Refused = "refused",
        /// The handler answered 2xx, and takes more than nothing.
        Served = "served",
        /// The handler answered something else, takes nothing, or broke off.
        Failed = "failed",
        /// The verifier charged it, for this merchant and as final as asked.
        Charged = "charged",
        /// The verifier gives no verdict, or says yes to less than was asked.
        Undecided = "undecided",
        /// The verifier says no.
        Denied = "denied",
        /// The verifier charged it for another claim.
        Anothers = "anothers",
        /// Its authorize-by time has passed: nobody can charge it any more.
        Due = "due",
        /// The capture deadline has passed, and an hour more.
        Over = "over",
        /// The merchant stopped and started again.
        Crashed = "crashed",
    }
}

impl Charge {
    /// Returns what becomes of the payment. Of [`ChargeEvent::Asked`], an error means that the
    /// payment is used or being used.
    ///
    /// # Errors
    /// If the event can't happen in this state.
    pub fn next(self, event: ChargeEvent) -> Result<Self, Illegal> {
        use ChargeEvent as E;
        Ok(match (self, event) {
            (Self::Offered, E::Asked) => Self::Verifying,
            (Self::Verifying, E::Sound) => Self::Working,
            (Self::Verifying, E::Refused) => Self::Offered,
            (Self::Working, E::Served) => Self::Charging,
            // Nobody can charge what the merchant did not sign for.
            (Self::Working, E::Failed) => Self::Offered,

            // The answer leaves.
            (Self::Charging, E::Charged) | (Self::Serving, E::Served) => Self::Served,
            // The verifier has the capture, and may be wrong or lie.
            (Self::Charging | Self::ChargingAgain, E::Undecided | E::Denied) => Self::Unknown,
            (Self::Charging | Self::ChargingAgain | Self::Checking, E::Anothers) => Self::Offered,

            (Self::Unknown, E::Asked) => Self::ChargingAgain,
            (Self::Unknown, E::Due) => Self::Checking,
            (Self::ChargingAgain, E::Charged) => Self::Serving,
            (Self::Checking, E::Charged) => Self::Paid,
            (Self::Checking, E::Undecided) => Self::Unknown,
            // It is not charged, and nobody can charge it any more.
            (Self::Checking, E::Denied) => Self::Offered,
            (Self::Paid, E::Asked) => Self::Serving,
            (Self::Serving, E::Failed) => Self::Paid,
            (Self::Unknown | Self::Paid | Self::Served, E::Over) => Self::Offered,

            (state, E::Crashed) => state.on_disk(),
            _ => return Err(Illegal),
        })
    }

    /// The state that is on disk meanwhile: what is left of it after a crash.
    #[must_use]
    pub fn on_disk(self) -> Self {
        match self {
            Self::Verifying | Self::Working => Self::Offered,
            Self::Charging | Self::ChargingAgain | Self::Checking => Self::Unknown,
            Self::Serving => Self::Paid,
            state => state,
        }
    }
}
