//! The operator's routes.

pub mod metrics;
pub mod status;
