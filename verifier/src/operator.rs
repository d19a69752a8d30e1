//! What only the operator can ask, and what must be noticed: health, metrics, status page, alarms. Uses `http`'s error
//! shape, `engine` and what is below it.

pub mod alarm;
pub mod health;
pub mod routes;
pub mod scrape;
pub mod status;
