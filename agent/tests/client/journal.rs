//! What is on disk of a purchase, and how it goes on from there.

use std::time::Duration;

use serde_json::json;
use x402_escrow_agent::{FetchError, Outcome, Request, journal::Purchase};
use x402_escrow_wire::{
    payment_identifier::{EXTENSION, Offer, declaration},
    purchase::buyer::Purchase as State,
    text::Decimal,
};

use crate::{
    peers::{PRICE, Paid, Peers, in_short, told, told_of, unix_now},
    streams::{agent, amounts, streaming_server},
};

const KEY: &str = "order 7";

fn report(peers: &Peers) -> Request {
    Request::get(&format!("{}/report", peers.url)).keyed(KEY)
}

fn found(peers: &Peers) -> Option<Purchase> {
    peers.files().journal.find(KEY).unwrap()
}

fn state(peers: &Peers) -> State {
    found(peers).unwrap().state
}

/// As if the purchases had been signed so long ago that nobody gets a hold for them any more.
fn let_authorize_by_pass(peers: &Peers) {
    let path = peers.session_path().with_added_extension("journal");
    let text = std::fs::read_to_string(&path).unwrap();
    let authorize_by = format!("\"authorizeBy\":{}", found(peers).unwrap().signed.authorize_by);
    let (journaled, payload) = (format!("{authorize_by},\"captureDeadline\""), unix_now() - 61);
    assert!(text.contains(&journaled), "{text}");
    let passed = format!("\"authorizeBy\":{payload},\"captureDeadline\"");
    std::fs::write(path, text.replace(&journaled, &passed)).unwrap();
}

#[tokio::test]
async fn a_payment_is_in_the_journal_before_its_signature_leaves() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    told(&peers, &peers.agent(PRICE), "/report").await;
    let journal = std::fs::read_to_string(peers.session_path().with_added_extension("journal")).unwrap();
    let payments = peers.payments();
    assert!(journal.contains(&payments[0].payload["nonce"].to_string()), "{journal}");
    assert!(!journal.contains(payments[0].payload["signature"].as_str().unwrap()), "it holds no signature");
    assert!(!journal.contains("/report"), "it holds no URL");
}

#[tokio::test]
async fn a_purchase_is_counted_before_anybody_finds_it_in_the_journal() {
    let peers = Peers::start().await;
    let file = |name: &str| peers.session_path().with_added_extension(name);
    let counting = std::fs::File::create(file("spent.lock")).unwrap();
    counting.lock().unwrap();
    let (agent, request) = (peers.agent(PRICE), report(&peers));
    // A runtime of its own: who waits for a file's lock takes its thread along.
    let buy = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { in_short(&agent.fetch(&request).await.unwrap()).to_string() })
    };
    let bought = tokio::task::spawn_blocking(buy);
    while peers.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It waits for its turn to count.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(std::fs::read_to_string(file("journal")).unwrap_or_default(), "");
    counting.unlock().unwrap();
    assert_eq!(bought.await.unwrap(), "served");
    assert_eq!(state(&peers), State::Served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_was_given_up_after_it_was_signed_is_found_and_sent_again() {
    let peers = Peers::start().await;
    peers.answer_next([Paid::ServeWhenLet]);
    let (agent, request) = (peers.agent(PRICE), report(&peers));
    let given_up = tokio::spawn(async move { agent.fetch(&request).await });
    peers.wait_for_payments(1).await;
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    assert_eq!(state(&peers), State::Signed);

    // Another process.
    let agent = peers.agent(PRICE);
    let found = agent.lookup(KEY).await.unwrap().unwrap();
    assert_eq!(found.purchase.state, State::Unknown);
    assert_eq!(found.may_settle_until, Some(found.purchase.signed.authorize_by));
    assert_eq!(in_short(&agent.resume(&report(&peers)).await.unwrap()), "served");
    let payments = peers.payments();
    assert_eq!((payments.len(), &payments[0].payload), (2, &payments[1].payload));
    assert_eq!(state(&peers), State::Served);
}

#[tokio::test]
async fn a_key_that_was_served_buys_nothing_again() {
    let peers = Peers::start().await;
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "served");
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "error already_bought");
    assert_eq!(peers.payments().len(), 1);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    told_of(&peers.agent(PRICE), &report(&peers)).await;
    let other = Request::get(&format!("{}/report?full", peers.url)).keyed(KEY);
    assert_eq!(told_of(&peers.agent(PRICE), &other).await, "error key_conflict");
    let body = Request { method: "POST".into(), body: b"x".to_vec(), ..report(&peers) };
    assert_eq!(told_of(&peers.agent(PRICE), &body).await, "error key_conflict");
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers).keyed("")).await, "error invalid_request");
    assert_eq!(peers.payments().len(), 1);
}

#[tokio::test]
async fn nothing_is_begun_by_resuming_a_key_that_is_not_there() {
    let peers = Peers::start().await;
    let error = peers.agent(PRICE).resume(&report(&peers)).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSuchKey { .. }), "{error}");
    assert!(peers.agent(PRICE).lookup(KEY).await.unwrap().is_none());
    assert!(peers.payments().is_empty());
}

#[tokio::test]
async fn a_key_whose_payment_was_never_held_buys_anew_once_it_can_not_be() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Refuse);
    assert!(told_of(&peers.agent(PRICE), &report(&peers)).await.starts_with("refused"));
    // It can still be held: the same payment is sent again.
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "unknown");
    let_authorize_by_pass(&peers);
    peers.when_paid(Paid::Serve);
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "served");
    assert_eq!(peers.nonces_paid(), [1, 1, 2]);
}

