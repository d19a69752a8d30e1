//! The command line.

use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use x402_escrow_wire::text::Base58;

fn merchant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_merchant"))
        .args(arguments)
        .env_remove("X402_VERIFIER")
        .env_remove("X402_MERCHANT_KEY")
        .output()
        .unwrap()
}

#[test]
fn a_link_opens_the_page_of_the_keys_owner_or_of_whom_it_may_sign_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    let key = SigningKey::from_bytes(&[7; 32]);
    std::fs::write(&file, format!("{:?}", key.to_keypair_bytes())).unwrap();
    let file = file.to_str().unwrap();
    let own = Base58(key.verifying_key().to_bytes());
    let link = |arguments: &[&str]| {
        let output = merchant(&[&["--key", file], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let page = link(&["link"]);
    assert!(page.starts_with(&format!("http://127.0.0.1:4020/merchants/{own}?expires=")), "{page}");
    assert!(page.contains("&signature="), "{page}");
    let receiver = Base58([9; 32]).to_string();
    let page = link(&["--verifier", "https://pay.example", "--receiver", &receiver, "link"]);
    let start = format!("https://pay.example/merchants/{receiver}?authorizer={own}&expires=");
    assert!(page.starts_with(&start), "{page}");
}

#[test]
fn what_the_command_line_can_not_do_it_says() {
    for (arguments, part) in [
        (&["--key", "/nowhere/key.json", "link"][..], "--key /nowhere/key.json"),
        (&["link"], "--key"),
        (&["--key", "key.json", "refund", "x", "5"], "64 hex digits"),
    ] {
        let output = merchant(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(part), "{part:?} is not in {told}");
    }
}
