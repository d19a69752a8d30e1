//! How a page writes amounts, tokens and links.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{
    explorer,
    text::{short, whole_units},
};

/// What a page needs to know to write them.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The path of the list of payments.
    pub home: String,
    /// The cluster, as a CAIP-2 id.
    pub network: String,
    /// Decimals of tokens, by their mints. One that is absent could not be read.
    pub decimals: BTreeMap<String, u8>,
    /// What people call tokens, by their mints.
    pub symbols: BTreeMap<String, String>,
}

impl View {
    /// A token's name, or else the ends of its mint.
    pub fn token(&self, mint: &str) -> Markup {
        html! {
            @if let Some(symbol) = self.symbols.get(mint) { abbr title=(mint) { (symbol) } } @else { (short(mint)) }
        }
    }

    /// An amount in whole tokens and in base units; only in these where the token's decimals are not known.
    pub fn amount(&self, base_units: impl Into<u128>, mint: &str) -> Markup {
        let base_units = base_units.into();
        let symbol = self.symbols.get(mint);
        html! {
            @if let Some(decimals) = self.decimals.get(mint) {
                span.whole { (whole_units(base_units, *decimals)) }
                @if let Some(symbol) = symbol { " " (symbol) }
                " "
                span.base { (base_units) " base units" }
            } @else {
                span.whole { (base_units) } " " span.base { "base units" }
            }
        }
    }

    /// An amount as text, for a chart.
    pub(super) fn amount_in_words(&self, base_units: u128, mint: &str) -> String {
        match (self.decimals.get(mint), self.symbols.get(mint)) {
            (Some(decimals), Some(symbol)) => format!("{} {symbol}", whole_units(base_units, *decimals)),
            (Some(decimals), None) => whole_units(base_units, *decimals),
            (None, _) => format!("{base_units} base units"),
        }
    }

    /// A payment's page.
    pub fn payment(&self, id: &str) -> Markup {
        html! { a href=(self.payment_path(id)) { (short(id)) } }
    }

    /// The path of a payment's page.
    pub fn payment_path(&self, id: &str) -> String {
        format!("{}/payments/{id}", self.home)
    }

    /// A transaction, with its page in an explorer where there is one.
    pub fn transaction(&self, signature: &str, text: &Markup) -> Markup {
        self.explored("tx", signature, text)
    }

    /// An address, in the same way.
    pub fn address(&self, address: &str, text: &Markup) -> Markup {
        self.explored("address", address, text)
    }

    fn explored(&self, kind: &str, name: &str, text: &Markup) -> Markup {
        html! {
            @if let Some(link) = explorer::link(&self.network, kind, name) {
                a href=(link) rel="noreferrer" { (text) }
            } @else { (text) }
        }
    }
}
