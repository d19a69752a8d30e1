//! HTTP only: reads requests, asks who knows, writes answers.

pub mod events;
pub mod intents;
pub mod openapi;
pub mod payload;
pub mod payments;
pub mod refunds;
pub mod settle;
pub mod supported;
pub mod verify;
