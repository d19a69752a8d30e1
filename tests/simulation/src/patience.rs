//! How long everybody waits: the verifier is configured to it, people keep to it, and the audit goes
//! by it.

use std::time::Duration;

/// How long the verifier lets a caller of `/settle` wait.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How long an answer may take above that: nodes answer late.
pub const GRACE: Duration = Duration::from_secs(12);

/// How soon an honest payer's hold must not have been refused yet while the cluster works.
pub const PROMPT_SECONDS: i64 = 40;

/// How long before the margin in which streams take no voucher honest payers stop.
pub const PAYER_MARGIN_SECONDS: i64 = 5;

/// How long before its deadline a merchant stops asking.
pub const MERCHANT_MARGIN_SECONDS: i64 = 30;

/// For how long an intent can be authorized.
pub const AUTHORIZE_SECONDS: i64 = 100;

/// How long before the end of that time its caller stops asking.
pub const CALLER_MARGIN_SECONDS: i64 = 20;

/// After how long a caller asks again.
pub const RETRY: Duration = Duration::from_millis(1500);

/// How long people begin new things.
pub const BUSY_SECONDS: u64 = 300;

/// The last deadline of all is so long after that and the margin.
pub const LAST_DEADLINE_SECONDS: i64 = 420;

/// How long everything may take to come to its end after the last deadline.
pub const END_SECONDS: u64 = 420;
