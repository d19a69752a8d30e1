//! Measures how often `solana-pay-kit` checks a voucher in a second. It reads a line that says for how long, and writes
//! one that says how often: `cargo xtask bench load` starts it.

use std::{
    hint::black_box,
    io,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use ed25519_dalek::{Signer, SigningKey};
use solana_pay_kit::core::{payment_channels::voucher_message_bytes, voucher::verify_voucher_signature};

// As `tests/load/src/in_process.rs` has them.
const NOW: i64 = 1_800_000_000;
const EXPIRES_AT: i64 = NOW + 3600;
const AMOUNT: u64 = 500_000;
/// A voucher must last for so many more seconds.
const MARGIN: i64 = 300;

fn main() -> Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("reading for how long")?;
    let time: Duration = serde_json::from_str(&line).context("for how long")?;
    let key = SigningKey::from_bytes(&[7; 32]);
    let channel = [9_u8; 32];
    let message = voucher_message_bytes(&channel.into(), AMOUNT, EXPIRES_AT)?;
    let signature = bs58::encode(key.sign(&message).to_bytes()).into_string();
    let signer = bs58::encode(key.verifying_key().to_bytes()).into_string();
    let channel = bs58::encode(channel).into_string();
    let check = || {
        verify_voucher_signature(
            black_box(channel.as_str()),
            black_box(AMOUNT),
            black_box(EXPIRES_AT),
            black_box(signature.as_str()),
            black_box(signer.as_str()),
            NOW,
            MARGIN,
        )
    };
    check().context("the voucher is not accepted")?;
    println!("{}", per_second(time, || _ = black_box(check())));
    Ok(())
}

/// How often `work` is done in a second, counted as in `tests/load/src/in_process.rs`.
fn per_second(time: Duration, work: impl Fn()) -> f64 {
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < time {
        (0..100).for_each(|_| work());
        count += 100;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}
