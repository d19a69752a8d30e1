//! The page's table is what was seen here.

use std::fs;

use x402_escrow_domain::signature::is_valid;
use x402_escrow_interface::{
    Address,
    error::EscrowError,
    instruction::{Consent, Signature},
    message::{Capture, Intent},
};
use x402_escrow_tests::{
    checkout_file,
    svm::{Refusal, World},
};

use super::{crafted, forgery::Forgery, precompile::Precompile, published::Published};

const HEADER: &str = "| case | signatures | program | verifier | precompile |\n|---|---|---|---|---|\n";

/// What each said about one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdicts {
    /// `None` where the message is none of the program's.
    program: Option<bool>,
    verifier: bool,
    precompile: bool,
}

#[test]
fn program_verifier_and_precompile_agree_as_the_page_says() {
    let precompile = Precompile::start();
    let mut world = World::with_session();
    let mut table = HEADER.to_owned();
    for published in Published::all() {
        let (key, message, signature) = (published.key(), published.message(), published.signature());
        let verdicts = Verdicts {
            program: None,
            verifier: is_valid(&key, &message, &signature),
            precompile: precompile.accepts(&key, &message, &signature),
        };
        table += &row(&published.name, published.accepted, &[verdicts]);
    }
    for case in crafted::all() {
        let verdicts: Vec<_> =
            case.forgeries.iter().map(|forgery| ask(&mut world, &precompile, forgery, case.name)).collect();
        table += &row(case.name, case.accepted, &verdicts);
    }
    let page = fs::read_to_string(checkout_file("docs/ed25519.md")).unwrap();
    assert!(page.contains(&table), "docs/ed25519.md should have this table:\n{table}");
}

/// Has the forger sign a capture, and each of the three say whether that is a signature.
fn ask(world: &mut World, precompile: &Precompile, forgery: &Forgery, name: &str) -> Verdicts {
    let capture_authorizer = Address::from(forgery.key());
    let nonce = world.session().highest_nonce + 1;
    let intent = Intent { capture_authorizer, nonce, amount: 1_000, ..world.intent() };
    world.succeed(&[world.authorize(&intent)]);
    // Where R is fixed, only another message changes the hash.
    let signed = (1..=intent.amount).find_map(|amount| {
        let message = world.capture_message(&intent, amount);
        forgery.sign(&message.signed_bytes()).map(|signature| (message, signature))
    });
    let (message, signature) = signed.unwrap_or_else(|| panic!("{name}: can't be made"));
    let signed_bytes = message.signed_bytes();
    Verdicts {
        program: Some(program_accepts(world, &intent, &message, signature)),
        verifier: is_valid(&capture_authorizer, &signed_bytes, &signature),
        precompile: precompile.accepts(&capture_authorizer, &signed_bytes, &signature),
    }
}

fn program_accepts(world: &mut World, intent: &Intent, capture: &Capture, signature: Signature) -> bool {
    let instruction = world.capture_by(intent, capture, Consent::Signature(signature));
    match world.chain.attempt(&instruction) {
        // A capture of nothing more would pass with any signature.
        Ok(receipt) => !receipt.events.is_empty(),
        Err(Refusal::Escrow(EscrowError::InvalidSignature)) => false,
        Err(refusal) => panic!("refused for another reason: {refusal}"),
    }
}

/// One line of the table. The three must say the same, and what the case says.
fn row(name: &str, accepted: bool, verdicts: &[Verdicts]) -> String {
    for (index, verdict) in verdicts.iter().enumerate() {
        let Verdicts { program, verifier, precompile } = *verdict;
        assert_eq!(verifier, accepted, "the verifier: {name}, {index}");
        assert!(program.is_none_or(|program| program == accepted), "the program: {name}, {index}");
        assert_eq!(precompile, accepted, "the precompile: {name}, {index}");
    }
    let first = verdicts[0];
    let word = |accepted| if accepted { "accepted" } else { "refused" };
    let program = first.program.map_or("–", word);
    format!(
        "| {name} | {} | {program} | {} | {} |\n",
        verdicts.len(),
        word(first.verifier),
        word(first.precompile)
    )
}
