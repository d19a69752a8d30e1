//! Plays `docs/conversations/agent.json`: what servers and verifiers may say, and what an agent makes of it.

use serde::Deserialize;
use serde_json::{Value, json};
use x402_escrow_agent::Request;
use x402_escrow_wire::payment_identifier::{EXTENSION, EXTRA, Offer, declaration};

use crate::{
    peers::{PRICE, Paid, Peers, told_of},
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
}

#[derive(Deserialize)]
struct Fetch {
    key: Option<String>,
    /// To each sending with a payment: a status, the reason of a refusal, or that the answer gets lost.
    answers: Vec<Answer>,
    told: String,
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
    let mut agent = peers.agent(PRICE);
    if conversation.stream {
        agent = agent.streaming(10 * PRICE);
    }
    let mut sendings = 0;
    for (number, fetch) in (1..).zip(&conversation.fetches) {
        peers.answer_next(fetch.answers.iter().map(Answer::paid));
        sendings += fetch.answers.len();
        let mut request = Request::get(&format!("{}/report", peers.url));
        request.key.clone_from(&fetch.key);
        let told = told_of(&agent, &request).await;
        let kind = told.split(' ').next().unwrap();
        assert_eq!(kind, fetch.told, "{name}, fetch {number}: {told}");
        assert_eq!(peers.payments().len(), sendings, "{name}, fetch {number}: each answer is to one sending");
    }
    let mut nonces = peers.nonces_paid();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), conversation.intents, "{name}");
    assert_eq!(peers.vouchers(), amounts(conversation.vouchers), "{name}");
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
