//! Every builder of the interface crate, called once or more with values that differ from each other.

use serde_json::{Value, json};
use x402_escrow_interface::{
    address,
    instruction::{
        self, SessionLimits, close_escrow, close_session, deposit, open_session, refund, revoke_session,
        revoke_sessions, set_guardian, sync, update_session, withdraw,
    },
    message::{Digest, Revoke, RevokeScope},
};

use super::{
    case::{Case, case},
    named::{escrow, named, session},
    payments::{by_signature, by_signer, of_holds, of_intents},
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_escrows();
    cases.extend(of_sessions());
    cases.extend(of_revocations());
    cases.extend(of_intents());
    cases.extend(of_holds());
    cases
}

fn of_escrows() -> Vec<Case> {
    let [program, escrow_address, payer, destination, rent_payer, guardian, depositor, source] =
        ["program", "escrow", "payer", "destination", "rent_payer", "guardian", "depositor", "source"]
            .map(named);
    let stored = escrow();
    let opened = address::escrow(&program, &payer, &stored.mint);
    let vault = address::associated_token(&opened, &stored.mint, &stored.token_program);
    let [create, open] =
        instruction::open_escrow(&program, &rent_payer, &payer, &stored.mint, &stored.token_program)
            .try_into()
            .expect("two");
    assert_eq!(
        create,
        instruction::create_associated_token(&rent_payer, &opened, &stored.mint, &stored.token_program)
    );
    let withdrawn = |amount| withdraw(&program, &escrow_address, &stored, &destination, amount);
    let digest: Digest = [9; 32];
    vec![
        case("open_escrow", open, json!({})).with([("escrow", opened), ("vault", vault)]),
        case(
            "set_guardian",
            set_guardian(&program, &payer, &escrow_address, &guardian),
            json!({ "guardian": guardian.to_string() }),
        ),
        case(
            "deposit",
            deposit(&program, &depositor, &source, &escrow_address, &stored, 7),
            json!({ "amount": 7, "refunded_payment": null }),
        ),
        case(
            "deposit",
            refund(&program, &digest, &depositor, &source, &escrow_address, &stored, 7),
            json!({ "amount": 7, "refunded_payment": "09".repeat(32) }),
        ),
        case("sync", sync(&program, &escrow_address, &stored), json!({})),
        case("withdraw", withdrawn(Some(u64::MAX)), json!({ "amount": u64::MAX })),
        case("withdraw", withdrawn(None), json!({ "amount": null })),
        case("close_escrow", close_escrow(&program, &escrow_address, &stored, &destination), json!({})),
    ]
}

fn of_sessions() -> Vec<Case> {
    let [program, payer, escrow, session, session_key, rent_payer] =
        ["program", "payer", "escrow", "session", "session_key", "rent_payer"].map(named);
    let limits = SessionLimits {
        expires_at: -1,
        maximum_payment: 2,
        maximum_total: 3,
        maximum_per_period: 4,
        period_seconds: 5,
        receivers_root: [6; 32],
    };
    let arguments = json!({ "limits": {
        "expires_at": -1,
        "maximum_payment": 2,
        "maximum_total": 3,
        "maximum_per_period": 4,
        "period_seconds": 5,
        "receivers_root": "06".repeat(32),
    }});
    let open = open_session(&program, &rent_payer, &payer, &escrow, &session_key, &limits);
    let update = update_session(&program, &payer, &escrow, &session, &limits);
    let close = close_session(&program, &payer, &escrow, &session, &rent_payer);
    let opened = address::session(&program, &escrow, &session_key);
    vec![
        case("open_session", open, arguments.clone()).with([("session", opened)]),
        case("update_session", update, arguments),
        case("close_session", close, json!({})),
    ]
}

/// By message the revoker signs no transaction; as signer it names what it revokes.
fn of_revocations() -> Vec<Case> {
    let [program, revoker, escrow] = ["program", "revoker", "escrow"].map(named);
    let (stored, slot) = (session(), 0x0102_0304);
    let address = address::session(&program, &escrow, &stored.session_key);
    let (signature, by_message) = by_signature(0xA7);
    let of_one = RevokeScope::Session { session_key: stored.session_key, incarnation: stored.incarnation };
    let [one, all] = [of_one, RevokeScope::OpenedThroughSlot(slot)]
        .map(|scope| by_signer(&Revoke::new(program, escrow, scope).digest()));
    let revoke = |consent| revoke_session(&program, &revoker, &stored, consent);
    let revoke_all = |consent| revoke_sessions(&program, &revoker, &escrow, slot, consent);
    let all_by = |consent: &Value| json!({ "opened_through_slot": slot, "consent": consent });
    vec![
        case("revoke_session", revoke(signature), json!({ "consent": by_message }))
            .with([("session", address)]),
        case("revoke_session", revoke(one.0), json!({ "consent": one.1 }))
            .with([("session", address)])
            .signed_by("revoker"),
        case("revoke_sessions", revoke_all(signature), all_by(&by_message)),
        case("revoke_sessions", revoke_all(all.0), all_by(&all.1)).signed_by("revoker"),
    ]
}
