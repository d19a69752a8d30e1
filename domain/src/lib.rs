//! The verifier's decisions, for both schemes: data in, verdict out. No I/O, no async, no clock (time is an argument), no
//! SQL, no RPC types. Uses `wire` and `interface`.

pub mod advance;
pub mod assurance;
pub mod books;
pub mod budget;
pub mod claim;
pub mod cluster;
pub mod decision;
pub mod derived;
pub mod discovery;
pub mod exact;
pub mod facts;
pub mod failure;
pub mod found;
pub mod gather;
pub mod identifier;
pub mod lookup_tables;
pub mod nonce;
pub mod payment;
pub mod policy;
pub mod priority_fee;
pub mod promises;
pub mod public_address;
pub mod reconcile;
pub mod report;
pub mod request;
pub mod review;
pub mod signature;
pub mod stream;
pub mod tokens;
pub mod transaction;
pub mod translate;
pub mod verify;
pub mod webhook;
