//! What is checked before anything is sent, and what an owner is told.

use serde_json::json;

use crate::{
    home::{Home, mint},
    node::{MINT, Node, escrow},
};
use x402_escrow_interface::deployment::LOCAL_PROGRAM_ID;

/// The owner's flags for a node.
fn at<'a>(command: &[&'a str], url: &'a str, mint: &'a str) -> Vec<&'a str> {
    [
        command,
        &["--rpc-url", url, "--mint", mint, "--program", "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T"],
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_down_is_named_with_its_flag_and_worth_another_try() {
    let home = Home::new();
    let ended = home.end(&["escrow", "status", "--rpc-url", "http://127.0.0.1:1"]);
    assert_eq!(ended.error(), ("chain_unavailable", 6, Some("--rpc-url")));
    assert_eq!(ended.object["error"]["retry"], true);
    assert_eq!(ended.says("message").matches("http://127.0.0.1:1").count(), 1, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_the_program_is_named_and_nothing_is_asked_further() {
    let home = Home::new();
    // Mainnet, where nobody has deployed it.
    let mut node = Node::new();
    node.genesis_hash = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp111111111111";
    let url = node.start().await;
    let ended = home.end(&["escrow", "status", "--rpc-url", &url]);
    assert_eq!(ended.error(), ("program_missing", 7, Some("--rpc-url")));
    assert!(ended.says("message").contains("on mainnet yet"), "{ended:?}");
    assert!(ended.says("remedy").contains("--program ADDRESS"), "{ended:?}");

    let mut node = Node::new();
    node.remove(&LOCAL_PROGRAM_ID);
    let url = node.start().await;
    let ended = home.end(&at(&["escrow", "open"], &url, &mint()));
    assert_eq!(ended.error(), ("program_missing", 7, Some("--rpc-url")));
    assert!(ended.says("message").contains("no program has the address EscCG"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_that_is_none_and_an_escrow_that_is_not_open_are_told_apart() {
    let home = Home::new();
    let url = Node::new().start().await;
    let ended = home.end(&at(&["escrow", "open"], &url, "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"));
    assert_eq!(ended.error(), ("wrong_mint", 7, Some("--mint")));
    let ended = home.end(&at(&["session", "list"], &url, &mint()));
    assert_eq!(ended.error(), ("escrow_not_found", 7, Some("--mint")));
    assert!(ended.says("remedy").contains("agent escrow open --mint"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_sol_is_said_with_the_rent_and_what_to_send_where() {
    let home = Home::new();
    let mut node = Node::new();
    node.lamports = 5000;
    let url = node.start().await;
    let ended = home.end(&at(&["escrow", "open"], &url, &mint()));
    assert_eq!(ended.error(), ("insufficient_sol", 8, Some("--keypair")));
    // Rent of the escrow and of its vault, and the fee.
    let needed = (296 + 128) * 6960 + (170 + 128) * 6960 + 5000;
    assert_eq!(ended.says("neededLamports"), needed.to_string());
    assert!(ended.says("message").contains("has 0.000005 SOL and needs 0.00503012, of which"), "{ended:?}");
    assert!(ended.says("remedy").contains(&format!("to {}", home.owner())), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_tokens_are_said_in_tokens() {
    let home = Home::new();
    let mut node = Node::new();
    node.escrow(&escrow(home.owner(), 6));
    let url = node.start().await;
    let ended = home.end(&at(&["escrow", "deposit", "1.50"], &url, &mint()));
    assert_eq!(ended.error(), ("insufficient_funds", 8, Some("--amount")));
    assert!(ended.says("message").contains("does not exist, and the deposit is 1.5"), "{ended:?}");
    let ended = home.end(&at(&["escrow", "withdraw", "97.000001"], &url, &mint()));
    assert_eq!(ended.error(), ("insufficient_funds", 8, Some("AMOUNT")));
    assert!(ended.says("message").starts_with("AMOUNT: 97 of 100 are free"), "{ended:?}");
    let ended = home.end(&at(&["escrow", "withdraw", "1,5"], &url, &mint()));
    assert_eq!(ended.error(), ("invalid_argument", 2, Some("AMOUNT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_dumped_unsigned_for_an_owner_that_is_only_an_address() {
    let home = Home::new();
    let url = Node::new().start().await;
    let (owner, mint) = (MINT.to_string(), mint());
    let command = at(&["escrow", "open", "--keypair", &owner], &url, &mint);
    let ended = home.end(&command);
    assert_eq!(ended.error(), ("signer", 1, Some("--keypair")));
    assert!(ended.says("remedy").contains("--dump-transaction"), "{ended:?}");

    let dumped = home.run(&[command, vec!["--dump-transaction"]].concat()).unwrap();
    assert_eq!((&dumped["signers"], &dumped["state"]), (&json!([owner]), &json!("to be signed")));
    assert_eq!(dumped["lastValidBlockHeight"], 100);
    let transaction = base64_bytes(&dumped["transaction"]);
    assert_eq!((transaction[0], &transaction[1..65]), (1, &[0; 64][..]));
    // One signature, and the blockhash that the node gave.
    assert_eq!(transaction[65], 1);
    assert!(transaction.windows(32).any(|window| window == [5; 32]), "{dumped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_costs_and_sends_nothing() {
    let home = Home::new();
    let url = Node::new().start().await;
    let tried = home.run(&at(&["escrow", "open", "--dry-run"], &url, &mint())).unwrap();
    assert_eq!((&tried["state"], &tried["feeLamports"]), (&json!("tried"), &json!("5000")));
    assert_eq!(tried["rentLamports"], ((296 + 128 + 170 + 128) * 6960).to_string());
    // This node takes no transaction.
    let ended = home.end(&at(&["escrow", "open"], &url, &mint()));
    assert_eq!(ended.error(), ("chain_unavailable", 6, Some("--rpc-url")));
}

#[test]
fn arguments_that_are_not_understood_end_with_one_object() {
    let home = Home::new();
    let ended = home.end(&["escrow", "depsit", "1"]);
    assert_eq!((ended.says("code"), ended.code), ("usage", 2));
    assert!(ended.says("message").contains("depsit"), "{ended:?}");
    let ended = home.end(&["fetch", "https://shop.example/ticks", "--count", "3"]);
    assert!(ended.says("message").contains("--stream"), "{ended:?}");
}

fn base64_bytes(text: &serde_json::Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
}
