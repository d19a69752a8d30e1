//! What a verifier drafted and a server asked for, before an agent signs: neither is trusted.

use serde_json::{Value, from_slice};
use x402_escrow_agent::{
    SessionFile,
    draft::{Expected, check},
};
use x402_escrow_interface::{
    deployment::LOCAL_PROGRAM_ID,
    message::{Intent, PaymentFlow},
};
use x402_escrow_wire::{
    payment::{PaymentPayload, PaymentRequired},
    text::Base58,
};

const NOW: i64 = 1_800_000_000;
const MAXIMUM_AMOUNT: u64 = 1_000;
const NONCE: u64 = 1;
const RESOURCE_HASH: [u8; 32] = [6; 32];

/// `data` is a JSON array of the draft and the challenge.
pub fn run(data: &[u8]) -> bool {
    let Ok((draft, challenge)) = from_slice::<(PaymentPayload, PaymentRequired)>(data) else { return false };
    let session = session();
    let expected = Expected {
        session: &session,
        challenge: &challenge,
        resource_hash: RESOURCE_HASH,
        maximum_amount: MAXIMUM_AMOUNT,
        maximum_request_price: None,
        nonce: NONCE,
        receiver_proof: &[],
        now: NOW,
    };
    match check(&draft, &expected) {
        Ok(intent) => {
            check_intent(&intent, &session);
            assert!(challenge.accepts.iter().any(|offer| is_offered(offer, &intent)), "{intent:?}");
            true
        }
        Err(error) => {
            assert!(!error.field.is_empty() && !error.message.is_empty(), "{error}");
            false
        }
    }
}

/// What an agent may sign, said once more.
fn check_intent(intent: &Intent, session: &SessionFile) {
    assert_eq!(intent.program.to_bytes(), session.program.0);
    assert_eq!(intent.escrow.to_bytes(), session.escrow.0);
    assert_eq!(intent.session_key.to_bytes(), session.session_key.0);
    assert_eq!(intent.incarnation, session.incarnation.0);
    assert_eq!(intent.resource_hash, RESOURCE_HASH);
    let is_charged_by_anyone = intent.capture_authorizer == intent.session_key;
    assert!(intent.flow == PaymentFlow::Escrow || !is_charged_by_anyone, "{intent:?}");
    assert!(intent.amount <= MAXIMUM_AMOUNT && intent.nonce == NONCE);
    assert!(NOW < intent.authorize_by && intent.authorize_by <= NOW + 15 * 60);
    assert!(intent.authorize_by <= intent.capture_deadline);
    assert!(intent.capture_deadline <= NOW + 7 * 24 * 60 * 60);
    let payees = [intent.receiver, intent.escrow];
    assert!(intent.maximum_fee_bps == 0 || !payees.contains(&intent.fee_recipient), "{intent:?}");
}

/// Whether the server asked for this amount, to be paid to this receiver.
fn is_offered(offer: &Value, intent: &Intent) -> bool {
    let amount = offer["amount"].as_str().and_then(|amount| amount.parse::<u64>().ok());
    amount == Some(intent.amount) && offer["payTo"] == Base58(intent.receiver.to_bytes()).to_string()
}

fn session() -> SessionFile {
    SessionFile {
        network: "solana:test".to_owned(),
        program: LOCAL_PROGRAM_ID.into(),
        escrow: Base58([1; 32]),
        mint: Base58([2; 32]),
        decimals: 6,
        session_key: Base58([4; 32]),
        incarnation: Base58([3; 32]),
        expires_at: 2_000_000_000,
        verifier: "http://127.0.0.1:1".to_owned(),
        receivers: Vec::new(),
        // Drafts are checked without it.
        secret_key: Base58([0; 32]),
    }
}
