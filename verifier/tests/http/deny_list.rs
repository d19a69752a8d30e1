//! Whom the operator does not serve.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use solana_sdk::signer::Signer;
use tokio::time::sleep;
use x402_escrow_verifier::engine::deny_list::OnFailure;

use crate::{
    exact::wallet,
    metrics::lines,
    world::{Options, PAYER, World, keypair, listen},
};

/// How long a server takes that is not waited for.
const NEVER: Duration = Duration::from_secs(60);

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

async fn assert_denied(world: &World, body: &Value) {
    let before = world.everything().await;
    assert_eq!(world.post("/verify", body).await.1["invalidReason"], "payment_denied");
    assert_eq!(world.settle(body).await["errorReason"], "payment_denied");
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn who_is_in_the_file_is_not_served_and_what_was_accepted_is_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("denied");
    fs::write(&path, "# nobody yet\n\n").unwrap();
    let source = leak(path.display().to_string());
    let options = Options { deny_list: Some((source, OnFailure::Refuse)), ..Options::default() };
    let world = World::with(options).await;
    let held = world.authorize(1000, 1).await;
    let hold = |nonce| world.body(&world.requirements(1000), nonce);
    for address in [keypair(PAYER).pubkey(), world.merchant(), world.mint] {
        fs::write(&path, format!("  {address} # whoever that is\n")).unwrap();
        assert_denied(&world, &hold(2)).await;
        assert_denied(&world, &wallet::payment(&world, 1000, "denied")).await;
    }
    world.settled(&world.body(&world.requirements(1000), 1)).await;
    world.settled(&world.capture(held, 400, false)).await;
    world.settled(&world.void(held, 400)).await;
    // A list that can't be read denies everybody, for a while.
    fs::write(&path, "nobody\n").unwrap();
    assert_unavailable(&world, &hold(2)).await;
    fs::remove_file(&path).unwrap();
    assert_unavailable(&world, &hold(2)).await;
    fs::write(&path, "# all are served again\n").unwrap();
    world.settled(&hold(2)).await;
}

async fn assert_unavailable(world: &World, body: &Value) {
    for path in ["/verify", "/settle"] {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let started = Instant::now();
        let (status, retry_after, answer) = world.request_from(None, request).await;
        assert_eq!((status, retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(5)), "{answer}");
        assert_eq!(answer["error"]["code"], "deny_list_unavailable");
        assert!(started.elapsed() < NEVER / 2, "{:?}", started.elapsed());
    }
}

/// What a server was asked, and what it answers.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<(Vec<Value>, Answer)>>);

#[derive(Clone, Copy, Default)]
enum Answer {
    #[default]
    Allowed,
    Denied,
    Nonsense,
    Endless,
    Failure,
    Nothing,
}

async fn answer(State(server): State<Server>, Json(asked): Json<Value>) -> Response {
    let answer = {
        let mut server = server.0.lock().unwrap();
        server.0.push(asked);
        server.1
    };
    match answer {
        Answer::Allowed => Json(json!({ "denied": false })).into_response(),
        Answer::Denied => Json(json!({ "denied": true, "why": "we don't say" })).into_response(),
        Answer::Nonsense => "yes".into_response(),
        Answer::Endless => " ".repeat(1_000_000).into_response(),
        Answer::Failure => StatusCode::FOUND.into_response(),
        Answer::Nothing => {
            sleep(NEVER).await;
            StatusCode::OK.into_response()
        }
    }
}

#[tokio::test]
async fn a_server_is_asked_once_for_each_new_payment_and_its_failure_is_not_waited_for() {
    let server = Server::default();
    let (url, _task) = listen(Router::new().route("/", post(answer)).with_state(server.clone())).await;
    let options =
        |on_failure| Options { deny_list: Some((leak(url.clone()), on_failure)), ..Options::default() };
    let mut world = World::with(options(OnFailure::Refuse)).await;
    let set = |answer| server.0.lock().unwrap().1 = answer;
    let asked = || server.0.lock().unwrap().0.clone();

    let held = world.authorize(1000, 1).await;
    let payer = keypair(PAYER).pubkey().to_string();
    let (receiver, mint) = (world.merchant().to_string(), world.mint.to_string());
    assert_eq!(asked(), [json!({ "payer": payer, "receiver": receiver, "mint": mint })]);
    // What was accepted is not asked about again.
    world.authorize(1000, 1).await;
    assert_eq!(asked().len(), 1);

    set(Answer::Denied);
    let body = world.body(&world.requirements(1000), 2);
    assert_denied(&world, &body).await;
    for failure in [Answer::Nonsense, Answer::Endless, Answer::Failure] {
        set(failure);
        assert_unavailable(&world, &body).await;
    }
    let count = asked().len();
    world.settled(&world.capture(held, 1000, true)).await;
    assert_eq!(asked().len(), count, "a capture is never asked about");
    let checks = lines(&world, "x402_deny_list_checks_total").await;
    for line in [r#"outcome="allowed"} 1"#, r#"outcome="denied"} 2"#, r#"outcome="failed"} 6"#] {
        assert!(checks.iter().any(|check| check.ends_with(line)), "{line} is not in {checks:?}");
    }

    let deny_list_timeout = Duration::from_millis(300);
    world.restart(Options { deny_list_timeout, ..options(OnFailure::Refuse) }).await;
    set(Answer::Nothing);
    assert_unavailable(&world, &body).await;

    world.restart(options(OnFailure::Accept)).await;
    set(Answer::Failure);
    world.settled(&body).await;
    set(Answer::Denied);
    assert_denied(&world, &world.body(&world.requirements(1000), 3)).await;
}
