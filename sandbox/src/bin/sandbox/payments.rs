//! Payments as they happen: the verifier tells of them by its webhook.

use std::{collections::HashMap, net::TcpListener, sync::mpsc::Sender, thread};

use anyhow::{Context, Result};
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::Value;
use x402_escrow_sandbox::DECIMALS;
use x402_escrow_wire::{amount, text::Decimal};

use crate::Event;

/// Where news of payments are sent.
pub(crate) struct Webhook {
    url: String,
}

impl Webhook {
    /// What the verifier must know.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 3] {
        [
            ("X402_WEBHOOK_URL", &self.url),
            ("X402_WEBHOOK_SECRET", "env:SANDBOX_WEBHOOK_SECRET"),
            // Only this machine sends and gets the news: everybody may know what signs them.
            ("SANDBOX_WEBHOOK_SECRET", "whsec_eDQwMi1lc2Nyb3cgc2FuZGJveCBwdWJsaWMga2V5"),
        ]
    }
}

/// Listens for news of payments, and hands them on.
pub(crate) fn receive(events: Sender<Event>) -> Result<Webhook> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = TcpListener::bind("127.0.0.1:0").context("listening for news of payments")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/", post(hear)).with_state(events);
    thread::spawn(move || {
        runtime.block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
    });
    Ok(Webhook { url })
}

async fn hear(State(events): State<Sender<Event>>, Json(mut news): Json<Value>) -> StatusCode {
    match events.send(Event::Payment(news["data"].take())) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What was printed of each payment last, and whether nothing more is to come.
#[derive(Default)]
pub(crate) struct Payments(HashMap<String, (String, bool)>);

impl Payments {
    /// A line about a payment, if there is something new to say.
    pub(crate) fn line(&mut self, report: &Value) -> Option<String> {
        let id = report["paymentId"].as_str()?;
        let said = said(report);
        let before = self.0.insert(id.to_owned(), (said.clone(), is_over(report)));
        if before.is_some_and(|(before, _)| before == said) {
            return None;
        }
        Some(format!("payment {id}: {said}"))
    }

    /// Whether nothing more is to come of any.
    pub(crate) fn are_over(&self) -> bool {
        self.0.values().all(|(_, is_over)| *is_over)
    }
}

/// Whether nothing is held for it, or will be.
fn is_over(report: &Value) -> bool {
    !matches!(report["state"].as_str(), Some("unsettled" | "authorized" | "captured"))
}

/// How far a payment got.
fn said(report: &Value) -> String {
    let units = |name: &str| -> u64 {
        report[name].as_str().and_then(|text| text.parse::<Decimal>().ok()).map_or(0, |amount| amount.0)
    };
    let tokens = |name: &str| amount::format(units(name), DECIMALS);
    // A transfer has no state of its own.
    let Some(state) = report["state"].as_str() else {
        return format!(
            "transfer of {}, {}",
            tokens("amount"),
            report["status"].as_str().unwrap_or("unsettled")
        );
    };
    let mut said = match state {
        "unsettled" => format!("{} sent, and not in a block", tokens("amount")),
        "authorized" => format!("{} held", tokens("amount")),
        "paid" => format!("{} paid at once", tokens("captured")),
        "captured" | "ended" => format!("{} paid, {} back", tokens("captured"), tokens("released")),
        other => format!("{} {other}", tokens("amount")),
    };
    if state == "authorized" && units("vouched") > 0 {
        said += &format!(", {} of it used", tokens("vouched"));
    }
    if units("refunded") > 0 {
        said += &format!(", {} refunded", tokens("refunded"));
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payment_is_told_of_again_only_where_it_got_further() {
        let report = |state: &str, captured: &str, released: &str| {
            json!({
                "paymentId": "ab12", "state": state, "amount": "100000",
                "captured": captured, "released": released, "refunded": "0",
            })
        };
        let mut payments = Payments::default();
        let held = report("authorized", "0", "0");
        assert_eq!(payments.line(&held).as_deref(), Some("payment ab12: 0.1 held"));
        assert_eq!(payments.line(&held), None, "only its commitment changed");
        assert!(!payments.are_over());
        let ended = report("ended", "30000", "70000");
        assert_eq!(payments.line(&ended).as_deref(), Some("payment ab12: 0.03 paid, 0.07 back"));
        assert!(payments.are_over());
    }

    #[test]
    fn charges_transfers_streams_and_refunds_are_told_of() {
        let said = |report: Value| said(&report);
        let charge = json!({ "state": "paid", "amount": "250000", "captured": "250000", "released": "0" });
        assert_eq!(said(charge), "0.25 paid at once");
        let transfer = json!({ "paymentId": "ab", "amount": "250000", "status": "confirmed" });
        assert_eq!(said(transfer), "transfer of 0.25, confirmed");
        let stream = json!({ "state": "authorized", "amount": "250000", "vouched": "3000", "captured": "0" });
        assert_eq!(said(stream), "0.25 held, 0.003 of it used");
        let refunded = json!({
            "state": "ended", "amount": "250000", "captured": "250000", "released": "0", "refunded": "250000",
        });
        assert_eq!(said(refunded), "0.25 paid, 0 back, 0.25 refunded");
    }
}
