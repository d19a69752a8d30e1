//! What an agent has of its session file.

use serde_json::json;

use crate::{home::Home, node::Node};

#[test]
fn the_next_nonce_of_a_session_file_can_be_seen_and_set() {
    let home = Home::new();
    let highest = |arguments: &[&str]| {
        let printed = home.run(&[&["session", "nonces"], arguments].concat()).unwrap();
        (printed["highestUsed"].clone(), printed["highestTaken"].clone())
    };
    assert_eq!(highest(&[]), (json!("0"), json!("0")));
    assert_eq!(highest(&["--next", "42"]), (json!("41"), json!("41")));
    assert_eq!(highest(&[]), (json!("41"), json!("41")));
    for bad in [&["--next", "0"] as &[&str], &["--next", "1", "--from-chain"]] {
        let ended = home.end(&[&["session", "nonces"], bad].concat());
        assert_eq!((ended.says("code"), ended.code), ("usage", 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_are_not_read_off_another_cluster() {
    let home = Home::new();
    let url = Node::new().start().await;
    let ended = home.end(&["session", "nonces", "--from-chain", "--rpc-url", &url]);
    assert_eq!(ended.error(), ("wrong_cluster", 7, Some("--rpc-url")));
    assert!(ended.says("message").contains("the session is on solana:test"), "{ended:?}");
}
