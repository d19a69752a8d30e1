//! One instruction a file: its accounts, what it checks, what it does, what it logs.

mod authorize;
mod capture;
mod charge;
mod close_escrow;
mod close_session;
mod deposit;
mod open_escrow;
mod open_session;
mod reclaim;
mod revoke_session;
mod revoke_sessions;
mod set_guardian;
mod sync;
mod update_session;
mod void;
mod withdraw;

pub use authorize::*;
pub use capture::*;
pub use charge::*;
pub use close_escrow::*;
pub use close_session::*;
pub use deposit::*;
pub use open_escrow::*;
pub use open_session::*;
pub use reclaim::*;
pub use revoke_session::*;
pub use revoke_sessions::*;
pub use set_guardian::*;
pub use sync::*;
pub use update_session::*;
pub use void::*;
pub use withdraw::*;
