//! Verifier and merchant killed while vouchers are streamed through them.

use std::{sync::atomic::AtomicBool, thread, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    run::{OpeningHours, Run},
    shopper::{self, shop_until},
    streamer::{Ending, Streamed, Streamer},
    till::Till,
};

const STREAMERS: u64 = 4;
const SHOPPERS: u64 = 2;
/// Longest time from when all answer again to the next kill.
const LONGEST_LIFE_MILLISECONDS: u64 = 1_500;
/// From a merchant's offer to its capture deadline, as the streamers' holds have it.
const CAPTURE_WINDOW_SECONDS: &str = "150";

#[test]
fn whatever_is_killed_when_every_voucher_that_was_answered_is_captured_and_none_above_it() {
    let run = Run::start("streams", "X402_ESCROW_KILLS", 25);
    let mut till = Till::open(&[("X402_VOUCHER_MARGIN_SECONDS", "120")]);
    let mut merchant = till.start_merchant(&["--capture-window", CAPTURE_WINDOW_SECONDS]);
    let ticks = format!("{}/ticks?symbol=SOL", merchant.url);
    let sessions: Vec<_> =
        (0..SHOPPERS).map(|number| till.open_session(&format!("shopper-{number}"))).collect();
    let closing = &AtomicBool::new(false);
    let (mut direct, mut bought) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let open = OpeningHours(closing);
        let streamers: Vec<_> = (0..STREAMERS)
            .map(|number| {
                let mut streamer = Streamer::new(till.parties(), run.seed.wrapping_add(number));
                let first = if number % 2 == 0 { Ending::LeftAlone } else { Ending::Closed };
                scope.spawn(move || streamer.stream_until(closing, first))
            })
            .collect();
        let ticks = &ticks;
        let shoppers: Vec<_> =
            sessions.iter().map(|session| scope.spawn(move || shop_until(closing, session, ticks))).collect();
        let mut random = StdRng::seed_from_u64(run.seed);
        for _ in run.each_kill() {
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MILLISECONDS)));
            if random.random_bool(0.7) {
                till.kill_verifier();
                till.restart_verifier();
            } else {
                merchant.kill();
                merchant.restart().unwrap();
            }
        }
        drop(open);
        direct.extend(streamers.into_iter().flat_map(|streamer| streamer.join().unwrap()));
        bought.extend(shoppers.into_iter().flat_map(|shopper| shopper.join().unwrap()));
    });
    let sum = |streams: &[Streamed]| streams.iter().map(|streamed| streamed.vouchers).sum::<u64>();
    println!(
        "{} kills, {} vouchers on {} holds to the verifier, {} requests on {} holds at the merchant",
        run.kills,
        sum(&direct),
        direct.len(),
        sum(&bought),
        bought.len()
    );

    let captured = direct.iter().map(|streamed| till.assert_captured(streamed)).sum();
    let sold = bought.iter().map(|streamed| till.assert_captured(streamed)).sum();
    till.wait_until_nothing_is_held();
    let served = sum(&bought);
    assert!(sold >= served * shopper::PRICE, "{served} requests were served for {sold}");
    assert_eq!(till.earned(&merchant), sold, "the shop's tokens");
    till.assert_books(captured, sold);
    assert!(sum(&direct) + served > u64::from(run.kills), "hardly anything was streamed");
}
