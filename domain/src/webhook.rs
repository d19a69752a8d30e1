//! How a webhook's messages are signed, and when one is sent again: Standard Webhooks 1.0
//! (<https://www.standardwebhooks.com>). Uses nothing of this crate.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use x402_escrow_wire::text::Hex32;

/// Where news go to, and how they are signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The server's address.
    pub url: String,
    /// The key of the signatures, which the server has too.
    pub secret: Vec<u8>,
}

/// The news of a payment, to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The payment.
    pub payment_id: Hex32,
    /// Which news, counted from 1.
    pub version: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When the first attempt failed, unix seconds.
    pub failing_since: Option<i64>,
}

/// Before the second attempt; doubled for each further one.
const FIRST_PAUSE_SECONDS: i64 = 5;

/// The longest pause between attempts.
const LONGEST_PAUSE_SECONDS: i64 = 3600;

/// How long a server may be away before news are given up.
const GIVE_UP_AFTER_SECONDS: i64 = 3 * 86_400;

/// What is to be done after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt at this time (unix seconds).
    At(i64),
    /// None.
    GiveUp,
}

/// What is to be done after an attempt that failed at `now`, unix seconds.
pub fn next(delivery: &Delivery, now: i64) -> Next {
    if delivery.failing_since.is_some_and(|since| now.saturating_sub(since) > GIVE_UP_AFTER_SECONDS) {
        return Next::GiveUp;
    }
    let doubled = delivery.attempts.clamp(0, 20);
    let pause = (FIRST_PAUSE_SECONDS << doubled).min(LONGEST_PAUSE_SECONDS);
    Next::At(now.saturating_add(pause))
}

impl Webhook {
    /// The `webhook-signature` header: HMAC-SHA256 of id, time and body.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret);
        let mut mac = mac.unwrap_or_else(|error| unreachable!("any length is a key: {error}"));
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Webhook").field("url", &"…").field("secret", &"…").finish()
    }
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::text::Hex32;

    use super::*;

    #[test]
    fn signature_is_that_of_the_standards_example() {
        // https://github.com/standard-webhooks/standard-webhooks, "Webhook signature".
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let webhook = Webhook { url: String::new(), secret };
        let body = "{\"test\": 2432232314}";
        let signature = webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_after_three_days_it_is_given_up() {
        let after = |attempts| {
            let failing_since = (attempts > 0).then_some(0);
            next(&Delivery { payment_id: Hex32([0; 32]), version: 1, attempts, failing_since }, 1000)
        };
        assert_eq!([0, 1, 2, 9].map(after), [5, 10, 20, 2560].map(|pause| Next::At(1000 + pause)));
        assert_eq!([10, 11, 1000, i64::MAX].map(after), [Next::At(4600); 4]);
        let old = Delivery { payment_id: Hex32([0; 32]), version: 1, attempts: 80, failing_since: Some(0) };
        assert_eq!(next(&old, 3 * 86_400), Next::At(3 * 86_400 + 3600));
        assert_eq!(next(&old, 3 * 86_400 + 1), Next::GiveUp);
    }
}
