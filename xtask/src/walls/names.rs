//! Follows a path to the module that it leads to, through imports and re-exports.

use super::source::{Crate, Module, Segments};

/// Where a path leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// To a module.
    Module(Segments),
    /// To something that a module defines.
    Inside(Segments),
    /// Out of the crate, by this path.
    Outside(Segments),
}

/// More re-exports of re-exports than anybody writes; a name that stands for itself ends here.
const DEEPEST: usize = 16;

impl Crate {
    /// Where `path` leads, written in `from`.
    pub(super) fn resolve(&self, from: &Module, path: &[String]) -> Target {
        self.follow(&from.path, path, 0)
    }

    /// The module that `path`, written in `from`, is in; none if it is outside the crate.
    pub(super) fn module_of(&self, from: &Module, path: &[String]) -> Option<Segments> {
        match self.resolve(from, path) {
            Target::Module(module) | Target::Inside(module) => Some(module),
            Target::Outside(_) => None,
        }
    }

    fn follow(&self, from: &Segments, path: &[String], depth: usize) -> Target {
        let mut at = from.clone();
        let mut rest = path;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            rest = after;
        }
        let is_bare = rest.len() == path.len();
        for (index, name) in rest.iter().enumerate() {
            match self.look_up(&at, name, depth) {
                Some(Target::Module(module)) => at = module,
                Some(Target::Inside(module)) => return Target::Inside(module),
                Some(Target::Outside(way)) => {
                    return Target::Outside([way.as_slice(), &rest[index + 1..]].concat());
                }
                None if is_bare && index == 0 => return Target::Outside(path.to_vec()),
                None => return Target::Inside(at),
            }
        }
        Target::Module(at)
    }

    /// What `name` stands for in the module at `at`.
    fn look_up(&self, at: &Segments, name: &str, depth: usize) -> Option<Target> {
        let module = self.modules.get(at).filter(|_| depth < DEEPEST)?;
        if module.children.contains(name) {
            return Some(Target::Module([at.as_slice(), &[name.to_owned()]].concat()));
        }
        if let Some(path) = module.mentions.imports.get(name) {
            // `use name::more` names a crate.
            let is_crate = path.first().is_some_and(|first| first == name);
            return Some(if is_crate {
                Target::Outside(path.clone())
            } else {
                self.follow(at, path, depth + 1)
            });
        }
        if module.mentions.defined.contains(name) {
            return Some(Target::Inside(at.clone()));
        }
        module.mentions.globs.iter().find_map(|glob| match self.follow(at, glob, depth + 1) {
            Target::Module(opened) if opened != *at => self.look_up(&opened, name, depth + 1),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(files: &[(&str, &str)], from: &str, path: &str) -> Target {
        let source = Crate::planted(files);
        let segments = |path: &str| path.split("::").map(str::to_owned).collect::<Segments>();
        source.resolve(&source.modules[&segments(from)], &segments(path))
    }

    fn inside(module: &str) -> Target {
        Target::Inside(vec![module.to_owned()])
    }

    #[test]
    fn a_path_leads_to_the_module_that_defines_the_name() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", ""), ("b.rs", "pub struct X;")];
        for path in ["crate::b::X", "super::b::X", "super::b::X::new"] {
            assert_eq!(resolve(&files, "a", path), inside("b"), "{path}");
        }
        assert_eq!(resolve(&files, "a", "crate::b"), Target::Module(vec!["b".to_owned()]));
    }

    #[test]
    fn a_path_is_followed_through_imports_and_re_exports() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; pub use b::X as Y; pub use c::*;"),
            ("a.rs", "use crate::b;"),
            ("b.rs", "pub struct X;"),
            ("c.rs", "pub fn f() {}"),
        ];
        assert_eq!(resolve(&files, "a", "b::X"), inside("b"));
        assert_eq!(resolve(&files, "a", "crate::Y"), inside("b"));
        assert_eq!(resolve(&files, "a", "super::f"), inside("c"));
    }

    #[test]
    fn a_path_out_of_the_crate_is_followed_through_imports() {
        let files = [("lib.rs", "mod a;"), ("a.rs", "use std::time; use bytes::bytes;")];
        let outside = |path: &str| Target::Outside(path.split("::").map(str::to_owned).collect());
        assert_eq!(resolve(&files, "a", "time::Instant::now"), outside("std::time::Instant::now"));
        assert_eq!(resolve(&files, "a", "bytes"), outside("bytes::bytes"));
        assert_eq!(resolve(&files, "a", "serde::Serialize"), outside("serde::Serialize"));
    }
}
