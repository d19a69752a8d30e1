//! The page about all payments. No I/O.

use maud::{Markup, html};
use x402_escrow_domain::books::Place;
use x402_escrow_wire::text::Hex32;

use super::{DAYS, Overview, stuck::Stuck};
use crate::page::{
    choices, days, document, found,
    text::{duration, short, utc},
};

/// The page.
pub fn overview(overview: &Overview) -> Markup {
    let body = html! {
        header {
            h1 { "Payments" }
            span.faint { (overview.view.network) " · " (utc(overview.now)) }
        }
        (question(overview))
        main {
            (needs_attention(overview))
            (sums(overview))
            (days(&overview.days, overview.period, &overview.view))
            (payments(overview))
            (fruitless(overview))
            @if overview.question.receiver.is_none() { (receivers(overview)) }
        }
        footer { "Read from the verifier's database and the chain when this page was requested. It changes nothing." }
    };
    document("Payments", &body)
}

fn question(overview: &Overview) -> Markup {
    let question = &overview.question;
    let receiver = question.receiver.map(|receiver| receiver.to_string()).unwrap_or_default();
    html! {
        form action="/status" method="get" {
            label.wide {
                "Receiver (all, if empty)"
                input name="receiver" value=(receiver) autocomplete="off" spellcheck="false" placeholder="an address in base58";
            }
            (choices(&question.choice))
            label {
                "Sums of the last"
                select name="days" {
                    @for days in DAYS {
                        option value=(days) selected[days == question.days] { (in_days(days)) }
                    }
                }
            }
            button { "Show" }
        }
    }
}

fn in_days(days: u16) -> String {
    if days == 1 { "24 hours".to_owned() } else { format!("{days} days") }
}

fn needs_attention(overview: &Overview) -> Markup {
    let is_well = overview.warnings.is_empty() && overview.undelivered.is_none() && overview.stuck.is_empty();
    html! {
        section id="stuck" {
            h2 { "What is stuck" }
            @if is_well {
                div.box { p { "Nothing. The verifier is well, and every accepted payment is on its way." } }
            }
            @for warning in &overview.warnings {
                div.box.bad { h3 { "The verifier" } p { (warning) } }
            }
            @if let Some(undelivered) = &overview.undelivered {
                div.box.bad {
                    h3 { "The webhook fails" }
                    p { "News of " (undelivered.payments) " payments were not taken, since " (utc(undelivered.since)) "." }
                    p.faint { "They are sent again for three days. Check that the server at webhook_url answers 2xx within 10 seconds." }
                }
            }
            @for stuck in &overview.stuck {
                div.box.bad { (item(stuck, overview)) }
            }
            @if overview.more_stuck > 0 {
                p { "And " (overview.more_stuck) " more." }
            }
        }
    }
}

fn item(stuck: &Stuck, overview: &Overview) -> Markup {
    let id = Hex32(stuck.payment_id).to_string();
    html! {
        h3 { (stuck.what) }
        p {
            @if let Some(units) = stuck.amount {
                (overview.view.amount(units, &stuck.asset)) " · "
            }
            a href={ "/status/payments/" (id) } { "payment " (short(&id)) }
            " · " (duration(overview.now.saturating_sub(stuck.since))) " old"
            @if let Some(deadline) = stuck.deadline {
                " · "
                strong {
                    @if deadline >= overview.now {
                        (duration(deadline.saturating_sub(overview.now))) " left"
                    } @else {
                        "the deadline has passed"
                    }
                }
            }
        }
        p { (stuck.why) }
        p.faint { (stuck.next) }
    }
}

fn sums(overview: &Overview) -> Markup {
    let view = &overview.view;
    let sum = |name: &str, units: u128, asset: &str| {
        html! { div { dt { (name) } dd { (view.amount(units, asset)) } } }
    };
    html! {
        section id="sums" {
            h2 { "What came in: the last " (in_days(overview.question.days)) }
            @if overview.sums.is_empty() {
                div.box { p { "No payments in this time, and no earlier one is open." } }
            }
            @for (asset, sums) in &overview.sums {
                div.box {
                    h3 { "Token " (view.token(asset)) }
                    dl.sums {
                        (sum("Came in", sums.came_in, asset))
                        (sum("Of which captured", sums.captured, asset))
                        (sum("Of which refunded", sums.refunded, asset))
                        (sum("Promised now", sums.promised, asset))
                        (sum("Held now", sums.held, asset))
                        (sum("Being captured now", sums.uncaptured, asset))
                    }
                }
            }
            @if overview.sums_are_cut {
                p.faint { "There were too many payments: the first three sums cover only the newest." }
            }
            p.faint {
                "Came in: held or paid in a block. Promised: accepted, in no block yet. Held: in a block, neither captured \
                 nor released. Being captured: signed by the merchant, in no block yet."
            }
        }
    }
}

fn payments(overview: &Overview) -> Markup {
    let question = &overview.question;
    let is_first = question.before == Place::END;
    html! {
        section id="payments" {
            (found(&overview.payments, &question.choice, is_first, overview.next.is_some(), &overview.view))
            nav {
                @if !is_first { a href=(link(overview, None)) { "Newest" } }
                @if overview.next.is_some() { a href=(link(overview, overview.next)) { "Older" } }
            }
        }
    }
}

/// Where the payments before a place are listed, or the newest.
fn link(overview: &Overview, before: Option<Place>) -> String {
    let question = &overview.question;
    let receiver = question.receiver.map(|receiver| format!("&receiver={receiver}")).unwrap_or_default();
    let before = before.map(|place| format!("&before={place}")).unwrap_or_default();
    format!("/status?days={}{before}{receiver}{}", question.days, question.choice.query())
}

fn fruitless(overview: &Overview) -> Markup {
    html! {
        section id="fruitless" {
            h2 { "What came to nothing in the last 24 hours" }
            @if overview.fruitless.is_empty() {
                div.box { p { "Nothing." } }
            }
            @for stuck in &overview.fruitless {
                div.box { (item(stuck, overview)) }
            }
        }
    }
}

fn receivers(overview: &Overview) -> Markup {
    html! {
        section id="receivers" {
            h2 { "Receivers of the last " (in_days(overview.question.days)) }
            @if overview.receivers.is_empty() {
                div.box { p { "None." } }
            } @else {
                div.box {
                    @for (receiver, count) in &overview.receivers {
                        p {
                            a.mono href={ "/status?days=" (overview.question.days) "&receiver=" (receiver) } { (receiver) }
                            span.faint { " · " (count) @if *count == 1 { " payment" } @else { " payments" } }
                        }
                    }
                }
            }
        }
    }
}
