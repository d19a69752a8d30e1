use serde_json::{Value, json};
use x402_escrow_wire::{
    auth_capture::{CaptureAuthorizer, ESCROW_FLOW, Level, SCHEME},
    payment::{PaymentRequirements, ResourceInfo},
    text::{Base58, Key},
};

use super::{offer::MAXIMUM_HOLD_SECONDS, *};
use crate::session_file::tests::session;

const NOW: i64 = 1_700_000_000;

fn draft() -> PaymentPayload {
    let session = session();
    let extra = Extra {
        payment_flow: ESCROW_FLOW.into(),
        capture_mode: None,
        program: session.program,
        fee_payer: Base58([4; 32]),
        capture_authorizer: CaptureAuthorizer::Key(Base58([5; 32])),
        request_price: None,
        receiver_authorizer: Base58([5; 32]),
        capture_deadline: NOW + 600,
        refund_deadline: 0,
        fee_recipient: None,
        max_fee_bps: 0,
        resource_hash: Hex32([6; 32]),
        commitment: Some(Level::Confirmed),
    };
    PaymentPayload {
        x402_version: 2,
        resource: None,
        accepted: PaymentRequirements {
            scheme: SCHEME.into(),
            network: session.network.clone(),
            amount: Decimal(1000),
            asset: session.mint,
            pay_to: Base58([5; 32]),
            max_timeout_seconds: 60,
            extra: extra.to_map(),
        },
        payload: json!({"escrow": session.escrow, "sessionKey": session.session_key,
            "incarnation": session.incarnation, "nonce": "1", "authorizeBy": NOW + 60}),
        extensions: None,
    }
}

/// Checks a draft that was altered; the challenge offers what `offered` makes of the honest one.
fn refused_field(alter: impl Fn(&mut PaymentPayload), offered: bool) -> String {
    refused_field_of(&session(), alter, offered)
}

fn refused_field_of(session: &SessionFile, alter: impl Fn(&mut PaymentPayload), offered: bool) -> String {
    let mut altered = draft();
    alter(&mut altered);
    let offer = if offered { altered.accepted.clone() } else { draft().accepted };
    let challenge = PaymentRequired {
        x402_version: 2,
        error: None,
        resource: ResourceInfo { url: "https://a.test/".into(), ..ResourceInfo::default() },
        accepts: vec![json!({"scheme": "other"}), serde_json::to_value(offer).unwrap()],
        extensions: None,
    };
    let expected = Expected {
        session,
        challenge: &challenge,
        resource_hash: [6; 32],
        maximum_amount: 1000,
        maximum_request_price: None,
        nonce: 1,
        receiver_proof: &[],
        now: NOW,
    };
    check(&altered, &expected).map_or_else(
        |error| error.field,
        |intent| {
            assert_eq!(intent.amount, 1000);
            "none".into()
        },
    )
}

#[test]
fn honest_draft_is_accepted() {
    assert_eq!(refused_field(|_| {}, true), "none");
}

#[test]
fn offer_that_the_server_did_not_make_is_refused() {
    assert_eq!(refused_field(|draft| draft.accepted.pay_to = Base58([8; 32]), false), "accepted");
    assert_eq!(refused_field(|draft| draft.accepted.amount = Decimal(1), false), "accepted");
}

#[test]
fn the_cheapest_offer_in_the_sessions_token_is_what_must_be_cheap_enough() {
    let session = session();
    let offer = |amount: u64, change: &dyn Fn(&mut PaymentRequirements)| {
        let mut offer = PaymentRequirements { amount: Decimal(amount), ..draft().accepted };
        change(&mut offer);
        json!(offer)
    };
    let check = |accepts: Vec<Value>| {
        let resource = ResourceInfo { url: "https://a.test/".into(), ..ResourceInfo::default() };
        let challenge = PaymentRequired { x402_version: 2, error: None, resource, accepts, extensions: None };
        check_price(&challenge, &session, 1_000_000, false).map_err(|error| error.to_string())
    };
    assert_eq!(check(vec![offer(1_000_001, &|_| {}), offer(1_000_000, &|_| {})]), Ok(()));
    let cheap_elsewhere = [
        offer(1, &|offer| offer.asset = Base58([8; 32])),
        offer(1, &|offer| offer.network = "solana:x".into()),
        offer(1, &|offer| offer.scheme = "exact".into()),
        offer(1, &|offer| _ = offer.extra.insert("captureAuthorizer".into(), "sessionKey".into())),
    ];
    let dear = [offer(2_500_000, &|_| {}), offer(1_250_000, &|_| {})];
    let told = check([cheap_elsewhere.as_slice(), &dear].concat()).unwrap_err();
    assert!(told.contains("accepted.amount: 1.25 is above the maximum of 1"), "{told}");
    assert_eq!(check(cheap_elsewhere.to_vec()), Ok(()), "the verifier says what is wrong with these");
}

