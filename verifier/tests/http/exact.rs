//! The scheme `exact`: standard clients' transactions.

mod flow;
mod identifier;
mod lighthouse;
mod memo_once;
mod news;
mod receiver;
mod requirements;
mod rules;
mod settle;
mod token_2022;
mod tokens;
mod tracking;
mod v1;
pub(crate) mod wallet;
