//! What the program logs: one event an instruction, and none where it had nothing to do.
//!
//! In a transaction's logs an event is a line `Program data: <base64>`: an 8-byte discriminator (the first bytes of
//! `SHA-256("event:" + name)`), then the fields, little-endian without padding. Any program can log the
//! same bytes, so a line counts only where [`data_lines`] attributes it to this program.

use borsh::BorshDeserialize;

/// Declares events: each is a structure with the first bytes of its logs.
macro_rules! events {
    ($($(#[$attribute:meta])* $name:ident = $discriminator:literal {
        $($(#[$field_attribute:meta])* $field:ident: $type:ty,)+
    })+) => {
        $(
            $(#[$attribute])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
            pub struct $name {
                $($(#[$field_attribute])* pub $field: $type,)+
            }

            impl $name {
                /// What its bytes start with, read as a big-endian number.
                pub(super) const DISCRIMINATOR: u64 = $discriminator;
            }
        )+
    };
}

mod escrow;
mod log;
mod payment;
mod session;

pub use escrow::{Deposited, EscrowClosed, EscrowOpened, GuardianSet, Synced, Withdrawn};
pub use log::data_lines;
pub use payment::{Authorized, Captured, Charged, Reclaimed, Voided};
pub use session::{SessionClosed, SessionOpened, SessionRevoked, SessionUpdated, SessionsRevoked};

/// Declares the enum of all events.
macro_rules! any_of {
    ($($name:ident,)+) => {
        /// One event of the program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)+
        }

        impl Event {
            /// Names and discriminators, in the order of the declaration.
            pub const DISCRIMINATORS: &'static [(&'static str, [u8; 8])] =
                &[$((stringify!($name), $name::DISCRIMINATOR.to_be_bytes()),)+];

            /// Reads the bytes of a `Program data:` line; `None` for any that is not an event of ours.
            pub fn decode(data: &[u8]) -> Option<Self> {
                let (discriminator, fields) = data.split_first_chunk::<8>()?;
                match u64::from_be_bytes(*discriminator) {
                    $($name::DISCRIMINATOR => $name::try_from_slice(fields).ok().map(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

any_of! {
    EscrowOpened,
    GuardianSet,
    Deposited,
    Synced,
    Withdrawn,
    EscrowClosed,
    SessionOpened,
    SessionUpdated,
    SessionRevoked,
    SessionsRevoked,
    SessionClosed,
    Authorized,
    Captured,
    Voided,
    Reclaimed,
    Charged,
}
