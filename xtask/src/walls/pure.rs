//! Rule: `domain` decides, and does nothing else: no I/O, no waiting, no clock, no chance.

use super::{
    names::Target,
    source::{Crate, Module, Segments},
};

/// What reaches the world outside of a function's arguments.
const OUTSIDE: [&str; 13] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "rand",
    "solana_rpc_client",
    "tokio",
    "x402_escrow_wire::clock",
    "x402_escrow_wire::durable",
];

/// What the modules of a crate mention and must not.
fn broken(source: &Crate) -> Vec<String> {
    source.modules.values().flat_map(|module| mentioned(source, module)).collect()
}

fn mentioned(source: &Crate, module: &Module) -> Vec<String> {
    let paths = module.mentions.paths.iter().filter_map(|path| match source.resolve(module, path) {
        Target::Outside(way) => OUTSIDE.iter().find(|outside| leads_to(&way, outside)),
        Target::Module(_) | Target::Inside(_) => None,
    });
    let mut found: Vec<_> =
        paths.map(|outside| format!("{} uses {outside}: domain only decides", module.file)).collect();
    found.dedup();
    if module.mentions.waits {
        found.push(format!("{} has `async` or `.await`: domain only decides", module.file));
    }
    found
}

fn leads_to(path: &Segments, outside: &str) -> bool {
    let mut path = path.iter();
    outside.split("::").all(|wanted| path.next().is_some_and(|segment| segment == wanted || segment == "*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn domain_uses_no_clock_no_files_no_network_and_no_chance() {
        let package = repository::package("domain");
        let found: Vec<_> = package.crates().flat_map(|source| broken(&source)).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn whatever_reaches_outside_is_found() {
        for text in [
            "use std::time::{Duration, SystemTime};",
            "use std::time; fn f() { time::Instant::now(); }",
            "use std::time::*;",
            "fn f() { std::fs::read(\"x\").unwrap(); }",
            "fn f() { assert!(std::env::var(\"X\").is_ok()) }",
            "use tokio::sync::watch;",
            "fn f() -> u8 { rand::random() }",
            "pub async fn f() {}",
            "fn f() { let _ = async { 1 }; }",
            "mod a { use std::net::IpAddr; }",
        ] {
            assert_eq!(broken(&Crate::planted(&[("lib.rs", text)])).len(), 1, "{text}");
        }
    }

    #[test]
    fn durations_and_what_only_tests_use_are_no_finding() {
        for text in [
            "use std::time::Duration;",
            "use std::collections::BTreeMap;",
            "#[cfg(test)] mod tests { use std::fs; #[test] fn f() { rand::random() } }",
            "mod rand { pub fn random() {} } fn f() { rand::random() }",
        ] {
            assert_eq!(broken(&Crate::planted(&[("lib.rs", text)])), Vec::<String>::new(), "{text}");
        }
    }
}
