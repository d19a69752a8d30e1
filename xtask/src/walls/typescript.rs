//! Rule: no files of a TypeScript package import each other in a circle, not even for types.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::{graph::Graph, repository::short};

/// A file and its text.
type Source = (PathBuf, String);

/// The relative imports in `text`: after `from`, `import` or `import(`, a string that starts with a dot.
fn imports(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim_start);
    let code = lines.filter(|line| !["//", "*", "/*"].iter().any(|comment| line.starts_with(comment)));
    let found = code.filter_map(|line| {
        let (before, after) = line.split_once("\".")?;
        let before = before.trim_end_matches('(').trim_end();
        let named = before.ends_with("from") || before.ends_with("import");
        let end = after.find('"').filter(|_| named)?;
        Some(&line[line.len() - after.len() - 1..line.len() - after.len() + end])
    });
    found.collect()
}

/// The circles among `sources`, one text each.
fn circles(sources: &[Source]) -> Vec<String> {
    let mut graph = Graph::default();
    for (file, text) in sources {
        let folder = file.parent().expect("a file is in a folder");
        for import in imports(text) {
            let target = plain(&folder.join(import).with_extension("ts"));
            graph.add(&short(file), &short(&target), || format!("{} imports \"{import}\"", short(file)));
        }
    }
    graph.cycles()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// All TypeScript files in `folder`.
fn sources(folder: &Path) -> Vec<Source> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "ts" => vec![(path.clone(), fs::read_to_string(path).unwrap())],
        _ => Vec::new(),
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walls::repository;

    #[test]
    fn no_typescript_files_import_each_other_in_a_circle() {
        for package in fs::read_dir(repository::root().join("packages")).unwrap() {
            let folder = package.unwrap().path().join("src");
            let sources = sources(&folder);
            assert!(!sources.is_empty(), "no TypeScript in {}", folder.display());
            let found = circles(&sources);
            assert!(found.is_empty(), "files that import each other:\n{}", found.join("\n"));
        }
    }

    fn planted(a: &str, b: &str) -> usize {
        let source = |file: &str, text: &str| (Path::new("src").join(file), text.to_owned());
        circles(&[source("a.ts", a), source("deep/b.ts", b)]).len()
    }

    #[test]
    fn a_circle_of_files_is_found() {
        let back = "import {\n  x,\n  y,\n} from \"../a.js\";";
        for there in [
            "import { x } from \"./deep/b.js\";",
            "import type { X } from \"./deep/b.js\";",
            "export * from \"./deep/b.js\";",
            "import \"./deep/b.js\";",
            "const b = await import(\"./deep/b.js\");",
        ] {
            assert_eq!(planted(there, back), 1, "{there}");
        }
    }

    #[test]
    fn other_packages_and_comments_make_no_circle() {
        let back = "import { x } from \"../a.js\";";
        for there in [
            "import { x } from \"b\";",
            "// import { x } from \"./deep/b.js\";",
            "const x = \"./deep/b.js\";",
        ] {
            assert_eq!(planted(there, back), 0, "{there}");
        }
    }
}
