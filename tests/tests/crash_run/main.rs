//! Processes killed again and again, at random, while payments go through them. A run's choices follow from a seed; the
//! moments at which they meet the processes depend on the machine too.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod balancer;
mod counter;
mod forks;
mod payments;
mod run;
mod shopper;
mod streamer;
mod streams;
mod till;
