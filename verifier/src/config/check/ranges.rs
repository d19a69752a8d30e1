//! Checks that each number is in its range.

use std::{fmt::Display, ops::RangeInclusive};

use x402_escrow_interface::message::MAXIMUM_CAPTURE_SECONDS;

use crate::config::{ConfigError, keys::Keys};

pub(super) fn check_ranges(keys: &Keys, error: &mut ConfigError) {
    for (key, value, range) in [
        ("rpc_timeout_seconds", keys.rpc_timeout_seconds, 1..=120),
        ("settle_timeout_seconds", keys.settle_timeout_seconds, 1..=300),
        ("status_poll_milliseconds", keys.status_poll_milliseconds, 20..=5_000),
        ("deny_list_timeout_milliseconds", keys.deny_list_timeout_milliseconds, 100..=10_000),
        ("review_seconds", keys.review_seconds, 1..=3600),
        ("compute_unit_price_micro_lamports", keys.compute_unit_price_micro_lamports, 0..=5_000_000),
        (
            "maximum_compute_unit_price_micro_lamports",
            keys.maximum_compute_unit_price_micro_lamports,
            keys.compute_unit_price_micro_lamports..=5_000_000,
        ),
        ("exact_maximum_compute_units", u64::from(keys.exact_maximum_compute_units), 1..=1_400_000),
        ("exact_priority_fee_lamports", keys.exact_priority_fee_lamports, 0..=1_000_000),
        ("maximum_open_holds_per_escrow", keys.maximum_open_holds_per_escrow, 1..=1_000_000_000),
        ("maximum_operations_per_payment", keys.maximum_operations_per_payment, 1..=100_000),
        ("lookup_tables", keys.lookup_tables as u64, 0..=16),
        ("body_timeout_seconds", keys.body_timeout_seconds, 1..=300),
        ("maximum_concurrent_requests", keys.maximum_concurrent_requests as u64, 1..=100_000),
        ("maximum_bodies_per_client", keys.maximum_bodies_per_client as u64, 1..=1_000_000),
        ("maximum_bodies", keys.maximum_bodies as u64, 1..=1_000_000),
        ("maximum_waiting_per_payment", keys.maximum_waiting_per_payment as u64, 0..=1_000_000),
        ("maximum_waiting_per_client", keys.maximum_waiting_per_client as u64, 0..=1_000_000),
        ("maximum_waiting", keys.maximum_waiting as u64, 0..=1_000_000),
        ("maximum_followers_per_client", keys.maximum_followers_per_client as u64, 0..=1_000_000),
        ("maximum_followers", keys.maximum_followers as u64, 0..=1_000_000),
        ("maximum_body_bytes", keys.maximum_body_bytes as u64, 1024..=16 * 1024 * 1024),
    ] {
        check_range(key, value, &range, error);
    }
    // The program's own bounds are the upper ones.
    let captured_within = keys.minimum_capture_seconds..=MAXIMUM_CAPTURE_SECONDS;
    for (key, value, range) in [
        ("minimum_authorize_seconds", keys.minimum_authorize_seconds, 0..=MAXIMUM_CAPTURE_SECONDS),
        (
            "maximum_authorize_seconds",
            keys.maximum_authorize_seconds,
            keys.minimum_authorize_seconds..=MAXIMUM_CAPTURE_SECONDS,
        ),
        ("minimum_capture_seconds", keys.minimum_capture_seconds, 0..=MAXIMUM_CAPTURE_SECONDS),
        ("maximum_capture_seconds", keys.maximum_capture_seconds, captured_within),
        ("voucher_margin_seconds", keys.voucher_margin_seconds, 120..=MAXIMUM_CAPTURE_SECONDS),
        ("gather_seconds", keys.gather_seconds, 0..=60),
        ("maximum_slot_age_seconds", keys.maximum_slot_age_seconds, 1..=86_400),
    ] {
        check_range(key, value, &range, error);
    }
}

pub(super) fn check_range<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: &RangeInclusive<T>,
    error: &mut ConfigError,
) {
    if !range.contains(&value) {
        let (from, to) = (range.start(), range.end());
        error.note(key, format!("must be {from} to {to}, is {value}"));
    }
}
