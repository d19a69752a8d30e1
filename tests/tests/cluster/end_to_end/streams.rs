//! Many requests out of one hold, with the agent's command line.

use crate::shop::Shop;

/// Price of /ticks and what is held for many of them, in base units.
const TICK: u64 = 1_000;
const HOLD: u64 = 250_000;

#[test]
fn an_agent_streams_from_the_shell_and_goes_on_with_the_hold_the_next_time() {
    // Such a merchant closes no stream, however long the agent takes to start again.
    let shop = Shop::open_with(&[], &["--one-of-several"]);
    let ticks = shop.url("/ticks?symbol=SOL");
    let stream = ["fetch", &ticks, "--max-amount", "0.001", "--stream", "0.25"];

    let lines = shop.agent.run_lines(&[stream.as_slice(), &["--count", "5"]].concat()).unwrap();
    assert_eq!(lines.len(), 5);
    for (number, line) in (1..).zip(&lines) {
        let payment = &line["payment"];
        assert_eq!((&line["status"], &line["body"]["symbol"]), (&200.into(), &"SOL".into()));
        assert_eq!(payment["paymentId"], lines[0]["payment"]["paymentId"], "one hold for all");
        assert_eq!(payment["stream"]["signed"], (number * TICK).to_string());
        assert_eq!(payment["stream"]["hold"], HOLD.to_string());
    }
    // Another process.
    let again = shop.agent.run(&stream).unwrap();
    assert_eq!(again["payment"]["paymentId"], lines[0]["payment"]["paymentId"]);
    assert_eq!(again["payment"]["stream"]["signed"], (6 * TICK).to_string());
}

#[test]
fn a_stream_that_nobody_uses_is_captured_and_the_next_request_opens_another_hold() {
    let shop = Shop::open();
    let ticks = shop.url("/ticks?symbol=SOL");
    let stream = ["fetch", &ticks, "--max-amount", "0.001", "--stream", "0.25"];
    let lines = shop.agent.run_lines(&[stream.as_slice(), &["--count", "5"]].concat()).unwrap();
    // Nobody asks any more: the merchant captures what was used, and the rest goes back.
    for line in &lines {
        shop.wait_until_ended(line);
    }
    shop.assert_books(5 * TICK, 0);

    // The hold is over, which costs nothing but a new one.
    let next = shop.agent.run(&stream).unwrap();
    assert_ne!(next["payment"]["paymentId"], lines[4]["payment"]["paymentId"]);
    shop.wait_until_ended(&next);
    shop.assert_books(6 * TICK, 0);
}

#[test]
fn an_agent_that_cannot_stream_signs_nothing_and_is_told_what_to_do() {
    let shop = Shop::open();
    let refused = |arguments: &[&str]| {
        let error = shop.agent.run(&[&["fetch"], arguments].concat()).unwrap_err();
        shop.assert_books(0, 0);
        format!("{error:#}")
    };
    let (ticks, quote) = (shop.url("/ticks?symbol=SOL"), shop.url("/quote?symbol=SOL"));

    let error = refused(&[&quote, "--stream", "0.25", "--count", "3"]);
    assert!(error.contains("request 1 of 3: leave --stream out"), "{error}");
    let error = refused(&[&ticks, "--max-amount", "0.0009", "--stream", "0.25"]);
    assert!(error.contains("raise --max-amount"), "{error}");
    let error = refused(&[&ticks, "--max-amount", "0.001", "--stream", "0.2"]);
    assert!(error.contains("--stream must be at least what the server wants to hold"), "{error}");
    assert!(error.contains("0.25 is above the maximum of 0.2"), "{error}");
    let error = refused(&[&ticks, "--max-amount", "0.001", "--stream", "0.25", "--spending-limit", "0.1"]);
    assert!(error.contains("spending limit"), "{error}");
    let error = refused(&[&ticks, "--count", "3"]);
    assert!(error.contains("--stream"), "{error}");
}
