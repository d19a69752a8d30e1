//! Shows the history of an escrow or a session, as the chain has it.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use x402_escrow_interface::{Address, event::Event};
use x402_escrow_wire::{amount, text::Hex32};

use super::{print, terminal::time};
use crate::{chain::Entry, owner::Owner, problem::snake_case};

#[derive(Args)]
pub(super) struct History {
    /// How many transactions to show, newest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on before this transaction
    #[arg(long, value_name = "SIGNATURE")]
    before: Option<String>,
}

/// Shows the events of the transactions that named `address`.
pub(super) async fn show(
    owner: &Owner,
    address: &Address,
    decimals: u8,
    history: History,
    json: bool,
) -> Result<()> {
    let History { limit, before } = history;
    let entries = owner.chain.history(&owner.program, address, limit, before).await?;
    let shown: Vec<_> = entries.iter().map(|entry| (entry, of(entry, address))).collect();
    if json {
        let objects: Vec<Value> = shown.iter().map(|(entry, facts)| object(entry, facts)).collect();
        print(true, &json!({ "address": address.to_string(), "transactions": objects }), &[]);
        return Ok(());
    }
    for (entry, facts) in shown {
        let when = entry.time.map_or_else(|| format!("slot {}", entry.slot), time);
        for fact in &facts {
            println!("{when}  {}", fact.line(decimals));
        }
        if entry.is_cut_off {
            println!("{when}  the node truncated the logs: events may be missing");
        }
        println!("{:width$}  {}", "", entry.signature, width = when.len());
    }
    Ok(())
}

