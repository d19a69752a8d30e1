//! The builders of what needs an intent or a hold.

use serde_json::{Value, json};
use solana_sdk::instruction::AccountMeta;
use x402_escrow_interface::{
    account::Hold,
    address,
    instruction::{
        Charge, ChargeCapture, Consent, HoldAccounts, authorize, capture, capture_and_release, charge,
        reclaim, void,
    },
    message::{Capture, Digest, Intent, PaymentFlow, Release},
};

use super::{
    case::{Case, case},
    named::{escrow, hold, intent, named},
};

/// A consent by a signature of these bytes, and how the IDL has it.
pub(super) fn by_signature(byte: u8) -> (Consent, Value) {
    (Consent::Signature([byte; 64]), json!({ "Signature": hex::encode([byte; 64]) }))
}

/// A signer's consent to what `digest` names, and how the IDL has it.
pub(super) fn by_signer(digest: &Digest) -> (Consent, Value) {
    (Consent::Signer, json!({ "Signer": hex::encode(digest) }))
}

const SIGNATURE: [u8; 64] = [0xA1; 64];

fn terms(intent: &Intent, receiver_terms: Value) -> Value {
    json!({
        "amount": intent.amount,
        "nonce": intent.nonce,
        "authorize_by": intent.authorize_by,
        "capture_deadline": intent.capture_deadline,
        "refund_deadline": intent.refund_deadline,
        "receiver_terms": receiver_terms,
        "resource_hash": hex::encode(intent.resource_hash),
        "signature": hex::encode(SIGNATURE),
    })
}

pub(super) fn of_intents() -> Vec<Case> {
    let mut cases = of_authorizations();
    cases.extend(of_charges());
    cases
}

fn of_authorizations() -> Vec<Case> {
    let plain = intent();
    let with_fee = Intent { maximum_fee_bps: 6, ..plain };
    let session = address::session(&plain.program, &plain.escrow, &plain.session_key);
    let proof = [[0xB1; 32], [0xB2; 32]];
    let authorized = |intent: &Intent, proof: &[Digest], receiver_terms: Value| {
        let built = authorize(&named("rent_payer"), intent, &SIGNATURE, proof);
        case("authorize", built, json!({ "intent": terms(intent, receiver_terms) }))
            .with([("session", session), ("hold", address::hold(&plain.program, &session, plain.nonce))])
    };
    vec![
        authorized(&plain, &[], json!("NoFee")),
        authorized(&with_fee, &[], json!({ "FeeUpTo": 6 })),
        authorized(&plain, &proof, json!({ "Listed": proof.map(hex::encode) })),
        // No session allows both, so the proof of an intent with a fee is left out.
        authorized(&with_fee, &proof, json!({ "FeeUpTo": 6 })),
    ]
}

fn of_charges() -> Vec<Case> {
    let stored = escrow();
    let intent = Intent { amount: 12, maximum_fee_bps: 6, flow: PaymentFlow::Authorization, ..intent() };
    let session = address::session(&intent.program, &intent.escrow, &intent.session_key);
    let token_account = |owner| address::associated_token(&owner, &stored.mint, &stored.token_program);
    let charged = |given: Charge, capture: Value, release: Value, remaining: &[AccountMeta]| {
        let arguments = json!({
            "intent": terms(&intent, json!({ "FeeUpTo": 6 })),
            "amount": given.amount,
            "capture": capture,
            "release": release,
        });
        case("charge", charge(&intent, &SIGNATURE, &[], &stored, &given), arguments)
            .with([("session", session), ("receiver_token_account", token_account(intent.receiver))])
            .and(remaining)
    };
    let whole = Charge { amount: 12, capture: None, release: None };
    let ((release, release_value), (consent, consent_value)) = (by_signature(0xC1), by_signature(0xC2));
    let under = ChargeCapture { amount: 10, fee: 9, last: false, consent };
    let last = ChargeCapture { amount: 8, fee: 0, last: true, consent };
    let digest = intent.digest();
    let (signer, signer_value) = by_signer(&digest);
    let fee = AccountMeta::new(token_account(intent.fee_recipient), false);
    let [capture_authorizer, receiver_authorizer] = [intent.capture_authorizer, intent.receiver_authorizer]
        .map(|authorizer| AccountMeta::new_readonly(authorizer, true));
    let bound = json!({ "amount": 10, "fee": 9 });
    vec![
        charged(whole, Value::Null, Value::Null, &[]),
        charged(
            Charge { amount: 8, capture: Some(under), release: Some(release) },
            json!({ "bound": bound, "last": false, "consent": consent_value }),
            release_value,
            std::slice::from_ref(&fee),
        ),
        charged(
            Charge { amount: 8, capture: Some(last), release: None },
            json!({ "bound": null, "last": true, "consent": consent_value }),
            Value::Null,
            &[],
        ),
        charged(
            Charge {
                amount: 8,
                capture: Some(ChargeCapture { consent: signer, ..under }),
                release: Some(signer),
            },
            json!({ "bound": bound, "last": false, "consent": signer_value }),
            signer_value,
            &[capture_authorizer, receiver_authorizer, fee],
        ),
    ]
}

