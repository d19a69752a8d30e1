//! Collects what a module mentions outside of tests: imports, paths in code, and whether it waits.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ExprAsync, ExprAwait, ExprClosure, ImplItemFn, Item, ItemUse, Macro, Meta, Signature, UseTree,
    Visibility,
    visit::{self, Visit},
};

use super::source::Segments;

/// What one module mentions.
#[derive(Default)]
pub(super) struct Mentions {
    /// What each imported name stands for.
    pub(super) imports: BTreeMap<String, Segments>,
    /// Imports of everything in a module, without the `*`.
    pub(super) globs: Vec<Segments>,
    /// Names that the module defines.
    pub(super) defined: BTreeSet<String>,
    /// Every path, those of imports too.
    pub(super) paths: BTreeSet<Segments>,
    /// Whether there is `async` or `.await`.
    pub(super) waits: bool,
}

impl Mentions {
    /// Every path, those of imports first: a finding then names the line that a reader looks for.
    pub(super) fn all(&self) -> impl Iterator<Item = &Segments> {
        self.imports.values().chain(&self.paths)
    }

    fn flatten(&mut self, before: &Segments, tree: &UseTree) {
        let with = |name: String| [before.as_slice(), &[name]].concat();
        match tree {
            UseTree::Path(path) => self.flatten(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                self.import(before.last().cloned().unwrap_or_default(), before.clone());
            }
            UseTree::Name(name) => self.import(name.ident.to_string(), with(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.import(rename.rename.to_string(), before.clone());
            }
            UseTree::Rename(rename) => self.import(rename.rename.to_string(), with(rename.ident.to_string())),
            UseTree::Glob(_) => {
                self.paths.insert(with("*".to_owned()));
                self.globs.push(before.clone());
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.flatten(before, item)),
        }
    }

    fn import(&mut self, name: String, path: Segments) {
        self.paths.insert(path.clone());
        self.imports.insert(name, path);
    }

    /// Takes every path in what a macro or an attribute is given, in strings too (`with = "module"`).
    fn scan(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    self.waits |= word == "async" || word == "await";
                    if colons != 2 {
                        self.add(&mut path);
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.add(&mut path);
                    self.scan(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.add(&mut path);
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                        && let Ok(written) = text.parse::<syn::Path>()
                    {
                        self.visit_path(&written);
                    }
                }
                TokenTree::Punct(_) => self.add(&mut path),
            }
        }
        self.add(&mut path);
    }

    fn add(&mut self, path: &mut Segments) {
        if !path.is_empty() {
            self.paths.insert(std::mem::take(path));
        }
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = head(item);
        if is_test(attributes) {
            return;
        }
        self.defined.extend(name);
        // A submodule mentions for itself.
        if !matches!(item, Item::Mod(_)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.flatten(&Segments::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// `pub(crate)` is no import.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone());
        }
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        self.waits |= signature.asyncness.is_some();
        visit::visit_signature(self, signature);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.waits |= closure.asyncness.is_some();
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.waits = true;
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, wait: &'ast ExprAwait) {
        self.waits = true;
        visit::visit_expr_await(self, wait);
    }
}

/// Whether something is compiled for tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words: BTreeSet<_> = list.tokens.to_string().split_whitespace().map(str::to_owned).collect();
            words.contains("test") && !words.contains("not")
        }
        _ => false,
    })
}

/// The attributes of an item, and the name that it defines.
fn head(item: &Item) -> (&[Attribute], Option<String>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Enum(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Fn(item) => (&item.attrs, Some(item.sig.ident.to_string())),
        Item::Impl(item) => (&item.attrs, None),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref().map(ToString::to_string)),
        Item::Mod(item) => (&item.attrs, None),
        Item::Static(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Struct(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Trait(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Type(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Union(item) => (&item.attrs, Some(item.ident.to_string())),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}
