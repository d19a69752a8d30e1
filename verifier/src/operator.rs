//! What only the operator can ask, and what somebody must hear of: health, metrics, status page, alarms. Uses `http`'s
//! errors, `engine` and what is below it.

pub mod alarm;
pub mod health;
pub mod reconcile;
pub mod routes;
pub mod scrape;
pub mod status;
