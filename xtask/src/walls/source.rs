//! Reads a crate: its modules, and what each of them imports and mentions outside of tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, visit::Visit};

use super::{
    mentions::{Mentions, is_test},
    repository::short,
};

/// The segments of a path, as `["crate", "store", "Row"]`; a glob's last one is `*`.
pub(super) type Segments = Vec<String>;

/// One module, without what is in its submodules.
#[derive(Default)]
pub(super) struct Module {
    /// Where it is in the crate; empty for the crate itself.
    pub(super) path: Segments,
    /// The file that has it, from the root.
    pub(super) file: String,
    /// Its `//!` lines.
    pub(super) doc: String,
    pub(super) children: BTreeSet<String>,
    pub(super) mentions: Mentions,
}

/// The modules of one library, program or test, by where they are.
#[derive(Default)]
pub(super) struct Crate {
    pub(super) modules: BTreeMap<Segments, Module>,
}

impl Crate {
    /// Reads the crate that starts with the file `start`.
    pub(super) fn read(start: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut reader = Reader { read, found: Self::default() };
        reader.file(Vec::new(), start, start.parent().expect("a file is in a folder"));
        reader.found
    }

    /// A crate that exists only in a test, by file names beside `lib.rs`.
    pub(super) fn planted(files: &[(&str, &str)]) -> Self {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new("src").join(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        Self::read(Path::new("src/lib.rs"), &read)
    }

    /// The names of the modules under the crate itself.
    pub(super) fn top(&self) -> impl Iterator<Item = (&str, &Module)> {
        let top = self.modules.values().filter(|module| module.path.len() == 1);
        top.map(|module| (module.path[0].as_str(), module))
    }
}

struct Reader<'a> {
    read: &'a dyn Fn(&Path) -> Option<String>,
    found: Crate,
}

impl Reader<'_> {
    /// Reads the module in `file`, whose submodules have their files in `folder`.
    fn file(&mut self, path: Segments, file: &Path, folder: &Path) {
        let text = (self.read)(file).unwrap_or_else(|| panic!("no file {}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.module(path, file, folder, &parsed.attrs, &parsed.items);
    }

    fn module(
        &mut self,
        path: Segments,
        file: &Path,
        folder: &Path,
        attributes: &[Attribute],
        items: &[Item],
    ) {
        let mut module =
            Module { path, file: short(file), doc: documentation(attributes), ..Module::default() };
        for item in items {
            module.mentions.visit_item(item);
            if let Item::Mod(child) = item
                && !is_test(&child.attrs)
            {
                module.children.insert(child.ident.to_string());
                self.child(&module.path, file, folder, child);
            }
        }
        self.found.modules.insert(module.path.clone(), module);
    }

    fn child(&mut self, parent: &Segments, file: &Path, folder: &Path, child: &ItemMod) {
        let name = child.ident.to_string();
        let path = [parent.as_slice(), std::slice::from_ref(&name)].concat();
        let elsewhere = placed(&child.attrs).map(|place| file.parent().unwrap_or(folder).join(place));
        if let Some((_, items)) = &child.content {
            let folder = elsewhere.unwrap_or_else(|| folder.join(&name));
            self.module(path, file, &folder, &child.attrs, items);
        } else if let Some(file) = elsewhere {
            self.file(path, &file, file.parent().unwrap_or(folder));
        } else {
            self.file(path, &folder.join(format!("{name}.rs")), &folder.join(&name));
        }
    }
}

/// The value of `#[path = "…"]`.
fn placed(attributes: &[Attribute]) -> Option<PathBuf> {
    attributes.iter().find_map(|attribute| Some(PathBuf::from(stated(attribute, "path")?)))
}

fn documentation(attributes: &[Attribute]) -> String {
    let inner = attributes.iter().filter(|attribute| matches!(attribute.style, syn::AttrStyle::Inner(_)));
    inner.filter_map(|attribute| stated(attribute, "doc")).collect::<Vec<_>>().join("\n")
}

/// The text of `#[name = "text"]`.
fn stated(attribute: &Attribute, name: &str) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident(name) => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}
