//! What an owner signs without a node, and its escrows.

use ed25519_dalek::Signature;
use serde_json::json;
use x402_escrow_agent::SessionFile;
use x402_escrow_interface::message::{Revoke, RevokeScope};
use x402_escrow_wire::text::{Base58, Key};

use crate::{
    home::{Home, mint},
    node::{Node, escrow},
};

#[test]
fn an_owner_signs_a_revocation_without_a_node_and_a_changed_one_is_not_relayed() {
    let home = Home::new();
    let revocation = home.run(&["session", "revoke", "--session", "session.json", "--sign-only"]).unwrap();
    let SessionFile { program, escrow, session_key, incarnation, .. } = home.session.clone();
    let scope = RevokeScope::Session { session_key: session_key.into(), incarnation: incarnation.0 };
    let message = Revoke::new(program.into(), escrow.into(), scope);
    let signature: Base58<64> = serde_json::from_value(revocation["signature"].clone()).unwrap();
    let revoker: Key = serde_json::from_value(revocation["revoker"].clone()).unwrap();
    assert_eq!(revoker.0, home.owner.verifying_key().to_bytes());
    let key = home.owner.verifying_key();
    key.verify_strict(&message.signed_bytes(), &Signature::from_bytes(&signature.0)).unwrap();

    let mut changed = revocation;
    changed["escrow"] = json!(Base58([9; 32]));
    home.write("changed.json", changed.to_string());
    let error = home.run(&["session", "revoke", "--relay", "changed.json"]).unwrap_err();
    assert!(error.contains("its signature is not by"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_sees_its_escrows_and_where_plain_transfers_go() {
    let home = Home::new();
    let mut node = Node::new();
    let (stored, mint) = (escrow(home.owner(), 6), mint());
    let address = node.escrow(&stored);
    node.escrow(&escrow(x402_escrow_interface::Address::new_from_array([4; 32]), 6));
    let url = node.start().await;
    let list = home.run(&["escrow", "list", "--rpc-url", &url, "--program", &program()]).unwrap();
    let escrows = list["escrows"].as_array().unwrap();
    assert_eq!((escrows.len(), &escrows[0]["escrow"]), (1, &json!(address.to_string())));
    assert_eq!((&escrows[0]["free"], &escrows[0]["held"]), (&json!("97000000"), &json!("3000000")));
    let status =
        home.run(&["escrow", "show", "--rpc-url", &url, "--mint", &mint, "--program", &program()]).unwrap();
    assert_eq!(status["vault"], stored.vault.to_string());
}

#[test]
fn the_root_of_a_list_of_receivers_is_that_of_the_chain() {
    let home = Home::new();
    let receivers: Vec<_> = (1..=5).map(|byte| Base58([byte; 32])).collect();
    home.write("list", receivers.iter().map(|receiver: &Key| format!("{receiver}\n")).collect::<String>());
    let printed = home.run(&["session", "receivers", "--receivers", "list"]).unwrap();
    let list = x402_escrow_interface::receivers::ReceiverList::new(
        receivers.iter().map(|&key| key.into()).collect(),
    );
    let root = x402_escrow_wire::text::Hex32(list.unwrap().root());
    assert_eq!((&printed["root"], &printed["receivers"]), (&json!(root), &json!(5)));
}

pub(crate) fn program() -> String {
    x402_escrow_interface::deployment::LOCAL_PROGRAM_ID.to_string()
}
