//! One purchase as state machines: what the seller and the buyer know of it, and what each answer,
//! lost answer, crash and repeat makes of that. No I/O, no clock; `docs/purchases.md` has the tables
//! in words and `docs/purchase-vectors.json` every state with every event.
//!
//! - [`charge`]: a payment that is charged at once, as a merchant knows it
//! - [`seller`]: a hold, and a voucher of a streamed hold, as a merchant knows them
//! - [`buyer`]: an intent or a voucher, as an agent knows it
//! - [`verdict`]: what a verifier's answer says of a purchase

pub mod buyer;
pub mod charge;
pub mod seller;
pub mod verdict;

/// The event can't happen in this state; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this can't happen to a purchase in this state")]
pub struct Illegal;

/// An enum without data that knows its values and how they are written.
macro_rules! names {
    ($(#[doc = $about:literal])+ $enum:ident { $($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $enum {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl $enum {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it is written in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}
use names;
