//! What the program stores. Every account starts with the version of its layout and ends with spare room, so that a later
//! version can add fields and never moves one. The program refuses accounts of a version that it does not know.

mod escrow;
mod hold;
mod session;

pub(crate) use escrow::Escrow;
pub(crate) use hold::Hold;
pub use session::SessionLimits;
pub(crate) use session::{Payee, Session};

/// Given to every account that is created.
pub(crate) use x402_escrow_interface::account::VERSION;
