//! The scheme `exact`: standard clients' transactions.

mod lighthouse;
mod requirements;
mod rules;
mod settle;
mod token_2022;
mod tracking;
mod v1;
mod wallet;
