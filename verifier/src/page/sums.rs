//! What came in day by day, for each token.

use std::collections::BTreeMap;

use maud::{Markup, html};
use x402_escrow_domain::books::{DayTotal, Period, Total, Totals};

use super::{
    View,
    chart::{Bar, bars},
    text::date,
};

/// The most tokens that have a chart.
const TOKENS: usize = 8;

/// A section with a chart and a table for each token. `totals` are those of `period`.
pub fn days(totals: &[DayTotal], period: Period, view: &View) -> Markup {
    let sums = Totals::of(totals);
    let mut tokens: Vec<_> = sums.iter().filter(|(_, total)| total.captured > 0).collect();
    tokens.sort_by_key(|(_, total)| std::cmp::Reverse(total.payments));
    let more = tokens.len().saturating_sub(TOKENS);
    html! {
        section id="days" {
            h2 { "Day by day, " (date(period.first_day)) " to " (date(period.last_day)) " UTC" }
            @if tokens.is_empty() {
                div.box { p { "No payment accepted in these days was captured." } }
            }
            @for (mint, total) in tokens.iter().take(TOKENS) {
                @let days: BTreeMap<i64, Total> =
                    totals.iter().filter(|day| day.mint == **mint).map(|day| (day.day, day.total)).collect();
                div.box { (token(&mint.to_string(), **total, &days, period, view)) }
            }
            @if more > 0 { p.faint { "And " (more) " more tokens." } }
        }
    }
}

fn token(mint: &str, total: Total, days: &BTreeMap<i64, Total>, period: Period, view: &View) -> Markup {
    let bar = |day: i64| {
        let total = days.get(&day).copied().unwrap_or_default();
        let (captured, refunded) = (positive(total.captured), positive(total.refunded));
        let title = format!("{}: {}", date(day), view.amount_in_words(captured, mint));
        let title = match refunded {
            0 => title,
            _ => format!("{title}, {} of it refunded", view.amount_in_words(refunded, mint)),
        };
        Bar { title, captured, refunded }
    };
    let drawn: Vec<Bar> = (period.first_day..=period.last_day).map(bar).collect();
    let label = format!("Captured day by day, for {} days, as in the table below", drawn.len());
    html! {
        h3 { "Token " (view.token(mint)) }
        dl.sums {
            div { dt { "Payments" } dd { span.whole { (total.payments) } } }
            div { dt { "Captured" } dd { (view.amount(positive(total.captured), mint)) } }
            div { dt { "Fees" } dd { (view.amount(positive(total.fee), mint)) } }
            div { dt { "Refunded" } dd { (view.amount(positive(total.refunded), mint)) } }
        }
        (bars(&label, &drawn))
        details {
            summary { "As a table" }
            table {
                thead {
                    tr {
                        th scope="col" { "Day" }
                        th.number scope="col" { "Payments" }
                        th.number scope="col" { "Captured" }
                        th.number scope="col" { "Refunded" }
                    }
                }
                tbody {
                    @for (day, total) in days.iter().rev() {
                        tr {
                            td data-label="Day" { (date(*day)) }
                            td.number data-label="Payments" { (total.payments) }
                            td.number data-label="Captured" { span { (view.amount(positive(total.captured), mint)) } }
                            td.number data-label="Refunded" { span { (view.amount(positive(total.refunded), mint)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Sums of what was captured are never negative.
fn positive(sum: i128) -> u128 {
    sum.try_into().unwrap_or(0)
}
