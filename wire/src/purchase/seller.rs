//! A purchase as the merchant knows it. A missing verdict never turns what was served into something
//! that can buy again: nothing leads back from there.

use super::{Illegal, names};

names! {
    /// What a merchant knows of a payment that is held.
    Hold {
        /// Nothing is known of it.
        Offered = "offered",
        /// The verifier is being asked to hold it.
        Sent = "sent",
        /// It may be held, and has bought nothing: it may come again. Once its authorize-by time has
        /// passed, the verifier is asked whether it is held.
        Unknown = "unknown",
        /// The verifier is being asked again.
        SentAgain = "sent_again",
        /// The verifier is being asked whether it is held, and no request waits for the answer.
        Checking = "checking",
        /// It is held and its request is being served.
        Serving = "serving",
        /// It is held for many requests, each paid by a voucher.
        Open = "open",
        /// Its request was served; the capture is signed.
        Capturing = "capturing",
        /// Nothing was served for it, or it is closed to vouchers for good: it is to be released.
        Releasing = "releasing",
        /// The capture is final.
        Captured = "captured",
        /// The release is final.
        Released = "released",
        /// It could not be ended any more.
        Lapsed = "lapsed",
    }
}

names! {
    /// What happens to a payment.
    HoldEvent {
        /// A request came with it.
        Asked = "asked",
        /// The verifier holds it, for this merchant and as final as asked: it buys one request.
        Held = "held",
        /// The same, and it is streamed; or a voucher of it was accepted.
        Opened = "opened",
        /// The verifier says yes to less than was asked.
        Weak = "weak",
        /// The verifier holds it for another claim.
        Anothers = "anothers",
        /// The verifier says no.
        No = "no",
        /// The verifier can't read the request, or finds it too long: 400 or 413.
        Unreadable = "unreadable",
        /// Any other answer, or none.
        NoAnswer = "no_answer",
        /// The handler answered 2xx, and takes more than nothing.
        Served = "served",
        /// The handler answered something else, takes nothing, or broke off.
        Failed = "failed",
        /// It is time to end it: the authorize-by time has passed, or nobody uses the stream and none
        /// of its vouchers is under way.
        Due = "due",
        /// The verifier says that the capture or release is final.
        Final = "final",
        /// The verifier has not decided on the capture or release, or it is not final yet.
        Undecided = "undecided",
        /// The verifier refuses the capture or release.
        Denied = "denied",
        /// The capture deadline has passed, and an hour more.
        Over = "over",
        /// The merchant stopped and started again.
        Crashed = "crashed",
    }
}

names! {
    /// What a merchant knows of a voucher.
    Voucher {
        /// It bought nothing here. The verifier knows whether it may.
        Offered = "offered",
        /// The verifier is being asked to accept it.
        Sent = "sent",
        /// It is accepted and its request is being served.
        Serving = "serving",
        /// It bought a request.
        Served = "served",
    }
}

names! {
    /// What happens to a voucher.
    VoucherEvent {
        /// A request came with it, on a hold that is not closed to vouchers.
        Asked = "asked",
        /// The verifier has accepted it, for this merchant, and it adds at least the price.
        Held = "held",
        /// The verifier says yes to less than the price.
        Weak = "weak",
        /// The verifier has accepted it for another claim.
        Anothers = "anothers",
        /// The verifier says no.
        No = "no",
        /// The verifier can't read the request, or finds it too long: 400 or 413.
        Unreadable = "unreadable",
        /// Any other answer, or none.
        NoAnswer = "no_answer",
        /// The handler answered 2xx.
        Served = "served",
        /// The handler answered something else, or broke off.
        Failed = "failed",
        /// The merchant stopped and started again.
        Crashed = "crashed",
    }
}

impl Hold {
    /// Returns whether a voucher that comes without the hold's intent may buy something, as far as is
    /// known here: another instance may have opened the hold.
    #[must_use]
    pub fn takes_vouchers(self) -> bool {
        matches!(self, Self::Offered | Self::Sent | Self::Unknown | Self::SentAgain | Self::Open)
    }

