//! What the program stores.

mod escrow;
mod hold;
mod session;

pub(crate) use escrow::Escrow;
pub(crate) use hold::Hold;
pub(crate) use session::Session;
pub use session::SessionLimits;