/// One event, in words and numbers.
struct Fact {
    kind: String,
    /// Amounts in base units, and other members, in their order.
    amounts: Vec<(&'static str, u64)>,
    names: Vec<(&'static str, String)>,
}

impl Fact {
    fn line(&self, decimals: u8) -> String {
        let amounts =
            self.amounts.iter().map(|(name, units)| format!("{name} {}", amount::format(*units, decimals)));
        let names = self.names.iter().map(|(name, value)| format!("{name} {value}"));
        let parts: Vec<String> = amounts.chain(names).collect();
        format!("{:<16} {}", self.kind.replace('_', " "), parts.join(", "))
    }
}

fn object(entry: &Entry, facts: &[Fact]) -> Value {
    let events: Vec<Value> = facts
        .iter()
        .map(|fact| {
            let mut event = json!({ "event": fact.kind });
            for (name, units) in &fact.amounts {
                event[name] = units.to_string().into();
            }
            for (name, value) in &fact.names {
                event[name] = value.clone().into();
            }
            event
        })
        .collect();
    json!({
        "transaction": entry.signature,
        "slot": entry.slot,
        "time": entry.time,
        "events": events,
        "isCutOff": entry.is_cut_off,
    })
}

/// The events that are about `address`, an escrow or a session.
fn of(entry: &Entry, address: &Address) -> Vec<Fact> {
    let about = entry.events.iter().filter_map(|event| {
        let (places, fact) = fact(event);
        places.contains(address).then_some(fact)
    });
    about.collect()
}

/// The accounts that an event is about, and what it says.
fn fact(event: &Event) -> (Vec<Address>, Fact) {
    let key = |name, address: Address| (name, address.to_string());
    let payment = |digest: [u8; 32]| ("payment", Hex32(digest).to_string());
    let (kind, places, amounts, names) = match *event {
        Event::EscrowOpened(e) => ("EscrowOpened", vec![e.escrow], vec![], vec![key("mint", e.mint)]),
        Event::GuardianSet(e) => ("GuardianSet", vec![e.escrow], vec![], vec![key("guardian", e.guardian)]),
        Event::Deposited(e) => {
            let mut names = vec![key("by", e.depositor)];
            if e.refunded_payment != [0; 32] {
                names.push(("refunds", Hex32(e.refunded_payment).to_string()));
            }
            ("Deposited", vec![e.escrow], vec![("amount", e.amount), ("balance", e.balance)], names)
        }
        Event::Synced(e) => {
            ("Synced", vec![e.escrow], vec![("amount", e.amount), ("balance", e.balance)], vec![])
        }
        Event::Withdrawn(e) => (
            "Withdrawn",
            vec![e.escrow],
            vec![("amount", e.amount), ("balance", e.balance)],
            vec![key("to", e.destination)],
        ),
        Event::EscrowClosed(e) => {
            ("EscrowClosed", vec![e.escrow], vec![("amount", e.amount)], vec![key("to", e.destination)])
        }
        Event::SessionOpened(e) => (
            "SessionOpened",
            vec![e.escrow, e.session],
            vec![("perPayment", e.maximum_payment), ("inTotal", e.maximum_total)],
            vec![key("sessionKey", e.session_key), ("until", time(e.expires_at))],
        ),
        Event::SessionUpdated(e) => (
            "SessionUpdated",
            vec![e.escrow, e.session],
            vec![("perPayment", e.maximum_payment), ("inTotal", e.maximum_total)],
            vec![("until", time(e.expires_at))],
        ),
        Event::SessionRevoked(e) => {
            ("SessionRevoked", vec![e.escrow, e.session], vec![], vec![key("by", e.revoker)])
        }
        Event::SessionsRevoked(e) => (
            "SessionsRevoked",
            vec![e.escrow],
            vec![],
            vec![key("by", e.revoker), ("openedThroughSlot", e.opened_through_slot.to_string())],
        ),
        Event::SessionClosed(e) => {
            ("SessionClosed", vec![e.escrow, e.session], vec![("spent", e.spent)], vec![])
        }
        Event::Authorized(e) => (
            "Authorized",
            vec![e.escrow, e.session],
            vec![("amount", e.amount), ("spent", e.spent)],
            vec![key("receiver", e.receiver), ("until", time(e.capture_deadline)), payment(e.intent_digest)],
        ),
        Event::Captured(e) => (
            "Captured",
            vec![e.escrow, e.session],
            vec![("amount", e.amount), ("fee", e.fee), ("released", e.released), ("left", e.left)],
            vec![key("receiver", e.receiver), payment(e.intent_digest)],
        ),
        Event::Voided(e) => (
            "Voided",
            vec![e.escrow, e.session],
            vec![("captured", e.captured), ("released", e.released), ("left", e.left)],
            vec![payment(e.intent_digest)],
        ),
        Event::Reclaimed(e) => (
            "Reclaimed",
            vec![e.escrow, e.session],
            vec![("captured", e.captured), ("released", e.released)],
            vec![payment(e.intent_digest)],
        ),
        Event::Charged(e) => (
            "Charged",
            vec![e.escrow, e.session],
            vec![("amount", e.amount), ("fee", e.fee), ("spent", e.spent)],
            vec![key("receiver", e.receiver), payment(e.intent_digest)],
        ),
    };
    (places, Fact { kind: snake_case(kind), amounts, names })
}

#[cfg(test)]
mod tests {
    use x402_escrow_interface::event::{Charged, Deposited};

    use super::*;

    const ESCROW: Address = Address::new_from_array([1; 32]);
    const SESSION: Address = Address::new_from_array([2; 32]);

    fn entry() -> Entry {
        let other = Address::new_from_array([9; 32]);
        let deposited = Event::Deposited(Deposited {
            escrow: ESCROW,
            depositor: other,
            amount: 5,
            balance: 5,
            refunded_payment: [0; 32],
        });
        let charged = |session| {
            Event::Charged(Charged {
                escrow: ESCROW,
                session,
                receiver: other,
                capture_authorizer: other,
                receiver_authorizer: other,
                fee_recipient: other,
                intent_digest: [3; 32],
                resource_hash: [4; 32],
                amount: 1_500_000,
                fee: 0,
                nonce: 1,
                refund_deadline: 0,
                balance: 1,
                held: 0,
                spent: 1_500_000,
            })
        };
        let events = vec![deposited, charged(SESSION), charged(other)];
        Entry { signature: "s".into(), slot: 1, time: Some(0), events, is_cut_off: false }
    }

    #[test]
    fn a_session_has_its_own_events_and_an_escrow_has_all() {
        let entry = entry();
        assert_eq!(of(&entry, &ESCROW).len(), 3);
        let facts = of(&entry, &SESSION);
        assert_eq!(facts.len(), 1);
        let object = object(&entry, &facts);
        assert_eq!(object["events"][0]["event"], "charged");
        assert_eq!(object["events"][0]["amount"], "1500000");
        let line = facts[0].line(6);
        assert!(line.starts_with("charged          amount 1.5, fee 0, spent 1.5, receiver "), "{line}");
    }
}
