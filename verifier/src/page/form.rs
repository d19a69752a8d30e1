//! Fields that choose which payments a page lists.

use maud::{Markup, html};
use x402_escrow_domain::{books, payment::Outcome};

/// What is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What was typed into the search field.
    pub search: String,
    /// What the payments came to.
    pub outcome: Option<Outcome>,
}

impl Choice {
    /// Whether some payments are left out.
    pub fn narrows(&self) -> bool {
        !self.search.trim().is_empty() || self.outcome.is_some()
    }

    /// What a link adds to its query to choose the same.
    pub fn query(&self) -> String {
        let mut chosen = Vec::new();
        if !self.search.trim().is_empty() {
            chosen.push(("search", self.search.trim()));
        }
        if let Some(outcome) = self.outcome {
            chosen.push(("outcome", outcome.as_str()));
        }
        chosen.into_iter().map(|pair| format!("&{}", books::parameters([pair]))).collect()
    }
}

/// The fields.
pub fn choices(choice: &Choice) -> Markup {
    html! {
        label.wide {
            "Search"
            input name="search" value=(choice.search) autocomplete="off" spellcheck="false"
                placeholder="id, transaction, payer or URL";
        }
        label {
            "Outcome"
            select name="outcome" {
                option value="" selected[choice.outcome.is_none()] { "any" }
                @for outcome in Outcome::ALL {
                    option value=(outcome.as_str()) selected[choice.outcome == Some(outcome)] { (outcome.in_words()) }
                }
            }
        }
    }
}
