//! The command line of an agent: what it prints, and how it ends.

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    peers::{Paid, Peers},
    streams::{amounts, streaming_server},
};

/// Runs `agent` with the peers' session file.
async fn agent(peers: &Peers, arguments: &[&str]) -> Output {
    let file = peers.session_path();
    if !file.exists() {
        peers.session.create(&file).unwrap();
    }
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent"));
        command.args(arguments).env_clear().env("X402_SESSION", file).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Fetches with `--json`; returns the exit code and the one object.
async fn fetch(peers: &Peers, arguments: &[&str]) -> (i32, Value) {
    let url = format!("{}/report", peers.url);
    let output = agent(peers, &[&["--json", "fetch", &url], arguments].concat()).await;
    one_object(&output)
}

fn one_object(output: &Output) -> (i32, Value) {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    (output.status.code().unwrap(), serde_json::from_str(&printed).unwrap())
}

#[tokio::test]
async fn the_exit_code_and_one_object_tell_the_outcomes_apart() {
    let peers = Peers::start().await;
    let (code, served) = fetch(&peers, &[]).await;
    assert_eq!((code, &served["outcome"], &served["status"]), (0, &json!("served"), &json!(200)));
    assert_eq!((&served["error"], &served["maySettleUntil"]), (&Value::Null, &Value::Null));

    let (code, failed) = fetch(&peers, &["--max-amount", "0.000999"]).await;
    assert_eq!((code, &failed["error"]["code"]), (8, &json!("draft_refused")));
    let told = failed["error"]["message"].as_str().unwrap();
    assert!(told.contains("0.001 is above the maximum of 0.000999"), "in tokens: {told}");

    peers.when_paid(Paid::Refuse);
    let (code, refused) = fetch(&peers, &[]).await;
    assert_eq!(
        (code, &refused["outcome"], &refused["error"]["code"]),
        (3, &json!("refused"), &json!("refused"))
    );
    assert!(refused["maySettleUntil"].is_i64(), "{refused}");

    peers.when_paid(Paid::HangUp);
    let (code, unknown) = fetch(&peers, &[]).await;
    assert_eq!((code, &unknown["outcome"], &unknown["status"]), (4, &json!("unknown"), &Value::Null));
    assert_eq!(unknown["error"]["code"], "unknown");
    assert!(unknown["payment"]["paymentId"].is_string(), "{unknown}");
}

#[tokio::test]
async fn each_request_of_many_prints_one_object_also_the_one_that_is_not_served() {
    let peers = streaming_server().await;
    peers.answer_next([Paid::Serve, Paid::Serve, Paid::Refuse]);
    let url = format!("{}/report", peers.url);
    let stream = ["--stream", "0.01", "--max-amount", "0.001", "--count", "9"];
    let output = agent(&peers, &[&["--json", "fetch", &url], stream.as_slice()].concat()).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    let outcomes: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["outcome"].clone()).collect();
    assert_eq!(outcomes, ["served", "served", "refused"]);
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn the_first_of_many_answers_that_is_cut_off_is_served_and_the_last() {
    let peers = streaming_server().await;
    peers.answer_next([Paid::Serve, Paid::ServeMuch]);
    let url = format!("{}/report", peers.url);
    let fetch = ["fetch", &url, "--stream", "0.01", "--max-amount", "0.001", "--count", "3"];
    let output = agent(&peers, &fetch).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), peers.vouchers()), (Some(5), amounts([1, 2])), "{told}");
    assert!(told.starts_with("2 served out of payment "), "{told}");
    assert!(told.ends_with("error: the response is longer than 32 MiB and was cut off\n"), "{told}");
    assert!(!told.contains("not served"), "{told}");
}

#[tokio::test]
async fn a_purchase_is_looked_up_and_resumed_by_its_key() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::HangUp);
    assert_eq!(fetch(&peers, &["--key", "order 7"]).await.0, 4);
    let lookup = ["--json", "purchase", "lookup", "order 7"];
    let (code, found) = one_object(&agent(&peers, &lookup).await);
    assert_eq!((code, &found["state"], &found["key"]), (0, &json!("unknown"), &json!("order 7")));
    let (_, list) = one_object(&agent(&peers, &["--json", "purchase", "list"]).await);
    assert_eq!(list["purchases"].as_array().unwrap().len(), 1);

    peers.when_paid(Paid::Serve);
    assert_eq!(fetch(&peers, &["--key", "order 7"]).await.0, 0);
    let (code, again) = fetch(&peers, &["--key", "order 7"]).await;
    assert_eq!((code, &again["error"]["code"]), (1, &json!("already_bought")));
    let (_, found) = one_object(&agent(&peers, &lookup).await);
    assert_eq!((&found["state"], &found["maySettleUntil"]), (&json!("served"), &Value::Null));
    assert_eq!(peers.nonces_paid(), [1, 1]);
    let (code, missing) = one_object(&agent(&peers, &["--json", "purchase", "lookup", "order 8"]).await);
    assert_eq!((code, &missing["error"]["code"]), (1, &json!("no_such_key")));
}

#[tokio::test]
async fn a_servers_text_does_not_act_on_the_terminal() {
    let peers = Peers::start().await;
    peers.when_paid(Paid::Say("\u{1b}[2J\u{202e}paid\r\nerror: pay again"));
    let url = format!("{}/report", peers.url);
    let told = String::from_utf8(agent(&peers, &["fetch", &url]).await.stderr).unwrap();
    assert!(told.contains("\\u{1b}[2J\\u{202e}paid\\u{d}\\u{a}error: pay again"), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "{told}");
    let (_, object) = fetch(&peers, &[]).await;
    let reason = &object["payment"]["settlement"]["errorReason"];
    assert_eq!(reason, "\u{1b}[2J\u{202e}paid\r\nerror: pay again");
}

#[tokio::test]
async fn plain_http_is_refused_with_a_code() {
    let peers = Peers::start().await;
    let output = agent(&peers, &["--json", "fetch", "http://shop.example/"]).await;
    let (code, error) = one_object(&output);
    assert_eq!((code, &error["error"]["code"]), (2, &json!("plain_http")));
}

#[tokio::test]
async fn a_purchase_whose_process_was_killed_goes_on_by_its_key() {
    let peers = Peers::start().await;
    peers.session.create(&peers.session_path()).unwrap();
    peers.answer_next([Paid::ServeLate(Duration::from_secs(60))]);
    let mut killed = Command::new(env!("CARGO_BIN_EXE_agent"))
        .args(["fetch", &format!("{}/report", peers.url), "--key", "order 7"])
        .env_clear()
        .env("X402_SESSION", peers.session_path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while peers.payments().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();

    let (_, found) = one_object(&agent(&peers, &["--json", "purchase", "lookup", "order 7"]).await);
    assert_eq!((&found["state"], &found["verifierAnswered"]), (&json!("unknown"), &json!(true)));
    assert_eq!(fetch(&peers, &["--key", "order 7"]).await.0, 0);
    let payments = peers.payments();
    assert_eq!((payments.len(), &payments[0].payload), (2, &payments[1].payload));
}
