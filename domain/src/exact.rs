//! The scheme `exact` on Solana, versions 1 and 2: a client's transaction with one token transfer, which this
//! facilitator signs as fee payer. Uses `cluster`, `derived`, `facts`, `identifier`, `payment`, `policy`, `priority_fee`,
//! `signature`, `tokens`, `transaction`, `verify`.

pub mod account;
pub mod check;
pub mod failure;
pub mod instructions;
pub mod mint;
pub mod receipt;
pub mod requirements;
pub mod transaction;
mod view;
