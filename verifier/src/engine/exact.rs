//! Settles the scheme `exact`.

pub mod assess;
pub mod follow;
pub mod settle;