#[tokio::test]
async fn a_key_whose_payment_was_captured_buys_nothing_though_its_answer_got_lost() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "unknown");
    let_authorize_by_pass(&peers);
    peers.know(Some(json!({ "state": "ended", "captured": PRICE.to_string() })));
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "error already_bought");
    assert_eq!((peers.payments().len(), state(&peers)), (1, State::Charged));
}

#[tokio::test]
async fn a_verifier_that_does_not_answer_frees_no_key() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "unknown");
    let_authorize_by_pass(&peers);
    peers.know(Some(json!("no report")));
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "unknown");
    assert_eq!(peers.nonces_paid(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_begin_with_one_key_at_once_one_payment_is_signed() {
    let peers = Peers::start().await;
    peers.alter_challenge(|challenge| {
        challenge["extensions"] = json!({ EXTENSION: declaration(Offer::Required) });
    });
    let fetches: Vec<_> = (0..8)
        .map(|_| {
            let (agent, request) = (peers.agent(PRICE), report(&peers));
            tokio::spawn(async move { told_of(&agent, &request).await })
        })
        .collect();
    for fetch in fetches {
        let told = fetch.await.unwrap();
        assert!(told == "served" || told == "error already_bought", "{told}");
    }
    let payments = peers.payments();
    assert!(payments.iter().all(|payment| payment.payload == payments[0].payload), "{payments:?}");
}

#[tokio::test]
async fn a_voucher_with_a_key_is_resumed_like_any_purchase() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    peers.answer_next([Paid::HangUp]);
    assert_eq!(told_of(&agent, &report(&peers)).await, "unknown");
    let again = crate::streams::agent(&peers);
    assert_eq!(told_of(&again, &report(&peers)).await, "served");
    assert_eq!(told_of(&again, &report(&peers)).await, "error already_bought");
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!(peers.vouchers(), amounts([1, 2, 2, 3]));
}

#[tokio::test]
async fn a_voucher_in_doubt_goes_to_another_purchase_only_if_the_verifier_has_not_accepted_it() {
    for (vouched, bought) in [(2 * PRICE, amounts([1, 2, 3])), (PRICE, amounts([1, 2, 2]))] {
        let peers = streaming_server().await;
        let agent = agent(&peers);
        assert_eq!(told(&peers, &agent, "/report").await, "served");
        peers.answer_next([Paid::HangUp]);
        assert_eq!(told_of(&agent, &report(&peers)).await, "unknown");
        peers.know(Some(json!({ "state": "authorized", "vouched": vouched.to_string() })));
        assert_eq!(told(&peers, &agent, "/report").await, "served");
        assert_eq!(peers.vouchers(), bought);
        let expected = if vouched == PRICE { State::Over } else { State::Unknown };
        assert_eq!(state(&peers), expected);
    }
}

#[tokio::test]
async fn an_outcome_says_until_when_a_held_payment_can_be_captured() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "unknown");
    peers.know(Some(json!({ "state": "authorized", "captured": "0" })));
    let found = peers.agent(PRICE).lookup(KEY).await.unwrap().unwrap();
    assert_eq!(found.may_settle_until, Some(found.purchase.signed.capture_deadline));
    let by_id = peers.agent(PRICE).lookup(found.purchase.payment_id()).await.unwrap().unwrap();
    assert_eq!(by_id.purchase, found.purchase);
    peers.when_paid(Paid::Serve);
    let outcome = peers.agent(PRICE).fetch(&report(&peers)).await.unwrap();
    assert!(matches!(outcome, Outcome::Served(_)), "{outcome:?}");
}

#[tokio::test]
async fn of_two_purchases_in_doubt_each_is_decided_by_its_own_amount() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    // The hold's opening is in doubt, and so is a voucher after it that costs more.
    peers.answer_next([Paid::HangUp]);
    assert_eq!(told_of(&agent, &report(&peers)).await, "unknown");
    let mut stream = peers.files().streams.read().unwrap().remove(0);
    stream.signed = Decimal(2 * PRICE);
    peers.files().streams.put(stream).unwrap();
    peers.know(Some(json!({ "state": "authorized", "vouched": PRICE.to_string() })));
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    assert_eq!(state(&peers), State::Unknown, "its voucher was accepted");
    assert_eq!(peers.vouchers(), amounts([1, 2]));
}

#[tokio::test]
async fn a_client_that_does_not_stream_resumes_a_voucher_and_notes_what_it_bought() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    peers.answer_next([Paid::HangUp]);
    assert_eq!(told_of(&agent, &report(&peers)).await, "unknown");
    assert_eq!(told_of(&peers.agent(PRICE), &report(&peers)).await, "served");
    let stream = peers.files().streams.read().unwrap().remove(0);
    assert_eq!((stream.signed, stream.served), (Decimal(2 * PRICE), Decimal(2 * PRICE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_that_bought_something_while_another_fetch_waited_is_not_sent_again() {
    let peers = streaming_server().await;
    let agent = agent(&peers);
    assert_eq!(told(&peers, &agent, "/report").await, "served");
    peers.answer_next([Paid::HangUp]);
    assert_eq!(told_of(&agent, &report(&peers)).await, "unknown");
    peers.answer_next([Paid::ServeLate(Duration::from_secs(1))]);
    let (request, other) = (report(&peers), crate::streams::agent(&peers));
    let (first, second) = tokio::join!(told_of(&agent, &request), told_of(&other, &request));
    let mut both = [first, second];
    both.sort();
    assert_eq!(both, ["error already_bought", "served"]);
    assert_eq!(peers.vouchers(), amounts([1, 2, 2]));
}
