//! HTTP only: reads requests, asks who knows, writes answers.

pub mod discovery;
pub mod events;
pub mod intents;
pub mod merchant_pages;
pub mod merchant_webhooks;
pub mod merchants;
pub mod openapi;
pub mod payload;
pub mod payments;
pub mod receivers;
pub mod refunds;
pub mod revocations;
pub mod settle;
pub mod supported;
pub mod verify;
