//! Who is told yes again: whoever claimed a payment or a voucher first, until it is paid or over. Uses `payment`.

use x402_escrow_wire::claim::Claim;

use crate::payment::History;

/// Whose something is that was accepted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody claimed it.
    Nobodys,
    /// It is claimed by who asks.
    Asking,
    /// It is claimed by somebody else, or too late to be told again.
    Anothers,
}

/// Whose a payment is, given its `first` claim, what is `asked` for now, and `now` in unix seconds.
pub fn standing(first: Option<Claim>, asked: Option<Claim>, history: &History, now: i64) -> Standing {
    match first {
        None => Standing::Nobodys,
        Some(first) if asked == Some(first) && is_open(history, now) => Standing::Asking,
        Some(_) => Standing::Anothers,
    }
}

/// Whether nothing but the hold was accepted, and captures still can be.
fn is_open(history: &History, now: i64) -> bool {
    now <= history.payment.capture_deadline() && history.is_untouched()
}
