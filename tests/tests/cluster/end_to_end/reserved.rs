//! Captures that are answered when they are on the verifier's disk, and reach the chain later and together.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use solana_sdk::signature::{Signature, Signer};
use x402_escrow_interface::address::{TOKEN_PROGRAM_ID, associated_token};
use x402_escrow_tests::local::Merchant;

use crate::shop::Shop;

/// Prices of /weather and of /quote, in base units. The verifier answers captures of the one `reserved`, and of the other
/// `confirmed`.
const WEATHER: u64 = 1_000;
const QUOTE: u64 = 10_000;

const FINALITY_ON_HOLD: &str = "[{ up_to = '5000', commitment = 'reserved' }, { commitment = 'confirmed' }]";

/// A capture waits a minute for others.
const SETTINGS: [(&str, &str); 4] = [
    ("X402_FINALITY", "[{ commitment = 'confirmed' }]"),
    ("X402_FINALITY_ON_CONFIRMED_HOLD", FINALITY_ON_HOLD),
    ("X402_FINALITY_ON_FINALIZED_HOLD", FINALITY_ON_HOLD),
    ("X402_GATHER_SECONDS", "60"),
];
const GATHER: Duration = Duration::from_secs(60);

/// Captures do not wait once those of so many times the weather, and one more, are there.
const FIVE: (&str, &str) = ("X402_GATHER_VALUE", "5000");
const ELEVEN: (&str, &str) = ("X402_GATHER_VALUE", "11000");

/// Base fee of a signature, and what one capture costs above it where blocks are not full, in lamports: also near a deadline.
const BASE_FEE: u64 = 5_000;
const LEAST_PRIORITY_FEE: u64 = 45;

impl Shop {
    /// Buys what is at `path` of `merchant`, and returns the payment's id and the answer to its capture.
    fn buy(&self, merchant: &Merchant, path: &str) -> (String, Value) {
        let fetched = self.agent.run(&["fetch", &format!("{}{path}", merchant.url)]).unwrap();
        assert_eq!(fetched["status"], 200, "{fetched}");
        let payment = &fetched["payment"];
        assert_eq!(payment["settlement"]["success"], true, "{fetched}");
        (payment["paymentId"].as_str().unwrap().to_owned(), payment["settlement"].clone())
    }

    /// Buys the weather, whose capture is answered when it is stored.
    fn buy_reserved(&self, merchant: &Merchant) -> String {
        let (id, answer) = self.buy(merchant, "/weather?city=Lima");
        let extra = &answer["extra"];
        let said = ["commitmentAsked", "commitmentRequired", "commitmentObserved", "status", "captured"]
            .map(|member| &extra[member]);
        let expected = [Value::Null, json!("reserved"), json!("reserved"), json!("unsettled"), json!("0")];
        assert_eq!(said, expected.each_ref(), "{answer}");
        assert!(
            ["confirmed_hold", "finalized_hold"].map(Value::from).contains(&extra["restsOn"]),
            "{answer}"
        );
        assert!(extra["observedAtSlot"].as_u64().unwrap() > 0, "of the hold: {answer}");
        id
    }

    /// Fails unless `expected` are all the transactions that name `merchant`'s token account since it has one. Returns
    /// what they cost, in lamports.
    #[track_caller]
    fn assert_payouts(&self, merchant: &Merchant, expected: &BTreeSet<Signature>) -> u64 {
        // The fee is known once the node has a transaction in its history.
        let fees = expected.iter().map(|signature| self.local.chain.fee(signature).unwrap()).sum();
        let account = associated_token(&merchant.key.pubkey(), &self.local.mint, &TOKEN_PROGRAM_ID);
        let mut signatures = self.local.chain.signatures(&account).unwrap();
        signatures.pop().expect("the oldest made the token account");
        assert_eq!(&signatures.into_iter().collect::<BTreeSet<_>>(), expected);
        fees
    }

    /// Waits until all of these were captured, and returns the transactions that did it: of each payment one.
    fn captures_of(&self, ids: &[String]) -> BTreeSet<Signature> {
        let capture = |id: &String| {
            let is_sure = |operation: &Value| {
                ["confirmed", "finalized"].map(Value::from).contains(&operation["status"])
            };
            let captured = || Ok(is_sure(&self.verifier.payment(id)?["operations"][1]));
            self.local.chain.wait_until("a payment to be captured", 2 * GATHER, captured).unwrap();
            let payment = self.verifier.payment(id).unwrap();
            let transactions = payment["transactions"].as_array().unwrap();
            let kinds: Vec<_> = transactions.iter().map(|one| &one["kind"]).collect();
            assert_eq!(kinds, ["authorize", "capture"], "{payment}");
            assert_eq!(payment["state"], "ended", "{payment}");
            assert_eq!(payment["captured"], WEATHER.to_string(), "{payment}");
            signature(&transactions[1]["signature"])
        };
        ids.iter().map(capture).collect()
    }
}

