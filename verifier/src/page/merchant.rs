//! A merchant's page: its payments, and what they came to.

use maud::{Markup, html};
use x402_escrow_domain::books::{Access, DayTotal, Period, Place, parameters};

use super::{
    View,
    form::{Choice, choices},
    list::{Line, found},
    style::document,
    sums,
    text::utc,
};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct MerchantPage {
    /// Whose payments.
    pub access: Access,
    /// Unix seconds.
    pub now: i64,
    /// Which of them.
    pub choice: Choice,
    /// Those before this one.
    pub before: Option<Place>,
    /// The payments.
    pub lines: Vec<Line>,
    /// Where older ones begin, if there are any.
    pub next: Option<Place>,
    /// What was captured day by day.
    pub days: Vec<DayTotal>,
    /// In which days.
    pub period: Period,
    /// How it is written.
    pub view: View,
}

/// The page.
pub fn merchant(page: &MerchantPage) -> Markup {
    let receiver = page.access.receiver.to_string();
    let body = html! {
        header {
            h1 { "Payments to " span.mono { (receiver) } }
            span.faint { (page.view.network) " · " (utc(page.now)) }
        }
        form action=(page.view.home) method="get" { (choices(&page.choice)) button { "Show" } }
        main {
            (sums::days(&page.days, page.period, &page.view))
            (payments(page))
        }
        footer {
            @if let Some(authorizer) = page.access.authorizer {
                p { "Only payments with the receiver authorizer " span.mono { (authorizer) } "." }
            }
            p { "The client says what a payment is for. This page expires at " (utc(page.access.expires)) "." }
        }
    };
    document(&format!("Payments to {receiver}"), &body)
}

fn payments(page: &MerchantPage) -> Markup {
    let home = &page.view.home;
    let chosen = page.choice.query();
    let export = parameters([("format", "csv"), ("limit", "1000")]);
    let outcome =
        page.choice.outcome.map(|outcome| format!("&outcome={}", outcome.as_str())).unwrap_or_default();
    html! {
        section id="payments" {
            (found(&page.lines, &page.choice, page.before.is_none(), page.next.is_some(), &page.view))
            nav {
                @if page.before.is_some() { a href={ (home) "?" (chosen.trim_start_matches('&')) } { "Newest" } }
                @if let Some(next) = page.next { a href={ (home) "?before=" (next) (chosen) } { "Older" } }
                a href={ (home) "/payments?" (export) (outcome) } { "The newest 1,000 as CSV" }
            }
        }
    }
}