pub(super) fn of_holds() -> Vec<Case> {
    let (stored, hold) = (escrow(), hold());
    let of = HoldAccounts {
        program: named("program"),
        escrow_address: named("escrow"),
        escrow: &stored,
        hold_address: named("hold"),
        hold: &hold,
    };
    let without_fees = HoldAccounts { hold: &Hold { maximum_fee_bps: 0, ..hold }, ..of };
    let (consent, consent_value) = by_signature(0xD1);
    let (signer, signer_value) = by_signer(&hold.intent_digest);
    let message = Capture { intent_digest: hold.intent_digest, amount: 7, fee: 0, last: false };
    let last = Capture { last: true, ..message };
    let with_fee = Capture { fee: 5, ..message };
    let captured = |end: Value, bound: Value, consent: &Value| json!({ "amount": 7, "end": end, "bound": bound, "consent": consent });
    let higher = Capture { amount: 9, ..message };
    let fee = address::associated_token(&hold.fee_recipient, &stored.mint, &stored.token_program);
    let fee = AccountMeta::new(fee, false);
    let capture_authorizer = AccountMeta::new_readonly(hold.capture_authorizer, true);
    let receiver_authorizer = AccountMeta::new_readonly(hold.receiver_authorizer, true);
    let release_signature = [0xE1; 64];
    let at_amount = json!({ "AtAmount": hex::encode(release_signature) });
    let release = Release { intent_digest: hold.intent_digest, amount: 7 };
    let voided = |consent: &Value| json!({ "amount": 7, "consent": consent });
    let (unchanged, none) = (json!("Unchanged"), Value::Null);
    vec![
        case(
            "capture",
            capture(of, 7, &message, consent),
            captured(unchanged.clone(), none.clone(), &consent_value),
        ),
        case(
            "capture",
            capture(of, 7, &higher, consent),
            captured(unchanged.clone(), json!({ "amount": 9, "fee": 0 }), &consent_value),
        ),
        case(
            "capture",
            capture(of, 7, &with_fee, signer),
            captured(unchanged.clone(), json!({ "amount": 7, "fee": 5 }), &signer_value),
        )
        .and(&[capture_authorizer, fee.clone()]),
        case(
            "capture",
            capture(without_fees, 7, &with_fee, consent),
            captured(unchanged, json!({ "amount": 7, "fee": 5 }), &consent_value),
        ),
        case("capture", capture(of, 7, &last, consent), captured(json!("AtBound"), none, &consent_value)),
        case(
            "capture",
            capture_and_release(of, 7, &Capture { fee: 5, ..higher }, consent, &release_signature),
            captured(at_amount, json!({ "amount": 9, "fee": 5 }), &consent_value),
        )
        .and(&[fee]),
        case("void", void(of, &release, consent), voided(&consent_value)),
        case("void", void(of, &release, signer), voided(&signer_value)).and(&[receiver_authorizer]),
        case("reclaim", reclaim(of), json!({})),
    ]
}