#[test]
fn offer_outside_what_the_agent_wants_is_refused() {
    let with_extra = |name: &'static str, value: Value| {
        move |draft: &mut PaymentPayload| _ = draft.accepted.extra.insert(name.into(), value.clone())
    };
    assert_eq!(refused_field(|draft| draft.accepted.scheme = "exact".into(), true), "accepted.scheme");
    assert_eq!(refused_field(|draft| draft.accepted.network = "solana:x".into(), true), "accepted.network");
    assert_eq!(refused_field(|draft| draft.accepted.asset = Base58([8; 32]), true), "accepted.asset");
    assert_eq!(refused_field(|draft| draft.accepted.amount = Decimal(1001), true), "accepted.amount");
    let other = json!(Base58([8; 32]));
    assert_eq!(refused_field(with_extra("program", other), true), "accepted.extra.program");
    assert_eq!(
        refused_field(with_extra("paymentFlow", json!("upfront")), true),
        "accepted.extra.paymentFlow"
    );
    let charged_later = |draft: &mut PaymentPayload| {
        draft.accepted.extra.insert("paymentFlow".into(), json!("authorization"));
        draft.accepted.extra.insert("captureMode".into(), json!("deferred"));
    };
    assert_eq!(refused_field(charged_later, true), "accepted.extra.captureMode");
    let charged_by_anyone = |draft: &mut PaymentPayload| {
        draft.accepted.extra.insert("paymentFlow".into(), json!("authorization"));
        draft.accepted.extra.insert("captureAuthorizer".into(), json!("sessionKey"));
    };
    assert_eq!(refused_field(charged_by_anyone, true), "accepted.extra.captureAuthorizer");
    assert_eq!(
        refused_field(with_extra("resourceHash", json!("00".repeat(32))), true),
        "accepted.extra.resourceHash"
    );
    assert_eq!(
        refused_field(with_extra("captureDeadline", json!(NOW + MAXIMUM_HOLD_SECONDS + 1)), true),
        "accepted.extra.captureDeadline"
    );
}

#[test]
fn fee_that_only_the_receiver_or_the_escrow_could_collect_is_refused() {
    let fee = |bps: u16, recipient: Option<Key>| {
        move |draft: &mut PaymentPayload| {
            let extra = Extra::read(&draft.accepted).unwrap();
            draft.accepted.extra = Extra { max_fee_bps: bps, fee_recipient: recipient, ..extra }.to_map();
        }
    };
    let (pay_to, other) = (Base58([5; 32]), Base58([8; 32]));
    for (recipient, field) in
        [(None, "maxFeeBps"), (Some(pay_to), "feeRecipient"), (Some(session().escrow), "feeRecipient")]
    {
        assert_eq!(refused_field(fee(1, recipient), true), format!("accepted.extra.{field}"));
        assert_eq!(refused_field(fee(0, recipient), true), "none");
    }
    assert_eq!(refused_field(fee(1, Some(other)), true), "none");
    let listed = SessionFile { receivers: vec![pay_to], ..session() };
    assert_eq!(refused_field_of(&listed, fee(1, Some(other)), true), "accepted.extra.maxFeeBps");
}

#[test]
fn payload_of_another_session_or_time_is_refused() {
    let with = |name: &'static str, value: Value| {
        move |draft: &mut PaymentPayload| draft.payload[name] = value.clone()
    };
    let other = json!(Base58([8; 32]));
    for name in ["escrow", "sessionKey", "incarnation"] {
        assert_eq!(refused_field(with(name, other.clone()), true), format!("payload.{name}"));
    }
    for nonce in ["0", "2"] {
        assert_eq!(refused_field(with("nonce", json!(nonce)), true), "payload.nonce");
    }
    let proof = json!([Hex32([1; 32])]);
    assert_eq!(refused_field(with("receiverProof", proof), true), "payload.receiverProof");
    for time in [NOW, NOW + 601] {
        assert_eq!(refused_field(with("authorizeBy", json!(time)), true), "payload.authorizeBy");
    }
    assert_eq!(refused_field(|draft| draft.payload = json!({}), true), "payload.escrow");
}
