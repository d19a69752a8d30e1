use x402_escrow_interface::{
    Address,
    address::escrow,
    deployment::LOCAL_PROGRAM_ID,
    message::{Capture, Intent, PaymentFlow, Release, Revoke, RevokeScope},
    resource::resource_hash,
};

use super::address;
use crate::keys::test_seed;

pub(super) const SESSION_KEY: &str = "agent";
pub(super) const CAPTURE_AUTHORIZER: &str = "capture authorizer";
pub(super) const RECEIVER_AUTHORIZER: &str = "receiver authorizer";
const PAYER: &str = "payer";
const GUARDIAN: &str = "guardian";
/// Whoever signs a message.
pub(super) const SIGNERS: [&str; 5] = [SESSION_KEY, CAPTURE_AUTHORIZER, RECEIVER_AUTHORIZER, PAYER, GUARDIAN];

/// 15 January 2027, 08:00:00 UTC.
const TIME: i64 = 1_800_000_000;

/// Method, URL and body.
pub(super) const REQUESTS: [(&str, &str, &[u8]); 6] = [
    ("GET", "https://api.example/weather", b""),
    ("HEAD", "https://api.example/weather", b""),
    ("GET", "https://api.example/weather?city=Z%C3%BCrich&days=3", b""),
    ("POST", "https://api.example/translate", br#"{"text":"hello"}"#),
    ("POST", "https://api.example/translate", b"{\"text\":\"gr\xc3\xbcezi\"}\n"),
    ("PUT", "http://127.0.0.1:8402/blob/7", &[0, 1, 2, 0xFD, 0xFE, 0xFF]),
];

/// A hold of 10 USDC with a fee of up to 1 %, and variations.
pub(super) fn intents() -> [(&'static str, Intent); 4] {
    let usual = usual();
    let channel = Intent {
        capture_authorizer: usual.session_key,
        amount: 25_000_000,
        nonce: 2,
        capture_deadline: TIME + 86_400,
        refund_deadline: TIME + 7 * 86_400,
        maximum_fee_bps: 0,
        ..usual
    };
    let charge = Intent {
        flow: PaymentFlow::Authorization,
        receiver_authorizer: usual.capture_authorizer,
        amount: 1,
        nonce: 3,
        ..usual
    };
    let bounds = Intent {
        amount: u64::MAX,
        nonce: u64::MAX,
        authorize_by: i64::MIN,
        capture_deadline: -1,
        refund_deadline: i64::MAX,
        maximum_fee_bps: u16::MAX,
        ..usual
    };
    [
        ("a hold of 10 USDC", usual),
        ("a payment channel: the session key authorizes the captures", channel),
        ("a charge of one base unit", charge),
        ("every number at a bound of its type", bounds),
    ]
}

pub(super) fn captures() -> [(&'static str, Capture); 4] {
    let part = Capture { intent_digest: usual().digest(), amount: 4_000_000, fee: 0, last: false };
    [
        ("up to 4 USDC so far", part),
        (
            "up to 9 USDC so far, of which up to 0.09 are the fee",
            Capture { amount: 9_000_000, fee: 90_000, ..part },
        ),
        ("exactly 4 USDC, and no more", Capture { last: true, ..part }),
        ("every number at a bound of its type", Capture { amount: u64::MAX, fee: u64::MAX, ..part }),
    ]
}

pub(super) fn releases() -> [(&'static str, Release); 3] {
    let all = Release { intent_digest: usual().digest(), amount: 0 };
    [
        ("everything goes back", all),
        ("the payment ends at 4 USDC", Release { amount: 4_000_000, ..all }),
        ("the number at a bound of its type", Release { amount: u64::MAX, ..all }),
    ]
}

/// Name, signer and message.
pub(super) fn revokes() -> [(&'static str, &'static str, Revoke); 4] {
    let Intent { program, escrow, session_key, incarnation, .. } = usual();
    let of = |scope| Revoke::new(program, escrow, scope);
    let one = of(RevokeScope::Session { session_key, incarnation });
    let every = of(RevokeScope::OpenedThroughSlot(453_000_000));
    [
        ("one incarnation of one session, by the payer", PAYER, one),
        ("one incarnation of one session, by the guardian", GUARDIAN, one),
        ("every session opened in slot 453,000,000 or before", GUARDIAN, every),
        ("the number at a bound of its type", PAYER, of(RevokeScope::OpenedThroughSlot(u64::MAX))),
    ]
}

/// The payer's escrow of USDC.
fn usual_escrow() -> Address {
    escrow(&LOCAL_PROGRAM_ID, &address(PAYER), &address("USDC"))
}

pub(super) fn usual() -> Intent {
    let (method, url, body) = REQUESTS[0];
    Intent {
        program: LOCAL_PROGRAM_ID,
        incarnation: test_seed("slot hash"),
        escrow: usual_escrow(),
        session_key: address(SESSION_KEY),
        receiver: address("receiver"),
        capture_authorizer: address(CAPTURE_AUTHORIZER),
        receiver_authorizer: address(RECEIVER_AUTHORIZER),
        fee_recipient: address("fee recipient"),
        resource_hash: resource_hash(method, url, body),
        amount: 10_000_000,
        nonce: 1,
        authorize_by: TIME + 60,
        capture_deadline: TIME + 600,
        refund_deadline: 0,
        maximum_fee_bps: 100,
        flow: PaymentFlow::Escrow,
    }
}
