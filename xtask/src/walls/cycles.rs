//! Rule: no modules import each other in a circle.
//!
//! Each level of a module tree is looked at by itself: sibling modules, each with everything beneath
//! it, must not depend on each other in a circle. A module and its own submodules count as one.

use std::collections::BTreeMap;

use super::{
    graph::Graph,
    source::{Crate, Segments},
};

/// The circles in a crate, one text each.
fn circles(source: &Crate) -> Vec<String> {
    let mut levels: BTreeMap<Segments, Graph> = BTreeMap::new();
    for module in source.modules.values() {
        for path in module.mentions.all() {
            let Some(target) = source.module_of(module, path) else { continue };
            let common = module.path.iter().zip(&target).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.path.get(common), target.get(common)) {
                let level = levels.entry(module.path[..common].to_vec()).or_default();
                level.add(from, to, || format!("{} imports {} ({to})", module.file, path.join("::")));
            }
        }
    }
    let found = levels.iter().flat_map(|(level, graph)| {
        let level = [&["crate".to_owned()], level.as_slice()].concat().join("::");
        graph.cycles().into_iter().map(move |cycle| format!("in {level}, these use each other: {cycle}"))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn no_modules_import_each_other_in_a_circle() {
        let mut found = Vec::new();
        for package in repository::packages() {
            for source in package.crates() {
                let start = &source.modules[&Segments::new()].file;
                found.extend(circles(&source).into_iter().map(|circle| format!("{start}: {circle}")));
            }
        }
        assert!(found.is_empty(), "imports in a circle:\n{}", found.join("\n"));
    }

    fn planted(a: &str, b: &str) -> usize {
        circles(&Crate::planted(&[("lib.rs", "mod a; mod b; pub use b::X;"), ("a.rs", a), ("b.rs", b)])).len()
    }

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        let b = "use crate::a::Y; pub struct X;";
        for a in [
            "use crate::b::X;",
            "use super::b;",
            "use crate::X;",
            "use super::*; fn f(x: X) {}",
            "fn f() { crate::b::f() }",
            "fn f() { assert!(super::b::f()) }",
            "#[serde(with = \"crate::b\")] struct S;",
            "mod inner { use crate::b::X; }",
        ] {
            assert_eq!(planted(a, b), 1, "{a}");
        }
    }

    #[test]
    fn what_only_tests_import_makes_no_circle() {
        let b = "use crate::a::Y; pub struct X;";
        for a in
            ["#[cfg(test)] mod tests { use crate::b::X; }", "#[cfg(test)] use crate::b::X;", "// crate::b::X"]
        {
            assert_eq!(planted(a, b), 0, "{a}");
        }
    }

    #[test]
    fn a_module_and_its_submodules_may_use_each_other() {
        let files =
            [("lib.rs", "mod a;"), ("a.rs", "mod b; use b::X; pub struct Y;"), ("a/b.rs", "use super::Y;")];
        assert!(circles(&Crate::planted(&files)).is_empty());
    }

    #[test]
    fn a_circle_deep_in_the_tree_is_found() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b; mod c;"),
            ("a/b.rs", "use super::c::X;"),
            ("a/c.rs", "use crate::a::b::Y;"),
        ];
        assert_eq!(circles(&Crate::planted(&files)).len(), 1);
    }
}
