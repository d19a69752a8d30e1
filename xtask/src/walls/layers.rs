//! Rule: the verifier's folders use only those that are lower.

use std::collections::BTreeMap;

use super::{
    names::Target,
    source::{Crate, Module, Segments},
};

/// The verifier's layers, highest first. A module may use every line below its own, and nothing else: those in
/// one line know nothing of each other. `main` uses the crate from outside; beneath all is the crate `domain`.
const VERIFIER: [&[&str]; 8] = [
    &["lib"],
    &["config", "router"],
    &["operator"],
    &["http"],
    &["page"],
    &["engine"],
    &["chain", "store"],
    &["telemetry"],
];

/// Crates that only one part of the verifier knows.
const ONLY: [(&str, &[&str]); 7] = [
    ("sqlx", &["store"]),
    ("solana_pubsub_client", &["chain"]),
    ("solana_rpc_client", &["chain"]),
    ("solana_rpc_client_api", &["chain"]),
    ("maud", &["operator", "page"]),
    ("toml", &["config"]),
    ("prometheus_client", &["engine", "operator"]),
];

/// What breaks a rule, once for each file and rule.
fn broken(source: &Crate) -> Vec<String> {
    source.modules.values().flat_map(|module| broken_by(source, module)).collect()
}

fn broken_by(source: &Crate, module: &Module) -> Vec<String> {
    let own = part(&module.path);
    if line(own).is_none() {
        return vec![format!("{}: say in VERIFIER which layer this module is in", module.file)];
    }
    let mut found = BTreeMap::new();
    for path in module.mentions.all() {
        if let Some(rule) = rule_against(own, &source.resolve(module, path)) {
            found.entry(rule).or_insert_with(|| path.join("::"));
        }
    }
    found.into_iter().map(|(rule, import)| format!("{} imports {import}: {rule}", module.file)).collect()
}

/// The rule that keeps the part `own` from using `target`.
fn rule_against(own: &str, target: &Target) -> Option<String> {
    match target {
        Target::Outside(way) => {
            let (name, parts) =
                ONLY.iter().find(|(name, _)| way.first().is_some_and(|first| first == name))?;
            (!parts.contains(&own)).then(|| format!("only {} may use {name}", parts.join(" and ")))
        }
        Target::Module(target) | Target::Inside(target) => {
            let used = part(target);
            let is_lower = line(used).is_none_or(|line| Some(line) > self::line(own));
            (used != own && !is_lower).then(|| format!("{own} may not use {used}"))
        }
    }
}

/// The module at the top that a module belongs to.
fn part(path: &Segments) -> &str {
    path.first().map_or("lib", String::as_str)
}

/// How far down a part is.
fn line(part: &str) -> Option<usize> {
    VERIFIER.iter().position(|line| line.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn the_verifiers_folders_use_only_lower_ones() {
        let start = repository::root().join("verifier/src/lib.rs");
        let found = broken(&Crate::read(&start, &repository::read));
        assert!(found.is_empty(), "imports that point upwards or sideways:\n{}", found.join("\n"));
    }

    fn planted(file: &str, text: &str) -> usize {
        let lib =
            "mod operator; mod http; mod engine; mod store; mod chain; mod telemetry; pub fn serve() {}";
        let mut files = vec![("lib.rs", lib)];
        for name in ["operator.rs", "http.rs", "engine.rs", "store.rs", "chain.rs", "telemetry.rs"] {
            files.push((name, if name == file { text } else { "pub struct X;" }));
        }
        broken(&Crate::planted(&files)).len()
    }

    #[test]
    fn an_import_that_points_upwards_or_sideways_is_found() {
        for (file, text) in [
            ("engine.rs", "use crate::http::X;"),
            ("http.rs", "use crate::operator::X;"),
            ("store.rs", "use crate::chain::X;"),
            ("chain.rs", "fn f() { crate::store::f() }"),
            ("telemetry.rs", "use super::engine;"),
            ("engine.rs", "use crate::serve;"),
            ("engine.rs", "use sqlx::Pool;"),
            ("store.rs", "mod deep { use solana_rpc_client::rpc; }"),
        ] {
            assert_eq!(planted(file, text), 1, "{file}: {text}");
        }
    }

    #[test]
    fn imports_that_point_downwards_are_no_finding() {
        for (file, text) in [
            ("operator.rs", "use crate::{http::X, engine, store, telemetry};"),
            ("engine.rs", "use crate::{store::X, chain};"),
            ("store.rs", "use sqlx::Pool; mod deep { use super::Pool; }"),
            ("store.rs", "#[cfg(test)] mod tests { use crate::http::X; }"),
        ] {
            assert_eq!(planted(file, text), 0, "{file}: {text}");
        }
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_eq!(broken(&Crate::planted(&[("lib.rs", "mod helpers;"), ("helpers.rs", "")])).len(), 1);
    }
}
