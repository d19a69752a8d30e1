//! A list of payments, one in a row.

use maud::{Markup, html};
use x402_escrow_domain::{
    books::{Booked, Entry},
    payment::{History, Tracked},
};
use x402_escrow_wire::text::{Base58, Hex32};

use super::{
    View,
    form::Choice,
    state::{in_words, pill},
    text::{kind, short, utc},
};

/// A payment in one row.
#[derive(Clone, Debug)]
pub struct Line {
    entry: Entry,
    /// Of what is newest about it, in words.
    finality: String,
    slot: Option<u64>,
}

impl Line {
    /// Makes a row of an entry and what is known of its payment: the books may lag behind that.
    pub fn of(entry: Entry, history: &History) -> Self {
        let did_not_fail = |tracked: &&Tracked| !tracked.operation.state.is_negative();
        let newest = history.operations.iter().rfind(did_not_fail).or_else(|| history.operations.last());
        let attempt = newest.and_then(Tracked::decisive_attempt);
        Self {
            finality: newest.map_or_else(String::new, |tracked| {
                format!("{} {}", kind(tracked.operation.action.kind()), in_words(tracked.operation.state))
            }),
            slot: attempt.and_then(|attempt| Some(attempt.state.landing()?.slot)),
            entry: Entry { booked: Booked::of(history), ..entry },
        }
    }

    /// The token's mint.
    pub fn mint(&self) -> String {
        self.entry.mint.to_string()
    }
}

/// A heading and the payments, or why there are none. `is_first` says that none newer are left out.
pub fn found(lines: &[Line], choice: &Choice, is_first: bool, has_older: bool, view: &View) -> Markup {
    html! {
        h2 {
            @if choice.narrows() { "Payments found" }
            @else if is_first { "Newest payments" }
            @else { "Older payments" }
        }
        @if lines.is_empty() {
            div.box {
                p {
                    @if has_older { "None among the newest; try older ones." }
                    @else if choice.narrows() { "No payment matches." }
                    @else if is_first { "No payments yet." }
                    @else { "No older payments." }
                }
            }
        } @else { (list(lines, view)) }
    }
}

fn list(lines: &[Line], view: &View) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Payment" }
                    th scope="col" { "When" }
                    th scope="col" { "For" }
                    th scope="col" { "Payer" }
                    th.number scope="col" { "Amount" }
                    th.number scope="col" { "Captured" }
                    th scope="col" { "Outcome" }
                    th scope="col" { "How final" }
                    th scope="col" { "Transaction" }
                }
            }
            tbody { @for line in lines { (row(line, view)) } }
        }
    }
}

fn row(line: &Line, view: &View) -> Markup {
    let Entry { booked, resource, .. } = &line.entry;
    let (id, mint) = (Hex32(line.entry.id).to_string(), line.mint());
    let payer = line.entry.payer.to_string();
    html! {
        tr {
            td data-label="Payment" { span { (view.payment(&id)) span.base { (line.entry.scheme) } } }
            td data-label="When" { (utc(line.entry.accepted_at)) }
            td data-label="For" {
                span {
                    @if let Some(product) = &resource.product { (product) }
                    @if let Some(url) = &resource.url { span.base.mono { (url) } }
                    @if resource.product.is_none() && resource.url.is_none() { "–" }
                }
            }
            td data-label="Payer" { (view.address(&payer, &short(&payer))) }
            td.number data-label="Amount" {
                span {
                    (view.amount(line.entry.amount, &mint))
                    @if !view.symbols.contains_key(&mint) { span.base { "of " (view.token(&mint)) } }
                }
            }
            td.number data-label="Captured" {
                span {
                    (view.amount(booked.captured, &mint))
                    @if booked.refunded > 0 { span.base { "refunded: " (view.amount(booked.refunded, &mint)) } }
                }
            }
            td data-label="Outcome" { span { (pill(booked.outcome)) } }
            td data-label="How final" {
                span { (line.finality) @if let Some(slot) = line.slot { span.base { "slot " (slot) } } }
            }
            td data-label="Transaction" {
                @if let Some(signature) = booked.transaction {
                    @let signature = Base58(signature).to_string();
                    (view.transaction(&signature, &short(&signature)))
                } @else { "–" }
            }
        }
    }
}
