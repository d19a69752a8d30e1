//! The page about one payment.

use maud::{Markup, html};
use x402_escrow_domain::{
    books::Booked,
    payment::{Action, Attempt, History, Terms, Tracked},
};
use x402_escrow_wire::text::{Base58, Hex32};

use super::{
    View,
    state::{in_words, in_words_of_attempt, pill},
    style::document,
    text::{self, utc},
};

/// The page about one payment.
pub fn payment(history: &History, view: &View) -> Markup {
    let booked = Booked::of(history);
    let id = Hex32(history.payment.id).to_string();
    let body = html! {
        header {
            h1 { "Payment " (pill(booked.outcome)) }
            a href=(view.home) { "All payments" }
        }
        main {
            section id="payment" { h2 { "Details" } div.box { (details(history, &booked, &id, view)) } }
            @if history.intent().is_some() {
                section id="operations" { h2 { "Operations, oldest first" } (operations(history, view)) }
            }
            section id="transactions" { h2 { "Transactions, oldest first" } (transactions(history, view)) }
        }
    };
    document(&format!("Payment {id}"), &body)
}

fn details(history: &History, booked: &Booked, id: &str, view: &View) -> Markup {
    let payment = &history.payment;
    let mint = payment.mint.to_string();
    let money = |units: u64| view.amount(units, &mint);
    let address = |address: String| view.address(&address, &html! { (address) });
    html! {
        dl.details {
            dt { "Payment id" } dd.mono { (id) }
            dt { "Scheme" } dd { (payment.scheme()) }
            dt { "Accepted" } dd { (utc(payment.accepted_at)) }
            dt { "State" } dd { (history.state().as_str()) }
            @if let Some(product) = &payment.resource.product { dt { "Product, in the client's words" } dd { (product) } }
            @if let Some(url) = &payment.resource.url { dt { "URL, in the client's words" } dd.mono { (url) } }
            dt { "Amount" } dd { (money(payment.amount)) }
            dt { "Captured" } dd { (money(booked.captured)) }
            @match &payment.terms {
                Terms::Hold(signed) | Terms::Charge(signed) => {
                    @let sums = history.settled_sums();
                    @let intent = &signed.intent;
                    dt { "Fee" } dd { (money(sums.fee)) }
                    dt { "Refunded" } dd { (money(sums.refunded)) }
                    dt { @if history.hold().is_some() { "Released" } @else { "Not charged" } } dd { (money(intent.amount.saturating_sub(sums.ends_at))) }
                    @if let Some(voucher) = &history.voucher { dt { "Last voucher" } dd { (money(voucher.amount)) } }
                    @if history.hold().is_some() { dt { "Capture deadline" } dd { (utc(intent.capture_deadline)) } }
                    dt { "Refunds promised until" }
                    dd { @if intent.refund_deadline == 0 { "not promised" } @else { (utc(intent.refund_deadline)) } }
                    dt { "Receiver" } dd.mono { (address(intent.receiver.to_string())) }
                    dt { "Payer" } dd.mono { (address(payment.payer.to_string())) }
                    dt { "Escrow" } dd.mono { (address(intent.escrow.to_string())) }
                    dt { "Session key" } dd.mono { (intent.session_key) }
                    @if let Some(hold) = history.hold() { dt { "Hold" } dd.mono { (address(hold.address().to_string())) } }
                    dt { "Resource hash" } dd.mono { (Hex32(intent.resource_hash)) }
                }
                Terms::Transfer(transfer) => {
                    dt { "Receiver" } dd.mono { (address(payment.receiver.to_string())) }
                    dt { "Payer" } dd.mono { (address(payment.payer.to_string())) }
                    dt { "Told to a merchant" } dd { @if transfer.is_told { "yes" } @else { "not yet" } }
                }
            }
            dt { "Token" }
            dd { @if let Some(symbol) = view.symbols.get(&mint) { (symbol) " " } span.mono { (address(mint.clone())) } }
        }
    }
}

fn operations(history: &History, view: &View) -> Markup {
    let asset = history.payment.mint.to_string();
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "What" }
                    th scope="col" { "When" }
                    th.number scope="col" { "Total amount" }
                    th scope="col" { "How final" }
                    th scope="col" { "Asked for" }
                    th scope="col" { "Why not" }
                }
            }
            tbody {
                @for Tracked { operation, .. } in &history.operations {
                    @let units = match operation.action {
                        Action::Authorize | Action::Transfer => Some(history.payment.amount),
                        Action::Charge { amount, .. } | Action::Capture { amount, .. } | Action::Close { amount, .. }
                        | Action::Void { amount, .. }
                        | Action::Refund { amount, .. } => Some(amount),
                        Action::Reclaim => None,
                    };
                    tr {
                        td data-label="What" { (text::kind(operation.action.kind())) }
                        td data-label="When" { (utc(operation.accepted_at)) }
                        td.number data-label="Total amount" {
                            span { @if let Some(units) = units { (view.amount(units, &asset)) } @else { "–" } }
                        }
                        td data-label="How final" { (in_words(operation.state)) }
                        td data-label="Asked for" { (operation.commitment.as_str()) }
                        td data-label="Why not" {
                            @if let Some(problem) = &operation.problem {
                                span { (problem.message) span.base { (problem.code) } }
                            } @else { "–" }
                        }
                    }
                }
            }
        }
    }
}

fn transactions(history: &History, view: &View) -> Markup {
    let of_operation = |tracked: &Tracked| {
        let kind = text::kind(tracked.operation.action.kind());
        let row = move |attempt: &Attempt| (kind, attempt.signature, attempt.state.clone());
        tracked.attempts.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = history.operations.iter().flat_map(of_operation).collect();
    html! {
        @if rows.is_empty() {
            div.box { p { "None was sent." } }
        } @else {
            table {
                thead {
                    tr {
                        th scope="col" { "For" }
                        th scope="col" { "Signature" }
                        th scope="col" { "How final" }
                        th scope="col" { "Slot" }
                        th scope="col" { "Block hash" }
                    }
                }
                tbody {
                    @for (kind, signature, state) in rows {
                        @let landing = state.landing();
                        @let text = Base58(signature).to_string();
                        tr {
                            td data-label="For" { (kind) }
                            td data-label="Signature" { span.mono { (view.transaction(&text, &html! { (text) })) } }
                            td data-label="How final" {
                                span {
                                    (in_words_of_attempt(&state))
                                    @if let Some(problem) = landing.and_then(|landing| landing.error.as_ref()) {
                                        span.base { (problem.message) }
                                    }
                                }
                            }
                            td data-label="Slot" { @if let Some(landing) = landing { (landing.slot) } @else { "–" } }
                            td data-label="Block hash" {
                                @if let Some(hash) = landing.and_then(|landing| landing.block_hash) {
                                    span.mono { (Base58(hash)) }
                                } @else { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}
