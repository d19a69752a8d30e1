//! Killed processes: what was served is paid, what was paid buys once, nothing is lost.

use std::{thread, time::Duration};

use crate::shop::{Shop, payment_id};

/// Price of /slow, which is held, and of /quote, which is charged, in base units.
const SLOW: u64 = 5_000;
const QUOTE: u64 = 10_000;

#[test]
fn a_capture_outlives_verifier_and_merchant() {
    let mut shop = Shop::open();
    let path = "/slow?milliseconds=9000";
    let payment = shop.payment(path);

    // The verifier dies while the handler runs; the merchant serves all the same, since the hold is good.
    let answer = thread::scope(|scope| {
        let request = scope.spawn(|| shop.send(path, &payment));
        shop.wait_until_served(&payment);
        shop.verifier.kill_now();
        request.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    shop.assert_books(0, SLOW);

    // The merchant dies too, with the signed capture on disk.
    shop.merchant.kill();
    shop.verifier.kill();
    shop.verifier.restart().unwrap();
    shop.merchant.restart().unwrap();
    shop.wait_until_nothing_is_held();
    shop.assert_books(SLOW, 0);
}

#[test]
fn a_merchant_killed_while_it_serves_gives_the_money_back() {
    let mut shop = Shop::open();
    let path = "/slow?milliseconds=9000";
    let payment = shop.payment(path);
    let answer = thread::scope(|scope| {
        let request = scope.spawn(|| shop.try_send(path, &payment));
        shop.wait_until_served(&payment);
        shop.merchant.kill_now();
        request.join().unwrap()
    });
    assert!(answer.is_err(), "a dead merchant answered");
    shop.wait_until_held(SLOW);
    shop.assert_books(0, SLOW);

    shop.merchant.kill();
    shop.merchant.restart().unwrap();
    shop.wait_until_nothing_is_held();
    shop.assert_books(0, 0);
    let again = shop.send(path, &payment);
    assert_eq!((again.status, again.reason()), (402, "duplicate_settlement"));
}

#[test]
fn a_verifier_killed_at_any_moment_of_a_settlement_pays_once() {
    let mut shop = Shop::open();
    let (held, charged) = (("/slow?milliseconds=0", SLOW), ("/quote?symbol=SOL", QUOTE));
    let mut earned = 0;
    let delays = [5, 20, 60, 150, 400, 900];
    for (delay_milliseconds, (path, price)) in
        delays.iter().flat_map(|delay| [(*delay, held), (*delay, charged)])
    {
        let payment = shop.payment(path);
        let first = thread::scope(|scope| {
            let request = scope.spawn(|| shop.send(path, &payment).status);
            thread::sleep(Duration::from_millis(delay_milliseconds));
            shop.verifier.kill_now();
            request.join().unwrap()
        });
        shop.verifier.kill();
        shop.verifier.restart().unwrap();

        // Told to come again, the client does; a payment that bought something buys nothing more.
        let last =
            if first == 200 { shop.send(path, &payment).status } else { insist(&shop, path, &payment) };
        assert_eq!(last, if first == 200 { 402 } else { 200 }, "killed after {delay_milliseconds} ms");
        earned += price;
        shop.wait_until_nothing_is_held();
        shop.assert_books(earned, 0);
        // The verifier looks a few times a second.
        let (id, captured) = (payment_id(&payment), price.to_string());
        let reported = || Ok(shop.verifier.payment(&id)?["captured"] == captured);
        shop.local.chain.wait_until("the report", Duration::from_secs(30), reported).unwrap();
    }
}

/// Sends the same request until it is not told to come again.
fn insist(shop: &Shop, path: &str, payment: &x402_escrow_wire::payment::PaymentPayload) -> u16 {
    for _ in 0..240 {
        let answer = shop.send(path, payment);
        let come_again = answer.status == 503 || answer.reason() == "settlement_pending";
        if !come_again {
            return answer.status;
        }
        thread::sleep(Duration::from_millis(500));
    }
    panic!("still told to come again after two minutes");
}
