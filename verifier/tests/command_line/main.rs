//! The binary's configuration: what it takes, and what it says about what it does not.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod database;
mod program;
mod secrets;
mod setting;
mod values;

use std::process::Command;

use setting::Setting;

#[test]
fn what_has_no_default_is_asked_for() {
    let output = Command::new(env!("CARGO_BIN_EXE_verifier")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("rpc_url (or X402_RPC_URL): is missing"), "{text}");
}

#[test]
fn a_pause_is_kept_in_the_database_until_it_is_ended() {
    let setting = Setting::new();
    let run = |command: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
            .arg(command)
            .env_clear()
            .env("X402_RPC_URL", "http://127.0.0.1:1")
            .env("X402_FEE_PAYER", setting.path("key.json"))
            .env("X402_DATABASE", setting.path("verifier.sqlite"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run("pause").contains("accept nothing new"));
    assert!(run("pause").contains("accept nothing new"), "twice is as good as once");
    assert!(run("resume").contains("accept payments again"));
}

#[test]
fn a_node_that_can_not_be_reached_is_told() {
    let setting = Setting::new();
    let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .env_clear()
        .env("X402_RPC_URL", "http://127.0.0.1:1")
        .env("X402_FEE_PAYER", setting.path("key.json"))
        .env("X402_DATABASE", setting.path("verifier.sqlite"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("getGenesisHash") && text.contains("can't be reached"), "{text}");
}