fn signature(text: &Value) -> Signature {
    text.as_str().unwrap().parse().unwrap()
}

#[test]
fn purchases_that_are_answered_reserved_share_transactions_and_are_captured_once() {
    let shop = Shop::open_with(&[SETTINGS.as_slice(), &[ELEVEN]].concat(), &["--held"]);
    let mut alone = BTreeSet::new();
    for _ in 0..3 {
        let (_, answer) = shop.buy(&shop.merchant, "/quote?symbol=SOL");
        assert_eq!(answer["extra"]["commitmentRequired"], "confirmed", "{answer}");
        alone.insert(signature(&answer["transaction"]));
    }
    let one = shop.assert_payouts(&shop.merchant, &alone) / 3;

    let ids: Vec<_> = (0..12).map(|_| shop.buy_reserved(&shop.merchant)).collect();
    let gathered = shop.captures_of(&ids);
    assert_eq!(gathered.len(), 1, "the cluster takes version 1, and all of them fit");
    let fees = shop.assert_payouts(&shop.merchant, &(&alone | &gathered));
    shop.assert_books(3 * QUOTE + 12 * WEATHER, 0);

    let many = (fees - 3 * one) / 12;
    println!("{} captures in {} transactions, {many} lamports each; alone {one}", ids.len(), gathered.len());
    assert!(6 * many < one, "{many} lamports a capture, {one} alone");
}

#[test]
fn captures_answered_reserved_outlive_a_verifier_that_sent_none_of_them() {
    let mut shop = Shop::open_with(&[SETTINGS.as_slice(), &[FIVE]].concat(), &["--held"]);
    let mut ids: Vec<_> = (0..5).map(|_| shop.buy_reserved(&shop.merchant)).collect();
    shop.verifier.kill();
    shop.assert_payouts(&shop.merchant, &BTreeSet::new());
    shop.assert_books(0, 5 * WEATHER);
    // The merchant was told yes, and keeps its captures until they are final.
    for id in &ids {
        assert_eq!(shop.recorded(id).as_deref(), Some("capturing"), "{id}");
    }

    // With the sixth there is enough, and the verifier dies while it sends it, or a moment before or after.
    shop.verifier.restart().unwrap();
    ids.push(shop.buy_reserved(&shop.merchant));
    shop.verifier.kill();
    shop.verifier.restart().unwrap();
    let captures = shop.captures_of(&ids);
    assert_eq!(captures.len(), 1);
    shop.assert_payouts(&shop.merchant, &captures);
    shop.assert_books(6 * WEATHER, 0);
}

#[test]
fn a_reserved_capture_near_its_deadline_waits_for_no_others_and_takes_those_that_wait_along() {
    // Two minutes before the deadline nothing is answered `reserved` any more, and what was is sent.
    let settings = [SETTINGS.as_slice(), &[("X402_VOUCHER_MARGIN_SECONDS", "120")]].concat();
    let shop = Shop::open_with(&settings, &["--held"]);
    let start = |name, window| {
        let arguments = ["--held", "--capture-window", window];
        Merchant::start_with(&shop.local, &shop.verifier, name, &arguments).unwrap()
    };
    let (soon, late) = (start("soon", "140"), start("late", "100"));
    let began = Instant::now();
    let mut ids = vec![shop.buy_reserved(&shop.merchant), shop.buy_reserved(&shop.merchant)];
    ids.push(shop.buy_reserved(&soon));
    let captures = shop.captures_of(&ids);
    assert!(began.elapsed() < GATHER, "nothing waited so long: {:?}", began.elapsed());
    assert_eq!(captures.len(), 1);
    for merchant in [&shop.merchant, &soon] {
        let fees = shop.assert_payouts(merchant, &captures);
        assert_eq!(fees, BASE_FEE + 3 * LEAST_PRIORITY_FEE);
    }
    println!(
        "{} captures, the last near its deadline: in one transaction after {:?}",
        ids.len(),
        began.elapsed()
    );

    // Later than that a capture is answered when it is on chain.
    let (_, answer) = shop.buy(&late, "/weather?city=Lima");
    let said = ["commitmentRequired", "status", "captured"].map(|member| &answer["extra"][member]);
    assert_eq!(said, [&json!("confirmed"), &json!("confirmed"), &json!(WEATHER.to_string())], "{answer}");
    shop.assert_payouts(&late, &BTreeSet::from([signature(&answer["transaction"])]));
    let balance =
        |merchant: &Merchant| shop.local.chain.tokens(&merchant.key.pubkey(), &shop.local.mint).unwrap();
    assert_eq!((balance(&shop.merchant), balance(&soon), balance(&late)), (2 * WEATHER, WEATHER, WEATHER));
    let escrow = shop.escrow();
    assert_eq!((escrow.balance, escrow.held), (crate::shop::DEPOSIT - 4 * WEATHER, 0));
}
