//! Pages of `docs/` say what the code does: test names, field names, error codes and examples are held against it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use x402_escrow_interface::{deployment::LOCAL_PROGRAM_ID, error::EscrowError};
use x402_escrow_wire::{
    auth_capture::{
        CaptureAuthorizer, CaptureMode, ChargeCapture, Extra, IntentPayload, Level, LifecyclePayload,
    },
    error_code::ErrorCode,
    payment::PaymentRequirements,
    text::{Base58, Decimal, Hex32},
};

const SCHEME: &str = "docs/scheme-auth-capture-svm.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Everything between backticks, outside of code blocks.
fn quoted(text: &str) -> Vec<&str> {
    let outside = text.split("\n```").step_by(2);
    outside.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The first column of the table under the header that starts with `header`.
fn first_column(text: &str, header: &str) -> BTreeSet<String> {
    let start = text.find(header).unwrap_or_else(|| panic!("no table {header}"));
    let rows = text[start..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().trim_matches('`').to_owned()).collect()
}

/// The page's JSON examples; what they leave out stands there as an ellipsis.
fn examples(text: &str) -> Vec<Value> {
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let id = format!("\"paymentId\": \"{}\"", "0".repeat(64));
    let signature = format!("\"signature\": \"{}\"", Base58([1; 64]));
    let lines = blocks.flat_map(|block| {
        let whole = block.replace("\"paymentId\": \"…\"", &id).replace("\"signature\": \"…\"", &signature);
        let values = serde_json::Deserializer::from_str(&whole).into_iter::<Value>();
        values.map(Result::unwrap).collect::<Vec<_>>()
    });
    lines.collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut code = String::new();
    for folder in [
        "tests/tests",
        "verifier/tests",
        "verifier/src",
        "merchant/src",
        "merchant/tests",
        "agent/src",
        "agent/tests",
    ] {
        sources(&root().join(folder), &mut code);
    }
    for (path, least) in [("docs/threat-model.md", 30), (SCHEME, 15)] {
        let page = page(path);
        let is_name = |text: &&str| text.matches('_').count() > 2 && !text.contains(['/', '…', '.']);
        let names: Vec<_> = quoted(&page).into_iter().filter(is_name).collect();
        assert!(names.len() > least, "{names:?}");
        for name in names.into_iter().filter(|name| !name.starts_with("invalid_auth_capture_svm_")) {
            assert!(code.contains(&format!("fn {name}()")), "{path} names {name}, and no test has that name");
        }
    }
}

#[test]
fn fields_of_the_scheme_are_those_on_the_wire() {
    let key = Base58([1; 32]);
    let extra = Extra {
        payment_flow: "escrow".to_owned(),
        capture_mode: Some(CaptureMode::Sync),
        program: key,
        fee_payer: key,
        capture_authorizer: CaptureAuthorizer::Key(key),
        request_price: Some(Decimal(1)),
        receiver_authorizer: key,
        capture_deadline: 1,
        refund_deadline: 2,
        fee_recipient: Some(key),
        max_fee_bps: 1,
        resource_hash: Hex32([1; 32]),
        commitment: Some(Level::Confirmed),
    };
    let text = page(SCHEME);
    assert_eq!(first_column(&text, "| `extra` | required |"), keys(&json!(extra)));

    let capture = LifecyclePayload::Capture {
        payment_id: Hex32([1; 32]),
        amount: Decimal(2),
        fee: Decimal(1),
        last: true,
        signature: Base58([1; 64]),
    };
    assert_eq!(first_column(&text, "| field | |"), keys(&json!(capture)));
}

#[test]
fn examples_of_the_scheme_can_be_read_and_leave_no_field_out() {
    let examples = examples(&page(SCHEME));
    let [requirements, intent, capture, void, charge] = examples.as_slice() else {
        panic!("{} examples", examples.len())
    };
    let read: PaymentRequirements = serde_json::from_value(requirements.clone()).unwrap();
    let extra = Extra::read(&read).unwrap();
    assert_eq!(json!(read), *requirements);
    assert_eq!(Value::Object(extra.to_map()), requirements["extra"]);
    assert_eq!(extra.program, LOCAL_PROGRAM_ID.into());
    let payload: IntentPayload = serde_json::from_value(intent.clone()).unwrap();
    assert_eq!(json!(payload), *intent);
    let consent: ChargeCapture = serde_json::from_value(charge.clone()).unwrap();
    assert_eq!(json!(consent), *charge);
    for operation in [capture, void] {
        let payload: LifecyclePayload = serde_json::from_value(operation.clone()).unwrap();
        assert_eq!(json!(payload), *operation);
    }
}

#[test]
fn error_codes_of_the_scheme_are_those_on_the_wire() {
    let own = ErrorCode::ALL.iter().map(|code| code.as_str()).filter(|code| code.contains("_auth_capture_"));
    assert_eq!(first_column(&page(SCHEME), "| code | |"), own.map(str::to_owned).collect());
}

#[test]
fn errors_that_pages_name_are_the_programs() {
    let known: BTreeSet<_> = EscrowError::ALL.iter().map(|error| error.name()).collect();
    for path in ["docs/program.md", SCHEME] {
        let text = page(path);
        let names = quoted(&text).into_iter().filter(|name| {
            name.len() > 8 && name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphabetic)
        });
        for name in names {
            assert!(known.contains(name), "{path} names {name}, which is no error of the program");
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.chain([root().join("README.md"), root().join("SECURITY.md")]);
    for path in pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            let leads = link.starts_with("http") || path.parent().unwrap().join(file).exists();
            assert!(leads, "{} links to {link}", path.display());
        }
    }
}
