//! What `fetch` prints of an outcome.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use x402_escrow_agent::{Fetched, Outcome, Receipt};
use x402_escrow_wire::amount;

use crate::{
    command::{
        exit::object as error_object,
        terminal::{self, escaped, write_body},
    },
    problem::Exit,
};

/// An outcome, in words.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
}

impl Answer {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome }
    }

    pub(super) fn exit(&self) -> Exit {
        match &self.outcome {
            Outcome::Served(response) if response.truncated => Exit::Truncated,
            Outcome::Served(_) => Exit::Done,
            Outcome::Refused { .. } => Exit::Refused,
            Outcome::Unknown { .. } => Exit::Unknown,
        }
    }

    pub(super) fn print(&self, decimals: u8, json: bool) -> Result<()> {
        if json {
            println!("{}", terminal::json(&self.object()));
        } else if let Some(response) = self.outcome.response() {
            // The body alone goes to standard output, so that it can be piped on.
            write_body(&response.body, false).context("writing the output")?;
        }
        if !json && let Some(receipt) = self.outcome.payment() {
            eprintln!("{}", escaped(&describe(receipt, decimals)));
        }
        self.complain();
        Ok(())
    }

    /// Says what is wrong, if anything is.
    pub(super) fn complain(&self) {
        if let Some((_, message)) = self.error() {
            eprintln!("error: {}", escaped(&message));
        }
    }

    /// For machines.
    pub(super) fn object(&self) -> Value {
        let (kind, until) = match &self.outcome {
            Outcome::Served(_) => ("served", None),
            Outcome::Refused { may_settle_until, .. } => ("refused", *may_settle_until),
            Outcome::Unknown { until, .. } => ("unknown", Some(*until)),
        };
        let response = self.outcome.response();
        let payment = self.outcome.payment().map(|receipt| {
            json!({
                "paymentId": receipt.payment_id,
                "amount": receipt.amount.to_string(),
                "payTo": receipt.pay_to,
                "settlement": receipt.settlement,
            })
        });
        let mut object = json!({
            "outcome": kind,
            "status": response.map(|response| response.status),
            "body": response.map(body),
            "payment": payment,
            "maySettleUntil": until,
        });
        if let Some((code, message)) = self.error() {
            object["error"] = error_object(code, &message, code == "unknown");
        }
        object
    }

    /// The code and what to say, unless the server served and all of it arrived.
    fn error(&self) -> Option<(&'static str, String)> {
        Some(match &self.outcome {
            Outcome::Served(response) if response.truncated => {
                ("truncated", "the response is longer than 32 MiB and was cut off".into())
            }
            Outcome::Served(_) => return None,
            Outcome::Refused { response, may_settle_until: None } => {
                ("not_served", format!("the server answered with HTTP status {}", response.status))
            }
            Outcome::Refused { response, may_settle_until: Some(until) } => {
                let settlement = response.payment.as_ref().and_then(|receipt| receipt.settlement.as_ref());
                let reason = self.outcome.reason().unwrap_or("no reason given");
                let message =
                    settlement.and_then(|settlement| settlement.error_message.as_deref()).unwrap_or_default();
                (
                    "refused",
                    format!(
                        "the server refused the payment: {reason} {message}; it can settle until {until}"
                    ),
                )
            }
            Outcome::Unknown { payment, until, reason, .. } => {
                let id = payment.payment_id;
                let message = format!(
                    "the payment {id} was sent and may or may not settle until {until}: {reason}. Don't pay again: ask with \
                     agent purchase lookup {id}, or send the same again with --key, if one was given"
                );
                ("unknown", message)
            }
        })
    }
}

fn body(response: &Fetched) -> Value {
    let text = String::from_utf8_lossy(&response.body);
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
}

fn describe(receipt: &Receipt, decimals: u8) -> String {
    let signed_for = amount::format(receipt.amount, decimals);
    let mut line = format!("signed for {signed_for} to {}, payment {}", receipt.pay_to, receipt.payment_id);
    if let Some(settlement) = &receipt.settlement {
        if settlement.success {
            let amount = settlement.amount.map_or(receipt.amount, |amount| amount.0);
            line += &format!(": settled {}", amount::format(amount, decimals));
            // An answer that is `reserved` comes before the transaction.
            line += &match settlement.transaction.as_str() {
                "" => "; its transaction follows".to_owned(),
                transaction => format!(" in {transaction}"),
            };
        } else {
            let reason = settlement.error_reason.as_deref().unwrap_or("no reason given");
            line += &format!(": not settled: {reason}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use x402_escrow_wire::{
        facilitator::SettleResponse,
        text::{Base58, Decimal, Hex32},
    };

    use super::*;

    #[test]
    fn a_settlement_without_a_transaction_yet_is_said_to_be_one() {
        let told = |transaction: &str, success: bool| {
            let settlement = SettleResponse {
                success,
                error_reason: (!success).then(|| "insufficient_funds".to_owned()),
                error_message: None,
                payer: None,
                transaction: transaction.to_owned(),
                network: "solana:test".to_owned(),
                amount: Some(Decimal(250_000)),
                extra: None,
            };
            let (payment_id, pay_to) = (Hex32([1; 32]), Base58([2; 32]));
            let receipt = Receipt { payment_id, amount: 300_000, pay_to, settlement: Some(settlement) };
            describe(&receipt, 6).split_once(": ").unwrap().1.to_owned()
        };
        assert_eq!(told("", true), "settled 0.25; its transaction follows");
        assert_eq!(told("5wHu", true), "settled 0.25 in 5wHu");
        assert_eq!(told("", false), "not settled: insufficient_funds");
    }
}
