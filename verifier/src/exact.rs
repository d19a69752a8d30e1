//! The scheme `exact` on Solana, versions 1 and 2: a client's transaction with one token transfer, which this
//! facilitator signs as fee payer, sends, and follows until it is final.
//!
//! What decides, without I/O:
//!
//! - [`requirements`]: what is asked, whichever version asked it
//! - [`transaction`]: the client's transaction and who signed it
//! - [`instructions`]: what it does, and that the fee payer only pays the fee
//! - [`mint`]: whether the receiver gets all of what is transferred
//! - [`payment`], [`lifecycle`]: what is remembered of a payment, and how it goes on
//! - [`receipt`]: whether the transaction that is on chain paid
//!
//! What acts:
//!
//! - [`assess`] verifies
//! - [`settle`] signs, stores, and waits
//! - [`follow`] sends and follows
//! - [`report`] has what is answered

pub mod assess;
pub mod follow;
pub mod instructions;
pub mod lifecycle;
pub mod mint;
pub mod payment;
pub mod receipt;
pub mod report;
pub mod requirements;
pub mod settle;
pub mod transaction;
