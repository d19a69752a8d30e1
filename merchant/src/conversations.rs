//! Plays `docs/conversations/merchant.json` and `merchant-charges.json`: what clients send and verifiers say to one merchant or to
//! several instances of it, what it tells its clients, and what it asks its verifier for.

mod player;
mod verifier;

use serde::Deserialize;

use player::Player;
use verifier::Said;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    name: String,
    /// How many share one key.
    #[serde(default = "one")]
    instances: usize,
    /// Whether holds are for many requests: of 1000, for requests at 100; else each is for one, of 1000.
    #[serde(default)]
    stream: bool,
    steps: Vec<Step>,
}

/// A request, or what else happens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The instance; the first one has the number 1.
    #[serde(default = "one")]
    at: usize,
    /// A request is paid by the payment with this name, which is signed when it is named first.
    pay: Option<String>,
    /// It is paid by a voucher out of that hold, in base units.
    voucher: Option<u64>,
    /// What the client changed after it had signed.
    alter: Option<String>,
    /// What the handler answers.
    #[serde(default = "ok")]
    handler: Handler,
    /// What it takes, if not the price, in base units.
    wants: Option<u64>,
    /// The instance was killed, and starts again.
    #[serde(default)]
    restart: bool,
    /// The instance is told to stop.
    #[serde(default)]
    close: bool,
    /// So many seconds pass at all instances.
    pass: Option<i64>,
    /// All that the verifier is asked for, and what it says to that.
    #[serde(default)]
    verifier: Vec<(String, Said)>,
    /// What the client is told: a status, the reason of a refusal, or `again`.
    told: Option<Told>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Handler {
    Status(u16),
    Nothing(Dies),
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Dies {
    /// The instance is killed while the handler runs.
    Dies,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Told {
    Status(u16),
    Reason(String),
}

fn one() -> usize {
    1
}

fn ok() -> Handler {
    Handler::Status(200)
}

#[test]
fn every_conversation_goes_as_it_is_written() {
    play("merchant.json", 20, |conversation| if conversation.stream { "/tick" } else { "/report" });
}

#[test]
fn every_conversation_about_charges_goes_as_it_is_written() {
    play("merchant-charges.json", 10, |_| "/charge");
}

fn play(file: &str, at_least: usize, path: impl Fn(&Conversation) -> &'static str) {
    let text = std::fs::read_to_string(format!("../docs/conversations/{file}")).unwrap();
    let conversations: Vec<Conversation> = serde_json::from_str(&text).unwrap();
    assert!(conversations.len() > at_least);
    for conversation in conversations {
        let mut player = Player::new(conversation.instances, path(&conversation));
        for (number, step) in (1..).zip(&conversation.steps) {
            let place = format!("{}, step {number}", conversation.name);
            player.expect(&place, &step.verifier);
            let told = player.play(step);
            assert_eq!(told, step.told, "{place}");
            player.assert_all_was_asked(&place);
        }
    }
}
