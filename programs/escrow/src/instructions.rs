//! One instruction a file: its accounts, what it checks, what it does, what it logs.

// `#[instruction]` binds the argument in every function it generates, also where no seed needs it.
#[allow(unused_variables)]
mod authorize;
mod cancel_withdrawal;
mod capture;
mod charge;
mod close_escrow;
mod close_hold;
mod close_session;
mod deposit;
mod open_escrow;
mod open_session;
mod reclaim;
mod refund;
mod request_withdrawal;
mod revoke_session;
mod sync;
mod update_session;
mod void;
mod withdraw;

pub use authorize::*;
pub use cancel_withdrawal::*;
pub use capture::*;
pub use charge::*;
pub use close_escrow::*;
pub use close_hold::*;
pub use close_session::*;
pub use deposit::*;
pub use open_escrow::*;
pub use open_session::*;
pub use reclaim::*;
pub use refund::*;
pub use request_withdrawal::*;
pub use revoke_session::*;
pub use sync::*;
pub use update_session::*;
pub use void::*;
pub use withdraw::*;
