//! Plays `docs/conversations/agent.json`: what servers and verifiers may say, and what an agent makes of it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use x402_escrow_agent::{AgentClient, Outcome, Request};
use x402_escrow_wire::payment_identifier::{EXTENSION, EXTRA, Offer, declaration};

use crate::{
    peers::{PRICE, Paid, Peers, unix_now},
    streams::{amounts, ask_with},
};

#[derive(Deserialize)]
struct Conversation {
    name: String,
    /// Whether the server takes ids.
    #[serde(default)]
    ids: bool,
    /// Whether it offers holds of ten times the price.
    #[serde(default)]
    stream: bool,
    /// What the verifier says of every payment; nothing: it knows none.
    verifier: Option<Value>,
    fetches: Vec<Fetch>,
    /// How many are signed.
    intents: usize,
    /// Amounts of all vouchers that are sent, in prices.
    vouchers: Vec<u64>,
    /// What the journal has in the end of purchases with a key.
    #[serde(default)]
    journal: Vec<Journaled>,
}

#[derive(Deserialize)]
struct Fetch {
    key: Option<String>,
    /// To each sending with a payment, in the order in which they arrive: a status, the reason of a refusal, or that the
    /// answer gets lost.
    answers: Vec<Answer>,
    told: Told,
    /// The deadline of the payment until which it may settle.
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    One(String),
    /// As many are begun at once; in alphabetical order.
    Each(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Journaled {
    key: String,
    state: String,
    authorize_by: String,
}

/// Which of a payment's deadlines a time is: a minute from now, or ten.
fn deadline(seconds: i64) -> &'static str {
    if seconds - unix_now() < 300 { "authorizeBy" } else { "captureDeadline" }
}

/// What the caller is told, and until when the payment may settle.
async fn told(agent: &AgentClient, request: &Request) -> (&'static str, Option<i64>) {
    match agent.fetch(request).await {
        Ok(Outcome::Served(_)) => ("served", None),
        Ok(Outcome::Refused { may_settle_until, .. }) => ("refused", may_settle_until),
        Ok(Outcome::Unknown { until, .. }) => ("unknown", Some(until)),
        Err(_) => ("error", None),
    }
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Answer {
    Status(u16),
    Reason(String),
}

impl Answer {
    fn paid(&self) -> Paid {
        match self {
            Self::Status(200) => Paid::Serve,
            Self::Status(status) => Paid::Status(*status),
            Self::Reason(lost) if lost == "lost" => Paid::HangUp,
            Self::Reason(reason) => Paid::Say(reason.clone().leak()),
        }
    }
}

async fn play(conversation: Conversation) {
    let (peers, name) = (Peers::start().await, &conversation.name);
    if conversation.stream {
        ask_with(&peers, PRICE, if conversation.ids { json!({ EXTRA: "required" }) } else { json!({}) });
    } else if conversation.ids {
        peers.alter_challenge(|challenge| {
            challenge["extensions"] = json!({ EXTENSION: declaration(Offer::Required) });
        });
    }
    peers.know(conversation.verifier.clone());
    let agent = peers.agent(PRICE);
    let agent = Arc::new(if conversation.stream { agent.streaming(10 * PRICE) } else { agent });
    let mut sendings = 0;
    for (number, fetch) in (1..).zip(&conversation.fetches) {
        peers.answer_next(fetch.answers.iter().map(Answer::paid));
        sendings += fetch.answers.len();
        let mut request = Request::get(&format!("{}/report", peers.url));
        request.key.clone_from(&fetch.key);
        let expected = match &fetch.told {
            Told::One(told) => vec![told.as_str()],
            Told::Each(told) => told.iter().map(String::as_str).collect(),
        };
        let begun: Vec<_> = (0..expected.len())
            .map(|_| {
                let (agent, request) = (Arc::clone(&agent), request.clone());
                tokio::spawn(async move { told(&agent, &request).await })
            })
            .collect();
        let mut kinds = Vec::new();
        for fetched in begun {
            let (kind, until) = fetched.await.unwrap();
            kinds.push(kind);
            let until = until.filter(|_| fetch.until.is_some()).map(deadline);
            assert!(until.is_none() || until == fetch.until.as_deref(), "{name}, fetch {number}: {until:?}");
        }
        kinds.sort_unstable();
        assert_eq!(kinds, expected, "{name}, fetch {number}");
        assert_eq!(peers.payments().len(), sendings, "{name}, fetch {number}: each answer is to one sending");
    }
    let mut nonces = peers.nonces_paid();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), conversation.intents, "{name}");
    assert_eq!(peers.vouchers(), amounts(conversation.vouchers), "{name}");
    for expected in conversation.journal {
        let purchase = peers.files().journal.find(&expected.key).unwrap().unwrap();
        let found = (purchase.state.as_str(), deadline(purchase.signed.authorize_by));
        assert_eq!(found, (&*expected.state, &*expected.authorize_by), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversation_ends_as_it_is_written() {
    let text = std::fs::read_to_string("../docs/conversations/agent.json").unwrap();
    let conversations: Vec<Conversation> = serde_json::from_str(&text).unwrap();
    assert!(conversations.len() > 15);
    let played: Vec<_> =
        conversations.into_iter().map(|conversation| tokio::spawn(play(conversation))).collect();
    for conversation in played {
        conversation.await.unwrap();
    }
}
