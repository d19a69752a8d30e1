//! The verifier and two instances of a merchant behind a load balancer, killed while vouchers are streamed and single
//! requests paid for through them.

use std::{collections::BTreeMap, sync::atomic::AtomicBool, thread, time::Duration};

use ed25519_dalek::SigningKey;
use rand::{Rng, SeedableRng, rngs::StdRng};
use x402_escrow_tests::local::Merchant;
use x402_escrow_wire::text::Hex32;

use super::{
    balancer::{Balancer, Paid, Seen},
    run::{OpeningHours, Run},
    shopper::{self, Bought, QUOTE, buy_until, stream_until},
    streamer::{Ending, Streamed, Streamer},
    till::Till,
};

const STREAMERS: u64 = 4;
/// How many stream from the merchant, and as many buy single things.
const SHOPPERS: u64 = 2;
/// Longest time from when all answer again to the next kill.
const LONGEST_LIFE_MILLISECONDS: u64 = 1_500;
/// Longest time for which an instance is away.
const LONGEST_ABSENCE_MILLISECONDS: u64 = 700;
/// From a merchant's offer to its capture deadline, as the streamers' holds have it.
const CAPTURE_WINDOW_SECONDS: &str = "150";

#[test]
fn whatever_is_killed_nothing_is_sold_twice_and_every_voucher_that_was_answered_is_captured() {
    let run = Run::start("streams", "X402_ESCROW_KILLS", 25);
    let mut till = Till::open(&[("X402_VOUCHER_MARGIN_SECONDS", "120")]);
    let balancer = Balancer::open(run.seed);
    let arguments = ["--held", "--capture-window", CAPTURE_WINDOW_SECONDS];
    let mut merchants = till.start_merchants(&balancer.url, &arguments);
    balancer.balance(merchants.iter().map(|instance| instance.url.clone()));
    let sessions: Vec<_> =
        (0..2 * SHOPPERS).map(|number| till.open_session(&format!("shopper-{number}"))).collect();
    let (streaming, buying) = sessions.split_at(SHOPPERS as usize);
    let [ticks, quote] = ["ticks", "quote"].map(|path| format!("{}/{path}?symbol=SOL", balancer.url));
    let closing = &AtomicBool::new(false);
    let (mut direct, mut streamed, mut bought) = (Vec::new(), Vec::new(), Vec::new());
    thread::scope(|scope| {
        let open = OpeningHours(closing);
        let streamers: Vec<_> = (0..STREAMERS)
            .map(|number| {
                let mut streamer = Streamer::new(till.parties(), run.seed.wrapping_add(number));
                let first = if number % 2 == 0 { Ending::LeftAlone } else { Ending::Closed };
                scope.spawn(move || streamer.stream_until(closing, first))
            })
            .collect();
        let (ticks, quote) = (&ticks, &quote);
        let streams: Vec<_> = streaming
            .iter()
            .map(|session| scope.spawn(move || stream_until(closing, session, ticks)))
            .collect();
        let buyers: Vec<_> =
            buying.iter().map(|session| scope.spawn(move || buy_until(closing, session, quote))).collect();
        let mut random = StdRng::seed_from_u64(run.seed);
        for _ in run.each_kill() {
            thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MILLISECONDS)));
            match random.random_range(0..10) {
                0..4 => {
                    till.kill_verifier();
                    till.restart_verifier();
                }
                4..7 => kill(&mut merchants[..1], &mut random),
                7..9 => kill(&mut merchants[1..], &mut random),
                _ => kill(&mut merchants, &mut random),
            }
        }
        drop(open);
        direct.extend(streamers.into_iter().flat_map(|streamer| streamer.join().unwrap()));
        streamed.extend(streams.into_iter().flat_map(|shopper| shopper.join().unwrap()));
        bought.extend(buyers.into_iter().map(|shopper| shopper.join().unwrap()));
    });
    let sum = |streams: &[Streamed]| streams.iter().map(|streamed| streamed.vouchers).sum::<u64>();
    println!(
        "{} kills, {} vouchers on {} holds to the verifier; at the merchant {} requests on {} holds, and {} of one hold each",
        run.kills,
        sum(&direct),
        direct.len(),
        sum(&streamed),
        streamed.len(),
        bought.iter().map(|bought| bought.served.len()).sum::<usize>(),
    );
    run.rest();

    // Several instances close no stream: the verifier captures each by itself.
    let shop = SigningKey::from_bytes(merchants[0].key.secret_bytes());
    direct.iter().for_each(|stream| till.release_rest(stream, &till.parties().merchant));
    streamed.iter().for_each(|stream| till.release_rest(stream, &shop));
    let captured = direct.iter().map(|streamed| till.assert_captured(streamed)).sum();
    let seen = balancer.seen();
    let sold = assert_sold_once(&till, &seen, &streamed, &bought);
    till.wait_until_nothing_is_held();
    assert_eq!(till.earned(&merchants[0]), sold, "the shop's tokens");
    till.assert_books(captured, sold);
    let served: u32 = seen.values().map(|seen| seen.served).sum();
    assert!(sum(&direct) + u64::from(served) > u64::from(run.kills), "hardly anything was sold");
}

/// Kills instances, and starts them again after a while.
fn kill(instances: &mut [Merchant], random: &mut StdRng) {
    instances.iter_mut().for_each(Merchant::kill);
    thread::sleep(Duration::from_millis(random.random_range(0..LONGEST_ABSENCE_MILLISECONDS)));
    instances.iter_mut().for_each(|instance| instance.restart().unwrap());
}

/// Nothing was served twice, all that was served is captured, and nothing else of single requests. Returns what was
/// captured in all.
fn assert_sold_once(
    till: &Till,
    seen: &BTreeMap<Paid, Seen>,
    streamed: &[Streamed],
    bought: &[Bought],
) -> u64 {
    for (paid, seen) in seen {
        assert!(seen.served <= 1, "{paid:?} was served {} times", seen.served);
    }
    let mut sold = 0;
    for stream in streamed {
        let served = seen.iter().filter(|((id, _), seen)| *id == stream.id && seen.served > 0).count();
        let captured = till.assert_captured(stream);
        assert!(
            captured >= served as u64 * shopper::PRICE,
            "{served} were served for {captured}: {stream:?}"
        );
        sold += captured;
    }
    let single = seen.iter().filter(|((_, voucher), _)| voucher.is_none());
    let mut charged: BTreeMap<Hex32, u64> = BTreeMap::new();
    for ((id, _), seen) in single {
        let captured = till.ended_at(*id, QUOTE).unwrap_or(0);
        assert!(captured >= u64::from(seen.served) * QUOTE, "{id} was served and not paid: {seen:?}");
        assert!(captured == 0 || seen.served + seen.lost > 0, "{id} was paid and refused: {seen:?}");
        charged.insert(*id, captured);
    }
    for bought in bought {
        let paid = bought.served.iter().chain(&bought.charged);
        assert!(paid.into_iter().all(|id| charged[id] == QUOTE), "{bought:?}");
    }
    sold + charged.values().sum::<u64>()
}
