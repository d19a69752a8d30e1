//! Keys and secrets: where they come from, and that none is shown.

use std::fs;

use crate::setting::Setting;

#[test]
fn what_holds_is_shown_without_secrets() {
    let setting = Setting::new();
    let file = "review_seconds = 7\nlisten = \"[::1]:1\"";
    let (status, text) = setting.check(
        file,
        &[
            (
                "X402_RPC_URL",
                "https://user:hush@a.example/v2/hush,https://b.example/?key=hush,https://c.example",
            ),
            ("X402_LISTEN", "127.0.0.1:2"),
        ],
    );
    assert_eq!(status, 0, "{text}");
    let shown: toml::Table = text.parse().unwrap();
    assert_eq!(shown["review_seconds"].as_integer(), Some(7));
    assert_eq!(shown["listen"].as_str(), Some("127.0.0.1:2"), "the variable's");
    assert_eq!(shown["maximum_body_bytes"].as_integer(), Some(65536), "the default");
    assert_eq!(
        shown["rpc_url"].as_str(),
        Some("https://***@a.example/***,https://b.example/***,https://c.example")
    );
    assert!(!shown.contains_key("finality"), "what it is depends on the cluster's consensus");
    assert!(text.ends_with("# The configuration is sound.\n"), "{text}");
    let key = solana_sdk::signer::keypair::Keypair::new_from_array([1; 32]);
    assert!(!text.contains("hush") && !text.contains(&key.to_base58_string()), "{text}");
    // It is a configuration itself.
    assert_eq!(setting.check(&text.replace("***@", "").replace("/***", ""), &[]).0, 0);
}

#[test]
fn the_fee_payers_key_must_be_there_and_secret() {
    let setting = Setting::new();
    setting.assert_refused(
        "",
        &[("X402_FEE_PAYER", "/nowhere/key.json")],
        &["fee_payer", "solana-keygen new"],
    );
    setting.write_key(0o644);
    setting.assert_refused("", &[], &["fee_payer", "mode 644", "chmod 600"]);
    setting.write_key(0o600);
    fs::write(setting.path("key.json"), "[1, 2, 3, 77]").unwrap();
    let (status, text) = setting.check("", &[]);
    assert!(status == 2 && text.contains("no keypair"), "{text}");
    assert!(!text.contains("77"), "the file's content is not shown: {text}");
}

#[test]
fn secrets_can_come_in_the_environment() {
    let setting = Setting::new();
    let key = fs::read_to_string(setting.path("key.json")).unwrap();
    fs::remove_file(setting.path("key.json")).unwrap();
    let webhook = format!("whsec_{}", "A".repeat(32));
    let sources = [
        ("X402_FEE_PAYER", "env:THE_KEY"),
        ("X402_WEBHOOK_URL", "https://a.example"),
        ("X402_WEBHOOK_SECRET", "env:THE_SECRET"),
    ];
    let with = |key, secret| [&sources[..], &[("THE_KEY", key), ("THE_SECRET", secret)]].concat();
    let (status, text) = setting.check("", &with(&key, &webhook));
    assert_eq!(status, 0, "{text}");
    assert!(!text.contains(&webhook) && !text.contains(key.trim_matches(['[', ']'])), "{text}");
    setting.assert_refused("", &sources[..1], &["fee_payer", "\"THE_KEY\" is not set"]);
    setting.assert_refused("", &with("[1, 2]", &webhook), &["fee_payer", "env:THE_KEY is no keypair"]);
    setting.assert_refused(
        "",
        &with(&key, "whsec_A"),
        &["webhook_secret", "env:THE_SECRET must hold whsec_"],
    );
}
