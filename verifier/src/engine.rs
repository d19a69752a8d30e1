//! Everything that acts: accepts, keeps vouchers, sends, follows, finishes, delivers. Uses `store`, `chain` and `domain`.

pub mod app;
pub mod assess;
pub mod exact;
pub mod identifier;
pub mod known;
pub mod lead;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod observe;
pub mod reclaim;
pub mod refund;
pub mod settle;
pub mod stream;
pub mod submit;
pub mod track;
pub mod webhook;
