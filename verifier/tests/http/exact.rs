//! The scheme `exact`: standard clients' transactions.

mod identifier;
mod lighthouse;
mod news;
mod requirements;
mod rules;
mod settle;
mod token_2022;
mod tokens;
mod tracking;
mod v1;
pub(crate) mod wallet;
