//! The store's place: how it is named, and that its password is never shown.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::setting::Setting;

/// In every text below as a password.
const PASSWORD: &str = "hush";

#[test]
fn a_database_is_shown_without_its_password() {
    let setting = Setting::new();
    for database in [
        "postgres://x402:hush@db.example:5433/store?sslmode=require",
        "postgresql://x402:hush@db.example:5433/store",
        "postgres://x402:not@hush@db.example:5433/store",
        "postgres://x402@db.example:5433/store?password=hush",
        "postgres://x402:%2Fhush%40@db.example:5433/store#hush",
    ] {
        let file = format!("database = '{database}'");
        for (status, text) in [setting.check(&file, &[]), setting.check("", &[("X402_DATABASE", database)])] {
            assert_eq!(status, 0, "{database}: {text}");
            let shown: toml::Table = text.parse().unwrap();
            assert_eq!(shown["database"].as_str(), Some("postgres://db.example:5433/store"), "{database}");
            assert!(!text.contains(PASSWORD), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_database_is_told_without_its_password() {
    let setting = Setting::new();
    let at_sign = "has an @ behind the server's name: in a user's name, a password or a parameter, write / ? # @ as %2F \
                   %3F %23 %40";
    let scheme = "must be a file's path or start with postgres://";
    let like = "is like a PostgreSQL URL, which must start with postgres://";
    let parameters = "application_name, dbname, host, hostaddr, options, password, port, sslcert, sslkey, sslmode, \
                      sslrootcert, user";
    let unknown = format!("has the parameter \"sslmod\", which is none of {parameters}");
    for (database, wrong) in [
        ("postgres://x402:hush@db.example:port/store", "is no URL: invalid port number"),
        ("postgres://x402:hush@[::1/store", "is no URL: invalid IPv6 address"),
        ("postgres://x402:1/hush@db.example/store", at_sign),
        ("postgres://x402:1?hush@db.example/store", at_sign),
        ("postgres://x402:1#hush@db.example/store", at_sign),
        ("mysql://x402:hush@db.example/store", scheme),
        ("x402:hush@db.example/store", like),
        ("postgres:x402:hush@db.example/store", like),
        ("host=db.example user=x402 password=hush", like),
        ("postgres://x402:hush@db.example/store?sslmod=require", unknown.as_str()),
    ] {
        let (status, text) = setting.check("", &[("X402_DATABASE", database)]);
        let told = format!(
            "error in the configuration: database (or X402_DATABASE): {wrong}\nSee `verifier --help`.\n"
        );
        assert_eq!((status, text.as_str()), (2, told.as_str()), "{database}");
    }
}

#[test]
fn a_file_that_can_not_be_read_is_not_quoted() {
    let setting = Setting::new();
    let file = "listen = '127.0.0.1:4020'\ndatabase = 'postgres://x402:hush@db.example/store\n";
    let (status, text) = setting.check(file, &[]);
    let path = setting.path("verifier.toml");
    let told = format!(
        "error in the configuration: {}: line 2 is no TOML: invalid literal string, expected `'`\nSee `verifier --help`.\n",
        path.display()
    );
    assert_eq!((status, text), (2, told));
}

#[test]
fn a_server_that_can_not_be_reached_is_told_without_its_password() {
    let setting = Setting::new();
    // What sqlx can't read of it, it logs.
    let passwords = setting.path("passwords");
    fs::write(&passwords, "hush, a line without colons\n").unwrap();
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    let run = |database: &str, format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
            .env_clear()
            .env("X402_RPC_URL", "http://127.0.0.1:1")
            .env("X402_FEE_PAYER", setting.path("key.json"))
            .env("X402_DATABASE", database)
            .env("X402_LOG", "trace")
            .env("X402_LOG_FORMAT", format)
            .env("PGPASSFILE", &passwords)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains(PASSWORD), "{text}");
        text
    };
    let refused = "can't be opened: error communicating with database: Connection refused (os error 111)\n";
    for (database, format) in [
        ("postgres://x402:hush@127.0.0.1:1/store", "text"),
        ("postgres://x402@127.0.0.1:1/store?password=hush", "text"),
        ("postgres://x402@127.0.0.1:1/store", "text"),
        ("postgres://x402@127.0.0.1:1/store", "json"),
    ] {
        let text = run(database, format);
        assert!(
            text.ends_with(&format!("error: the database postgres://127.0.0.1:1/store {refused}")),
            "{text}"
        );
    }
    let text = run("postgres://x402:hush@nowhere.invalid/store", "text");
    let told = "error: the database postgres://nowhere.invalid/store can't be opened: error communicating with database: \
                failed to lookup address information";
    assert!(text.contains(told), "{text}");
}
