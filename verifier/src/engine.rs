//! Everything that acts: accepts, keeps vouchers, sends, follows, finishes, delivers. Uses `store`, `chain` and
//! `domain`.

pub mod app;
pub mod books;
pub mod budget;
pub mod changes;
pub mod check;
pub mod consensus;
pub mod deny_list;
pub mod discovery;
pub mod found;
pub mod heartbeat;
pub mod identifier;
pub mod lead;
pub mod limits;
pub mod lookup_tables;
pub mod merchant_webhooks;
pub mod metrics;
pub mod not_accepted;
pub mod observe;
pub mod pause;
pub mod reach;
pub mod recent_offers;
pub mod refund;
pub mod review;
pub mod revocation;
pub mod settle;
pub mod submit;
pub mod suspects;
pub mod tokens;
pub mod told;
pub mod track;
pub mod unreadable;
pub mod usable_tables;
pub mod webhook;
