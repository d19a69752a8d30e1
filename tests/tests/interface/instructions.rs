//! Every builder of the interface crate, called once or more with values that differ from each other.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use solana_sdk::instruction::{AccountMeta, Instruction};
use x402_escrow_interface::{
    Address, ID, address,
    instruction::{
        self, Charge, HoldAccounts, Proof, SessionLimits, Signature, authorize, cancel_withdrawal, capture,
        capture_and_release, charge, close_escrow, close_hold, close_session, deposit, open_session, reclaim,
        refund, refund_charge, request_withdrawal, revoke_session, sync, update_session, void, withdraw,
    },
    message::{Capture, Release},
};
use x402_escrow_tests::idl::{discriminator, entries, entry};

use super::{
    encoding,
    named::{escrow, hold, intent, named},
};

/// A built instruction, and what it must be by the IDL.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    instruction: Instruction,
    arguments: Value,
    /// Slots whose address is another than the one called like them.
    accounts: BTreeMap<&'static str, Address>,
    /// What follows the IDL's slots: the program's documentation names them.
    remaining: Vec<AccountMeta>,
}

impl Case {
    fn with<const N: usize>(mut self, accounts: [(&'static str, Address); N]) -> Self {
        self.accounts.extend(accounts);
        self
    }

    fn and(mut self, remaining: &[AccountMeta]) -> Self {
        self.remaining.extend_from_slice(remaining);
        self
    }

    #[track_caller]
    pub(crate) fn check(&self, idl: &Value) {
        let (name, described) = (self.name, entry(idl, "instructions", self.name));
        assert_eq!(self.instruction.program_id, ID, "{name}");

        let mut data = discriminator(described);
        let arguments = entries(described, "args");
        assert_eq!(self.arguments.as_object().map_or(0, |given| given.len()), arguments.len(), "{name}");
        for argument in arguments {
            let key = argument["name"].as_str().expect("an argument has a name");
            data.extend(encoding::encode(idl, &argument["type"], &self.arguments[key]));
        }
        assert_eq!(self.instruction.data, data, "{name}");

        let slots = entries(described, "accounts").iter().map(|slot| {
            let key = slot["name"].as_str().expect("a slot has a name");
            let fixed = slot["address"].as_str().map(|fixed| fixed.parse().expect("it is an address"));
            let pubkey = fixed.or(self.accounts.get(key).copied()).unwrap_or_else(|| named(key));
            let is_true = |flag: &str| slot[flag] == true;
            AccountMeta { pubkey, is_signer: is_true("signer"), is_writable: is_true("writable") }
        });
        let expected: Vec<_> = slots.chain(self.remaining.iter().cloned()).collect();
        assert_eq!(self.instruction.accounts, expected, "{name}");
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = of_escrows();
    cases.extend(of_sessions());
    cases.extend(of_intents());
    cases.extend(of_holds());
    cases
}

fn of_escrows() -> Vec<Case> {
    let (escrow, stored) = (named("escrow"), escrow());
    let opened = address::escrow(&stored.payer, &stored.mint);
    let vault = address::associated_token(&opened, &stored.mint, &stored.token_program);
    let [create, open] = instruction::open_escrow(
        &named("rent_payer"),
        &stored.payer,
        &stored.mint,
        &stored.token_program,
        86_400,
    )
    .try_into()
    .expect("two");
    assert_eq!(
        create,
        instruction::create_associated_token(
            &named("rent_payer"),
            &opened,
            &stored.mint,
            &stored.token_program
        )
    );
    let delay = json!({ "withdraw_delay_seconds": 86_400 });
    vec![
        case("open_escrow", open, delay).with([("escrow", opened), ("vault", vault)]),
        case(
            "deposit",
            deposit(&named("depositor"), &named("source"), &escrow, &stored, 7),
            json!({ "amount": 7, "refunded_intent": null }),
        ),
        case(
            "deposit",
            refund_charge(&[9; 32], &named("depositor"), &named("source"), &escrow, &stored, 7),
            json!({ "amount": 7, "refunded_intent": "09".repeat(32) }),
        ),
        case("sync", sync(&escrow, &stored), json!({})),
        case(
            "request_withdrawal",
            request_withdrawal(&escrow, &stored, u64::MAX),
            json!({ "amount": u64::MAX }),
        ),
        case("cancel_withdrawal", cancel_withdrawal(&escrow, &stored), json!({})),
        case("withdraw", withdraw(&escrow, &stored, &named("destination")), json!({})),
        case("close_escrow", close_escrow(&escrow, &stored), json!({})),
    ]
}

fn of_sessions() -> Vec<Case> {
    let [payer, escrow, session, session_key, rent_payer] =
        ["payer", "escrow", "session", "session_key", "rent_payer"].map(named);
    let limits = SessionLimits {
        expires_at: -1,
        maximum_payment: 2,
        maximum_total: 3,
        maximum_per_period: 4,
        period_seconds: 5,
        receiver: named("receiver"),
    };
    let arguments = json!({ "limits": {
        "expires_at": -1,
        "maximum_payment": 2,
        "maximum_total": 3,
        "maximum_per_period": 4,
        "period_seconds": 5,
        "receiver": limits.receiver.to_string(),
    }});
    let open = open_session(&rent_payer, &payer, &escrow, &session_key, &limits);
    let update = update_session(&payer, &escrow, &session, &limits);
    let opened = address::session(&escrow, &session_key);
    vec![
        case("open_session", open, arguments.clone()).with([("session", opened)]),
        case("update_session", update, arguments),
        case("revoke_session", revoke_session(&payer, &escrow, &session), json!({})),
        case("close_session", close_session(&payer, &escrow, &session, &rent_payer), json!({})),
    ]
}

fn of_intents() -> Vec<Case> {
    let (intent, stored) = (intent(), escrow());
    let signature = [0xA1; 64];
    let terms = json!({
        "amount": 1,
        "nonce": 2,
        "authorize_by": 3,
        "capture_deadline": 4,
        "refund_deadline": -5,
        "maximum_fee_bps": 6,
        "resource_hash": hex::encode(intent.resource_hash),
        "signature": hex::encode(signature),
    });
    let session = address::session(&intent.escrow, &intent.session_key);
    let authorized = authorize(&named("rent_payer"), &intent, &signature);
    let arguments = json!({ "intent": terms });

    let token_account = |owner| address::associated_token(&owner, &stored.mint, &stored.token_program);
    let charged = |given, arguments: Value, remaining: &[AccountMeta]| {
        let accounts = [("session", session), ("receiver_token_account", token_account(intent.receiver))];
        let arguments = json!({ "intent": terms, "terms": arguments });
        case("charge", charge(&intent, &signature, &stored, &given), arguments).with(accounts).and(remaining)
    };
    let whole = Charge { amount: 1, fee: 0, release: None, capture: None };
    let no_signatures =
        json!({ "amount": 1, "fee": 0, "release_signature": null, "capture_signature": null });
    let [release, capture] = [[0xB1; 64], [0xC1; 64]];
    let signed = Charge {
        amount: 8,
        fee: 9,
        release: Some(Proof::Signature(release)),
        capture: Some(Proof::Signature(capture)),
    };
    let signatures = json!({
        "amount": 8,
        "fee": 9,
        "release_signature": hex::encode(release),
        "capture_signature": hex::encode(capture),
    });
    let by_signers = Charge { fee: 9, release: Some(Proof::Signer), capture: Some(Proof::Signer), ..whole };
    let signers = json!({ "amount": 1, "fee": 9, "release_signature": null, "capture_signature": null });
    let fee = AccountMeta::new(token_account(intent.fee_recipient), false);
    let consents = [
        AccountMeta::new_readonly(intent.receiver_authorizer, true),
        AccountMeta::new_readonly(intent.capture_authorizer, true),
        fee.clone(),
    ];
    vec![
        case("authorize", authorized, arguments)
            .with([("session", session), ("hold", address::hold(&session, intent.nonce))]),
        charged(whole, no_signatures, &[]),
        charged(signed, signatures, &[fee]),
        charged(by_signers, signers, &consents),
    ]
}

fn of_holds() -> Vec<Case> {
    let (stored, hold) = (escrow(), hold());
    let (escrow_address, hold_address) = (named("escrow"), named("hold"));
    let of = HoldAccounts { escrow_address, escrow: &stored, hold_address, hold: &hold };
    let signature: Signature = [0xD1; 64];
    let proof = Proof::Signature(signature);
    let message = Capture { intent_digest: hold.intent_digest, amount: 7, fee: 0, last: false };
    let with_fee = Capture { fee: 5, last: true, ..message };
    let captured = |rest: Value, fee: Value, signature: Option<Signature>| json!({ "amount": 7, "rest": rest, "fee": fee, "signature": signature.map(hex::encode) });
    let fee = address::associated_token(&hold.fee_recipient, &stored.mint, &stored.token_program);
    let by_signer = [AccountMeta::new_readonly(hold.capture_authorizer, true), AccountMeta::new(fee, false)];
    let release_signature = [0xE1; 64];
    let released = json!({ "ReleasedBySignature": hex::encode(release_signature) });
    let release = Release { intent_digest: hold.intent_digest, amount: 7 };
    let voided =
        |signature: Option<Signature>| json!({ "amount": 7, "signature": signature.map(hex::encode) });
    vec![
        case("capture", capture(of, &message, proof), captured(json!("Held"), Value::Null, Some(signature))),
        case("capture", capture(of, &with_fee, Proof::Signer), captured(json!("Released"), json!(5), None))
            .and(&by_signer),
        case(
            "capture",
            capture_and_release(of, &message, proof, &release_signature),
            captured(released, Value::Null, Some(signature)),
        ),
        case("void", void(of, &release, proof), voided(Some(signature))),
        case("void", void(of, &release, Proof::Signer), voided(None))
            .and(&[AccountMeta::new_readonly(hold.receiver_authorizer, true)]),
        case("reclaim", reclaim(of), json!({})),
        case("refund", refund(of, &named("source"), 7), json!({ "amount": 7 })),
        case("close_hold", close_hold(&hold_address, &hold), json!({})),
    ]
}

/// Each slot is expected to have the address that bears its name, but for those given to [`Case::with`].
fn case(name: &'static str, instruction: Instruction, arguments: Value) -> Case {
    Case { name, instruction, arguments, accounts: BTreeMap::new(), remaining: Vec::new() }
}
