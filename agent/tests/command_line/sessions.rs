//! An owner's sessions.

use serde_json::json;
use x402_escrow_interface::{Address, account::Session};
use x402_escrow_wire::text::Base58;

use crate::{
    home::{Home, mint},
    node::{NOW, Node, escrow, hold, session},
    owners::program,
};

fn open_session<'a>(url: &'a str, mint: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let limits = ["--max-payment", "0.50", "--max-total", "10", "--out", "new.json"];
    let node = ["--rpc-url", url, "--mint", mint, "--verifier", url];
    let program = ["--program", "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T"];
    [&["session", "open"], limits.as_slice(), &node, &program, more].concat()
}

async fn with_escrow(home: &Home) -> String {
    let mut node = Node::new();
    node.escrow(&escrow(home.owner(), 6));
    node.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_not_read_by_decimals_that_the_mint_does_not_have() {
    let home = Home::new();
    let mut node = Node::new();
    node.escrow(&escrow(home.owner(), 9));
    let url = node.start().await;
    let ended = home.end(&open_session(&url, &mint(), &[]));
    assert_eq!(ended.error(), ("node_contradicts_itself", 1, Some("--rpc-url")));
    let error = ended.says("message");
    assert!(error.contains("9 decimals") && error.contains("has 6"), "{error}");
    assert!(!home.file("new.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_no_payment_could_use_and_a_dead_verifier_leave_no_file() {
    let home = Home::new();
    let (url, mint) = (with_escrow(&home).await, mint());
    let mut command = open_session(&url, &mint, &[]);
    command[3] = "11";
    let ended = home.end(&command);
    assert_eq!(ended.error(), ("invalid_argument", 2, Some("--max-total")));

    let mut command = open_session(&url, &mint, &[]);
    let verifier = command.iter().position(|argument| *argument == "--verifier").unwrap() + 1;
    command[verifier] = "http://127.0.0.1:1";
    let ended = home.end(&command);
    assert_eq!(ended.error(), ("unreachable", 6, Some("--verifier")));
    assert!(!home.file("new.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_opening_is_not_confirmed_keeps_its_key_and_is_opened_by_the_same_command() {
    let home = Home::new();
    let (url, mint) = (with_escrow(&home).await, mint());
    let error = home.run(&open_session(&url, &mint, &[])).unwrap_err();
    assert!(error.contains("the node is behind") && error.contains("new.json"), "{error}");
    let key = home.json("new.json");

    // Nobody pays with it before it is open, and the same command goes on with the same key.
    let error = home.run(&["purchase", "list", "--session", "new.json"]).unwrap_err();
    assert!(error.contains("same agent session open"), "{error}");
    home.run(&open_session(&url, &mint, &[])).unwrap_err();
    assert_eq!(home.json("new.json")["secretKey"], key["secretKey"]);
    let receiver = Base58([7; 32]).to_string();
    let ended = home.end(&open_session(&url, &mint, &["--receiver", &receiver]));
    assert_eq!(ended.error(), ("session_file_exists", 2, Some("--out")));

    // A session is dumped with its key on disk, and tried without one.
    let dumped = home.run(&open_session(&url, &mint, &["--dump-transaction"])).unwrap();
    assert_eq!(dumped["state"], "to be signed");
    std::fs::remove_file(home.file("new.json")).unwrap();
    home.run(&open_session(&url, &mint, &["--dry-run"])).unwrap();
    assert!(!home.file("new.json").exists());
}

/// A node with the home's session, of which something is held until then.
async fn with_holds(home: &Home, deadlines: &[i64]) -> (String, Address) {
    let mut node = Node::new();
    let escrow = node.escrow(&escrow(home.owner(), 6));
    let key = home.session.session_key.into();
    let stored = Session { open_holds: deadlines.len().try_into().unwrap(), ..session(escrow, key) };
    let address = node.session(&stored);
    for (nonce, deadline) in (1..).zip(deadlines) {
        node.hold(&hold(address, *deadline), nonce);
    }
    (node.start().await, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_sessions_has_limits_what_is_spent_and_left_and_open_holds() {
    let home = Home::new();
    let (url, address) = with_holds(&home, &[NOW + 60, NOW - 60]).await;
    let (mint, program) = (mint(), program());
    let at = ["--rpc-url", &url, "--mint", &mint, "--program", &program];
    let list = home.run(&[&["session", "list"], at.as_slice()].concat()).unwrap();
    let session = &list["sessions"][0];
    assert_eq!(session["session"], address.to_string());
    assert_eq!(
        json!([session["state"], session["spent"], session["left"], session["held"]]),
        json!(["open", "4000000", "6000000", "3000000"])
    );
    assert_eq!(
        session["period"],
        json!({ "maximum": "1000000", "seconds": 3600, "left": "250000", "endsAt": NOW + 3600 })
    );
    let holds = session["holds"].as_array().unwrap();
    assert_eq!(
        (&holds[0]["isReclaimable"], &holds[1]["isReclaimable"], &holds[1]["held"]),
        (&json!(true), &json!(false), &json!("1500000"))
    );
    let one = home.run(&[&["session", "show", "--session", "session.json"], at.as_slice()].concat()).unwrap();
    assert_eq!((&one["session"], &one["receivers"]), (&session["session"], &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_open_holds_says_until_when_they_prevent_its_closing() {
    let home = Home::new();
    let (url, _) = with_holds(&home, &[NOW + 60, NOW - 60]).await;
    let (mint, program) = (mint(), program());
    let at = ["--rpc-url", &url, "--mint", &mint, "--program", &program];
    let ended = home.end(&[&["session", "close", "--session", "session.json"], at.as_slice()].concat());
    assert_eq!(ended.error(), ("session_has_holds", 9, None));
    assert_eq!(
        (&ended.object["error"]["until"], &ended.object["error"]["retry"]),
        (&json!(NOW + 60), &json!(true))
    );
    assert!(
        ended.says("message").contains("1.5 for US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx until 2030-"),
        "{ended:?}"
    );

    // Of all, those that can't be closed yet are named.
    let ended = home.end(&[&["session", "close", "--all"], at.as_slice()].concat());
    assert_eq!((ended.code, &ended.object["state"]), (9, &json!("partly closed")));
    assert_eq!(ended.object["prevented"][0]["until"], NOW + 60);

    // What is past its deadline is reclaimed on the way.
    let (url, _) = with_holds(&home, &[NOW - 60]).await;
    let at = ["--rpc-url", &url, "--mint", &mint, "--program", &program];
    let close = ["session", "close", "--session", "session.json", "--dry-run"];
    let tried = home.run(&[&close, at.as_slice()].concat()).unwrap();
    assert_eq!(tried["action"], "Closing the session");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sessions_none_is_opened_while_one_is_wrong_and_each_keeps_its_key() {
    let home = Home::new();
    let (url, mint, program) = (with_escrow(&home).await, mint(), program());
    std::fs::create_dir(home.file("sessions")).unwrap();
    let at = ["--rpc-url", &url, "--mint", &mint, "--program", &program, "--verifier", &url];
    let open = [&["session", "open-many", "--file", "all.csv", "--out", "sessions"], at.as_slice()].concat();

    home.write("all.csv", "name,max-payment,max-total\na,0.5,1\nb,0.5,0.4\n");
    let ended = home.end(&open);
    assert_eq!(ended.error(), ("invalid_argument", 2, Some("--max-total")));
    assert!(ended.says("message").starts_with("all.csv session 2 (b): "), "{ended:?}");
    assert_eq!(std::fs::read_dir(home.file("sessions")).unwrap().count(), 0);

    let rows: String = (1..=100).map(|number| format!("agent-{number},0.5,1\n")).collect();
    home.write("all.csv", format!("name,max-payment,max-total\n{rows}"));
    let ended = home.end(&open);
    assert_eq!(ended.error(), ("chain_unavailable", 6, Some("--rpc-url")));
    assert!(ended.says("message").contains("0 of 100 sessions are open"), "{ended:?}");
    let key = home.json("sessions/agent-7.json")["secretKey"].clone();
    assert_eq!(std::fs::read_dir(home.file("sessions")).unwrap().count(), 100);
    home.end(&open);
    assert_eq!(home.json("sessions/agent-7.json")["secretKey"], key);
}