    /// Returns what becomes of the payment. Of [`HoldEvent::Asked`], an error means that the payment
    /// is used or being used.
    ///
    /// # Errors
    /// If the event can't happen in this state.
    pub fn next(self, event: HoldEvent) -> Result<Self, Illegal> {
        use HoldEvent as E;
        Ok(match (self, event) {
            (Self::Offered, E::Asked) => Self::Sent,
            (Self::Unknown, E::Asked) => Self::SentAgain,
            // The voucher that opens a stream may buy a request after all: it decides.
            (
                Self::Open,
                E::Asked | E::Opened | E::Weak | E::Anothers | E::No | E::Unreadable | E::NoAnswer,
            ) => Self::Open,

            (Self::Sent | Self::SentAgain, E::Held) => Self::Serving,
            // Another instance may have opened it, or an answer got lost.
            (Self::Offered | Self::Unknown | Self::Sent | Self::SentAgain | Self::Checking, E::Opened) => {
                Self::Open
            }
            (Self::Sent | Self::SentAgain | Self::Checking, E::Weak | E::NoAnswer) => Self::Unknown,
            // Another instance may be serving it: a release would take that back.
            (Self::Sent | Self::SentAgain | Self::Checking, E::Anothers) => Self::Offered,
            (Self::Sent, E::No | E::Unreadable) => Self::Offered,
            // This "no" says nothing of an earlier sending, which may be held.
            (Self::SentAgain, E::No | E::Unreadable) => Self::Unknown,
            (Self::Unknown, E::Due) => Self::Checking,
            (Self::Checking, E::Held) => Self::Releasing,
            // It is not held, and nobody can have it held any more.
            (Self::Checking, E::No) => Self::Offered,
            (Self::Checking, E::Unreadable) => Self::Unknown,

            (Self::Serving, E::Served) => Self::Capturing,
            // After a crash nobody was answered.
            (Self::Serving, E::Failed | E::Crashed) => Self::Releasing,
            (Self::Open, E::Due) => Self::Releasing,

            (Self::Capturing, E::Final) => Self::Captured,
            // Verifiers can lose what they knew, and lie: a capture is good until its deadline.
            (Self::Capturing, E::Undecided | E::Denied) => Self::Capturing,
            (Self::Releasing, E::Final) => Self::Released,
            (Self::Releasing, E::Undecided) => Self::Releasing,
            (Self::Releasing, E::Denied) => Self::Lapsed,
            (Self::Unknown | Self::Open | Self::Capturing | Self::Releasing, E::Over) => Self::Lapsed,
            (Self::Captured | Self::Released | Self::Lapsed, E::Over) => Self::Offered,

            (Self::Sent, E::Crashed) => Self::Offered,
            (Self::SentAgain | Self::Checking, E::Crashed) => Self::Unknown,
            (state, E::Crashed) => state,
            _ => return Err(Illegal),
        })
    }
}

impl Voucher {
    /// Returns what becomes of the voucher. Of [`VoucherEvent::Asked`], an error means that the
    /// voucher is used or being used.
    ///
    /// # Errors
    /// If the event can't happen in this state.
    pub fn next(self, event: VoucherEvent) -> Result<Self, Illegal> {
        use VoucherEvent as E;
        Ok(match (self, event) {
            (Self::Offered, E::Asked) => Self::Sent,
            (Self::Sent, E::Held) => Self::Serving,
            (Self::Sent, E::Weak | E::Anothers | E::No | E::Unreadable | E::NoAnswer) => Self::Offered,
            (Self::Serving, E::Served) => Self::Served,
            // Nobody was answered: it may pay for another request.
            (Self::Serving, E::Failed) => Self::Offered,
            (Self::Served, E::Crashed) => Self::Served,
            (_, E::Crashed) => Self::Offered,
            _ => return Err(Illegal),
        })
    }
}
