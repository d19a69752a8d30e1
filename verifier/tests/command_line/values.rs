//! What each key takes, and what is said of what it does not.

use std::{fs, os::unix::fs::PermissionsExt};

use solana_sdk::signer::keypair::Keypair;
use x402_escrow_verifier::config::KEYS;

use crate::setting::Setting;

#[test]
fn the_defaults_are_sound_and_every_key_can_be_set() {
    let setting = Setting::new();
    assert_eq!(setting.check("", &[]).0, 0);
    let (secret, key) = (setting.path("secret"), setting.path("key.json"));
    fs::write(&secret, format!("whsec_{}", "A".repeat(32))).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let old = setting.path("old.json");
    fs::write(&old, format!("{:?}", Keypair::new_from_array([2; 32]).to_bytes().to_vec())).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).unwrap();
    let retiring = format!("[{old:?}]");
    let values = [
        ("listen", "[::1]:0"),
        ("public_hosts", r#"["verifier.example"]"#),
        ("operator_listen", "[::1]:0"),
        ("rpc_url", "http://127.0.0.1:1"),
        ("ws_url", "wss://node.example"),
        ("rpc_timeout_seconds", "5"),
        ("network", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"),
        ("program_id", "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T"),
        ("database", "/var/lib/verifier.sqlite"),
        ("fee_payer", key.to_str().unwrap()),
        ("fee_payers_retiring", retiring.as_str()),
        ("fee_payers_cut_off", r#"["EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T"]"#),
        ("finality", r#"[{ up_to = "5", commitment = "confirmed" }, { commitment = "finalized" }]"#),
        ("finality_on_confirmed_hold", r#"[{ commitment = "reserved" }]"#),
        (
            "finality_on_finalized_hold",
            r#"[{ up_to = "5", commitment = "reserved" }, { commitment = "processed" }]"#,
        ),
        ("minimum_authorize_seconds", "1"),
        ("maximum_authorize_seconds", "60"),
        ("minimum_capture_seconds", "10"),
        ("maximum_capture_seconds", "3600"),
        ("voucher_margin_seconds", "200"),
        (
            "tokens",
            r#"[{ mint = "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T", minimum = "5", symbol = "TEST" }]"#,
        ),
        ("exact_maximum_compute_units", "300000"),
        ("exact_priority_fee_lamports", "10000"),
        ("exact_memo_once", "true"),
        ("settle_timeout_seconds", "20"),
        ("status_poll_milliseconds", "100"),
        ("review_seconds", "10"),
        ("gather_seconds", "1"),
        ("gather_value", "0"),
        ("lookup_tables", "2"),
        ("compute_unit_price_micro_lamports", "0"),
        ("maximum_compute_unit_price_micro_lamports", "400000"),
        ("maximum_body_bytes", "4096"),
        ("minimum_fee_payer_lamports", "1"),
        ("maximum_slot_age_seconds", "10"),
        ("webhook_url", "https://shop.example/news"),
        ("webhook_secret", secret.to_str().unwrap()),
        ("merchant_webhooks", "any"),
        ("minimum_hold_amount", "1000"),
        ("maximum_open_holds_per_escrow", "10"),
        ("deny_list", "https://user:secret@deny.example/list"),
        ("deny_list_timeout_milliseconds", "500"),
        ("deny_list_on_failure", "accept"),
        ("fee_budget_per_payer", "{ hour = 1000000000, day = 2000000000 }"),
        ("fee_budget_per_receiver", "{ hour = 1000000000, day = 2000000000 }"),
        ("fee_budget", "{ hour = 1000000000, day = 2000000000 }"),
        ("rent_budget_per_payer", "{ hour = 1000000000, day = 2000000000 }"),
        ("rent_budget_per_receiver", "{ hour = 1000000000, day = 2000000000 }"),
        ("rent_budget", "{ hour = 1000000000, day = 2000000000 }"),
        ("maximum_concurrent_requests", "64"),
        ("requests_per_minute_per_client", "600"),
        ("health_per_minute_per_client", "60"),
        ("requests_per_minute_per_merchant", "60"),
        ("intents_per_minute_per_session", "60"),
        ("payments_per_minute_per_session", "0"),
        ("payments_per_minute_per_payer", "60"),
        ("payments_per_minute_per_receiver", "60"),
        ("payments_per_minute", "600"),
        ("maximum_operations_per_payment", "10"),
        ("maximum_bodies_per_client", "8"),
        ("maximum_bodies", "64"),
        ("body_timeout_seconds", "5"),
        ("maximum_waiting_per_payment", "2"),
        ("maximum_waiting_per_client", "8"),
        ("maximum_waiting", "64"),
        ("maximum_followers_per_client", "8"),
        ("maximum_followers", "64"),
        ("maximum_resources", "0"),
        ("trusted_proxies", r#"["10.0.0.1", "::1", "192.168.0.0/16"]"#),
        ("cors_allowed_origins", r#"["https://shop.example"]"#),
        ("log_format", "json"),
        ("log", "info,sqlx=warn"),
    ];
    assert_eq!(values.map(|(key, _)| key), *KEYS, "each is tried");
    let line = |(key, value): &(&str, &str)| {
        let bare = format!("{key} = {value}\n");
        if bare.parse::<toml::Table>().is_ok() { bare } else { format!("{key} = '{value}'\n") }
    };
    let (status, from_file) = setting.check(&values.iter().map(line).collect::<String>(), &[]);
    assert_eq!(status, 0, "{from_file}");
    let variables = values.map(|(key, value)| (format!("X402_{}", key.to_uppercase()), value));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let (status, from_environment) = setting.check("", &variables);
    assert_eq!(status, 0, "{from_environment}");
    let shown = |text: &str| text.parse::<toml::Table>().unwrap();
    let (from_file, from_environment) = (shown(&from_file), shown(&from_environment));
    let defaults = shown(&setting.check("", &[]).1);
    assert_eq!(from_file, from_environment);
    for key in KEYS.iter().filter(|key| !["rpc_url", "fee_payer"].contains(key)) {
        assert_ne!(defaults.get(*key), Some(&from_file[*key]), "{key} has an effect");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let setting = Setting::new();
    let (status, text) = setting.check(
        "listen = \"here\"\nreview_second = 1\nrpc_timeout_seconds = 0\nmaximum_body_bytes = \"x\"\n",
        &[("X402_LOG", "verifier=loud"), ("X402_SETTLE_TIMEOUT", "30"), ("X402_REVIEW_SECONDS", "-1")],
    );
    assert_eq!(status, 2);
    // Whether values go together is asked once each can be read.
    for part in [
        "maximum_body_bytes (or X402_MAXIMUM_BODY_BYTES): invalid type",
        "review_second: is no key; did you mean review_seconds?",
        "review_seconds (or X402_REVIEW_SECONDS): invalid value",
        "X402_SETTLE_TIMEOUT: sets no key; did you mean X402_SETTLE_TIMEOUT_SECONDS?",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let (_, text) = setting.check(
        "listen = \"here\"\nrpc_timeout_seconds = 0\nfinality = []\n",
        &[("X402_LOG", "verifier=loud"), ("X402_FEE_PAYER", "/nowhere/key.json")],
    );
    let problems = text.lines().filter(|line| line.starts_with("error in the configuration: "));
    assert_eq!(problems.count(), 5, "{text}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let setting = Setting::new();
    let (status, text) = setting.check("", &[("X402_SESSION", "a"), ("X402_ESCROW_SEED", "b")]);
    assert!(status == 0 && !text.contains("warning"), "{text}");
    // A variable that another names.
    let key = fs::read_to_string(setting.path("key.json")).unwrap();
    let named = [("X402_FEE_PAYER", "env:X402_FEE_PAYER_KEY"), ("X402_FEE_PAYER_KEY", &key)];
    let (status, text) = setting.check("", &named);
    assert_eq!(status, 0, "{text}");
    let (status, text) = setting.check("", &[("X402_SHOP", "a")]);
    assert!(status == 0 && text.contains("warning: X402_SHOP: sets no key"), "{text}");
}

#[test]
fn a_variable_wins_over_the_file() {
    let setting = Setting::new();
    let file = "settle_timeout_seconds = 0\n";
    setting.assert_refused(file, &[], &["settle_timeout_seconds", "X402_SETTLE_TIMEOUT_SECONDS", "1 to 300"]);
    assert_eq!(setting.check(file, &[("X402_SETTLE_TIMEOUT_SECONDS", "30")]).0, 0);
    let finality = r#"[{ up_to = "1", commitment = "processed" }, { commitment = "confirmed" }]"#;
    assert_eq!(setting.check("", &[("X402_FINALITY", finality)]).0, 0);
}

#[test]
fn a_wrong_value_names_its_key() {
    let setting = Setting::new();
    for (file, parts) in [
        ("listen = \"here\"", ["listen", "127.0.0.1:4020"]),
        ("operator_listen = \"4022\"", ["operator_listen", "not none"]),
        ("operator_listen = \"127.0.0.1:4020\"", ["operator_listen", "would be public"]),
        ("finality = []", ["finality", "no `up_to`"]),
        ("finality = [{ commitment = \"soon\" }]", ["finality[0].commitment", "soon"]),
        ("finality = [{ up_to = 5, commitment = \"processed\" }]", ["finality[0].up_to", "string"]),
        (
            "finality = [{ up_to = \"5\", commitment = \"finalized\" }, { commitment = \"processed\" }]",
            ["finality", "weaker"],
        ),
        ("maximum_authorize_seconds = 1", ["maximum_authorize_seconds", "must be 5 to 2592000, is 1"]),
        ("maximum_capture_seconds = 2592001", ["maximum_capture_seconds", "must be 30 to 2592000"]),
        ("program_id = \"Escrow\"", ["program_id", "32 bytes as base58"]),
        (
            "network = \"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1\"",
            ["program_id (or X402_PROGRAM_ID)", "no known address on solana:EtWT"],
        ),
        ("tokens = []", ["tokens (or X402_TOKENS)", "is empty"]),
        ("tokens = [{ mint = \"usdc\", minimum = \"1\" }]", ["tokens[0].mint", "32 bytes as base58"]),
        (
            "tokens = [{ mint = \"EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T\", minimum = \"0\" }]",
            ["tokens (or X402_TOKENS)", "must be at least 1 base unit"],
        ),
        (
            "network = \"solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z\"",
            ["tokens (or X402_TOKENS)", "no USDC is known on solana:4uhc"],
        ),
        ("deny_list = \"/nowhere/list\"", ["deny_list (or X402_DENY_LIST)", "/nowhere/list: No such file"]),
        ("deny_list = \"/dev/zero\"", ["deny_list (or X402_DENY_LIST)", "is no regular file"]),
        ("deny_list = \"ftp://a.example\"", ["deny_list", "http:// or https://"]),
        ("deny_list_on_failure = \"ignore\"", ["deny_list_on_failure", "refuse"]),
        ("fee_budget = { hour = 1, day = 0 }", ["fee_budget (or X402_FEE_BUDGET)", "must be 52500 to"]),
        ("rent_budget = { hour = 1 }", ["rent_budget", "day"]),
        ("rpc_timeout_seconds = \"x\"", ["rpc_timeout_seconds", "string"]),
        ("trusted_proxies = [\"proxy\"]", ["trusted_proxies", "is no address and no range of addresses"]),
        ("maximum_concurrent_requests = 0", ["maximum_concurrent_requests", "must be 1 to"]),
        ("log_format = \"xml\"", ["log_format", "xml"]),
        ("log = \"verifier=loud\"", ["log", "X402_LOG"]),
        ("unknown = 1", ["unknown", "is no key; the keys are listen, public_hosts"]),
        ("listen = ", ["verifier.toml", "TOML"]),
    ] {
        setting.assert_refused(file, &[], &parts);
    }
    for (urls, message) in
        [("http://node.example", "ws://"), ("", "ws://"), ("ws://a.example,b.example", "ws://")]
    {
        setting.assert_refused("", &[("X402_WS_URL", urls)], &["ws_url", message]);
    }
    for (variables, message) in [
        (vec![("X402_WEBHOOK_URL", "https://a.example")], ["webhook_secret", "is missing"]),
        (vec![("X402_WEBHOOK_SECRET", "secret")], ["webhook_url", "is missing"]),
        (vec![("X402_WEBHOOK_URL", "a.example"), ("X402_WEBHOOK_SECRET", "x")], ["webhook_url", "http://"]),
        (
            vec![("X402_WEBHOOK_URL", "https://a.example"), ("X402_WEBHOOK_SECRET", "/nonexistent")],
            ["webhook_secret", "openssl rand"],
        ),
    ] {
        setting.assert_refused("", &variables, &message);
    }
    for (urls, message) in [
        ("node.example", "http://"),
        ("https://a.example,b.example,https://c.example", "http://"),
        ("https://a.example,https://b.example", "give one, or three or more"),
        ("https://a.example, https://b.example, https://a.example", "names a node twice"),
    ] {
        setting.assert_refused("", &[("X402_RPC_URL", urls)], &["rpc_url", message]);
    }
    setting.assert_refused("", &[("X402_RPC_TIMEOUT_SECONDS", "soon")], &["rpc_timeout_seconds"]);
}
