//! The page about one payment, and its line on the page about all. No I/O.

use maud::{Markup, html};
use x402_escrow_domain::payment::{Action, Attempt, AttemptState, History, OperationState, Terms, Tracked};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::{Base58, Hex32};

use super::{
    Decimals,
    style::document,
    text::{self, amount, utc},
};

/// A payment in one line.
pub(super) struct Summary {
    pub(super) id: Digest,
    pub(super) scheme: &'static str,
    pub(super) accepted_at: i64,
    pub(super) payer: String,
    pub(super) asset: String,
    pub(super) amount: u64,
    pub(super) captured: u64,
    pub(super) state: &'static str,
    /// Of what is newest about it, in words.
    pub(super) finality: String,
    pub(super) slot: Option<u64>,
    pub(super) transaction: Option<String>,
}

impl Summary {
    pub(super) fn of(history: &History) -> Self {
        let payment = &history.payment;
        let did_not_fail = |tracked: &&Tracked| !tracked.operation.state.is_negative();
        let newest = history.operations.iter().rfind(did_not_fail).or_else(|| history.operations.last());
        let attempt = newest.and_then(Tracked::decisive_attempt);
        let finality = newest.map_or_else(String::new, |tracked| {
            let kind = text::kind(tracked.operation.action.kind());
            format!("{kind} {}", in_words(tracked.operation.state))
        });
        Self {
            id: payment.id,
            scheme: payment.scheme(),
            accepted_at: payment.accepted_at,
            payer: payment.payer.to_string(),
            asset: payment.mint.to_string(),
            amount: payment.amount,
            captured: history.settled_sums().captured,
            state: history.state().as_str(),
            finality,
            slot: attempt.and_then(|attempt| Some(attempt.state.landing()?.slot)),
            transaction: attempt.map(|attempt| Base58(attempt.signature).to_string()),
        }
    }
}

fn in_words(state: OperationState) -> &'static str {
    match state {
        OperationState::Queued => "not sent yet",
        OperationState::Sent => "in no block yet",
        other => other.as_str(),
    }
}

fn in_words_of_attempt(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Sent => "in no block yet",
        other => other.as_str(),
    }
}

/// A state, coloured by what it means.
pub(super) fn pill(state: &str) -> Markup {
    let meaning = match state {
        "unsettled" => "pill wait",
        "failed" | "refused" => "pill fail",
        _ => "pill good",
    };
    html! { span class=(meaning) { (state) } }
}

/// The page about one payment.
pub fn payment(history: &History, decimals: &Decimals) -> Markup {
    let summary = Summary::of(history);
    let id = Hex32(summary.id).to_string();
    let body = html! {
        header {
            h1 { "Payment " (pill(summary.state)) }
            a href="/status" { "All payments" }
        }
        main {
            section id="payment" { h2 { "What it is" } div.box { (details(history, &summary, &id, decimals)) } }
            @if history.hold().is_some() {
                section id="operations" { h2 { "What was asked for, oldest first" } (operations(history, decimals)) }
            }
            section id="transactions" { h2 { "Transactions, oldest first" } (transactions(history)) }
        }
    };
    document(&format!("Payment {id}"), &body)
}

fn details(history: &History, summary: &Summary, id: &str, decimals: &Decimals) -> Markup {
    let money = |units: u64| amount(units, &summary.asset, decimals);
    html! {
        dl.details {
            dt { "Payment id" } dd.mono { (id) }
            dt { "Scheme" } dd { (summary.scheme) }
            dt { "Accepted" } dd { (utc(summary.accepted_at)) }
            dt { "Amount" } dd { (money(summary.amount)) }
            dt { "Captured" } dd { (money(summary.captured)) }
            @match &history.payment.terms {
                Terms::Hold(hold) => {
                    @let sums = history.settled_sums();
                    @let intent = &hold.intent;
                    dt { "Fee of it" } dd { (money(sums.fee)) }
                    dt { "Refunded of it" } dd { (money(sums.refunded)) }
                    dt { "Released" } dd { (money(intent.amount.saturating_sub(sums.ends_at))) }
                    @if let Some(voucher) = &history.voucher { dt { "Last voucher" } dd { (money(voucher.amount)) } }
                    dt { "Capture deadline" } dd { (utc(intent.capture_deadline)) }
                    dt { "Refunds promised until" }
                    dd { @if intent.refund_deadline == 0 { "not promised" } @else { (utc(intent.refund_deadline)) } }
                    dt { "Receiver" } dd.mono { (intent.receiver) }
                    dt { "Payer" } dd.mono { (summary.payer) }
                    dt { "Escrow" } dd.mono { (intent.escrow) }
                    dt { "Session key" } dd.mono { (intent.session_key) }
                    dt { "Hold" } dd.mono { (hold.address()) }
                    dt { "Resource hash" } dd.mono { (Hex32(intent.resource_hash)) }
                }
                Terms::Transfer(transfer) => {
                    dt { "Receiver" } dd.mono { (history.payment.receiver) }
                    dt { "Payer" } dd.mono { (summary.payer) }
                    dt { "Told to a merchant" } dd { @if transfer.is_told { "yes" } @else { "not yet" } }
                }
            }
            dt { "Token" } dd.mono { (summary.asset) }
        }
    }
}

fn operations(history: &History, decimals: &Decimals) -> Markup {
    let asset = history.payment.mint.to_string();
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "What" }
                    th scope="col" { "When" }
                    th.number scope="col" { "Amount, in all" }
                    th scope="col" { "How final" }
                    th scope="col" { "Asked for" }
                    th scope="col" { "Why not" }
                }
            }
            tbody {
                @for Tracked { operation, .. } in &history.operations {
                    @let units = match operation.action {
                        Action::Authorize | Action::Transfer => Some(history.payment.amount),
                        Action::Capture { amount, .. } | Action::Close { amount, .. } | Action::Void { amount, .. }
                        | Action::Refund { amount, .. } => Some(amount),
                        Action::Reclaim => None,
                    };
                    tr {
                        td data-label="What" { (text::kind(operation.action.kind())) }
                        td data-label="When" { (utc(operation.accepted_at)) }
                        td.number data-label="Amount, in all" {
                            span { @if let Some(units) = units { (amount(units, &asset, decimals)) } @else { "–" } }
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

fn transactions(history: &History) -> Markup {
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
                        th scope="col" { "Confirmations" }
                    }
                }
                tbody {
                    @for (kind, signature, state) in rows {
                        @let landing = state.landing();
                        tr {
                            td data-label="For" { (kind) }
                            td data-label="Signature" { span.mono { (Base58(signature)) } }
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
                            td data-label="Confirmations" { (landing.map_or(0, |landing| landing.confirmations)) }
                        }
                    }
                }
            }
        }
    }
}
