use x402_escrow_wire::{
    payment::PaymentRequirements,
    purchase::seller::{Hold, HoldEvent, Voucher, VoucherEvent},
    text::{Base58, Decimal, Hex32},
};

use super::*;

const ID: Hex32 = Hex32([1; 32]);
const NOW: i64 = 1_000_000;

fn about() -> About {
    let requirements = PaymentRequirements {
        scheme: "auth-capture".into(),
        network: "solana:test".into(),
        amount: Decimal(1000),
        asset: Base58([1; 32]),
        pay_to: Base58([2; 32]),
        max_timeout_seconds: 60,
        extra: serde_json::Map::new(),
    };
    About { requirements, authorize_by: NOW + 60, capture_deadline: NOW + 3600 }
}

fn hold(event: HoldEvent) -> Change {
    Change::of_hold(ID, event).about(about())
}

fn voucher(amount: u64, hold: Option<HoldEvent>, event: VoucherEvent) -> Change {
    Change { hold, ..Change::of_voucher(ID, amount, event).about(about()) }
}

/// The book after some changes.
fn book(changes: impl IntoIterator<Item = Change>) -> Book {
    let mut book = Book::default();
    changes.into_iter().for_each(|change| _ = book.change(change, NOW).unwrap());
    book
}

fn state(book: &Book) -> Option<Hold> {
    book.get(&ID).map(|entry| entry.state)
}

#[tokio::test]
async fn everything_that_was_written_is_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let record = Arc::new(Record::open(folder.path(), NOW).unwrap());
    let claim = record.claim;
    for change in [
        voucher(10, Some(HoldEvent::Asked), VoucherEvent::Asked),
        voucher(10, Some(HoldEvent::Opened), VoucherEvent::Held),
        voucher(10, None, VoucherEvent::Served),
        voucher(30, None, VoucherEvent::Asked),
        voucher(30, Some(HoldEvent::Opened), VoucherEvent::Held),
        voucher(20, None, VoucherEvent::Asked),
    ] {
        record.change(change, NOW).await.unwrap();
    }
    let before = record.with(|book| book.lines(claim));
    drop(record);
    let record = Arc::new(Record::open(folder.path(), NOW).unwrap());
    assert_eq!(record.claim, claim);
    // The voucher that was being served was not answered.
    let after = record.with(|book| book.lines(claim));
    assert_eq!((after.len(), &after[..]), (2, &before[..2]));
    record.with(|book| {
        let entry = book.get(&ID).unwrap();
        let vouchers = [10, 20, 30].map(|amount| entry.voucher(amount));
        assert_eq!(vouchers, [Voucher::Served, Voucher::Offered, Voucher::Offered]);
        assert_eq!((entry.accepted, entry.bought(), entry.capture_deadline), (30, 10, NOW + 3600));
    });
    assert!(record.change(voucher(10, None, VoucherEvent::Asked), NOW).await.is_err());
}

#[tokio::test]
async fn many_changes_at_once_are_all_written() {
    let folder = tempfile::tempdir().unwrap();
    let record = Arc::new(Record::open(folder.path(), NOW).unwrap());
    let changes = (0..200_u8).map(|number| {
        let record = Arc::clone(&record);
        tokio::spawn(async move {
            for event in [HoldEvent::Asked, HoldEvent::Held] {
                let change = Change { id: Hex32([number; 32]), ..hold(event) };
                record.change(change, NOW).await.unwrap();
            }
        })
    });
    futures_util::future::join_all(changes).await;
    drop(record);
    let record = Record::open(folder.path(), NOW).unwrap();
    assert_eq!(record.with(|book| book.unsettled(NOW).len()), 200, "a crash has them released");
}

#[test]
fn what_could_not_be_written_did_not_happen() {
    let mut book = book([HoldEvent::Asked, HoldEvent::Held].map(hold));
    let capture = Change { payload: Some("signed".into()), ..hold(HoldEvent::Served) };
    let (_, undo) = book.change(capture, NOW).unwrap().unwrap();
    assert!(book.get(&ID).unwrap().is_ending, "nobody settles it before it is on disk");
    book.undo(&undo);
    assert_eq!(state(&book), Some(Hold::Serving));
    book.crash_one(&ID, None);
    assert_eq!((state(&book), book.unsettled(NOW)), (Some(Hold::Releasing), vec![ID]));
}

#[test]
fn a_stream_is_closed_when_no_voucher_is_under_way_and_for_good() {
    let mut book = book([
        voucher(10, None, VoucherEvent::Asked),
        voucher(10, Some(HoldEvent::Opened), VoucherEvent::Held),
        voucher(10, None, VoucherEvent::Served),
        voucher(20, None, VoucherEvent::Asked),
    ]);
    assert_eq!(book.to_end(NOW + 9, Some(9)).len(), 0);
    assert!(book.change(hold(HoldEvent::Due), NOW + 9).is_err());
    book.change(voucher(20, None, VoucherEvent::No), NOW).unwrap();
    assert_eq!((book.to_end(NOW + 8, Some(9)).len(), book.to_end(NOW + 9, None).len()), (0, 0));
    let due = book.to_end(NOW + 9, Some(9)).remove(0);
    book.change(due, NOW + 9).unwrap();
    for _ in 0..2 {
        assert!(book.change(voucher(20, None, VoucherEvent::Asked), NOW).is_err());
        book.crash();
    }
    assert_eq!(state(&book), Some(Hold::Releasing));
}

#[test]
fn a_stream_that_was_forgotten_between_two_answers_is_written_whole() {
    let changes = [
        voucher(10, Some(HoldEvent::Asked), VoucherEvent::Asked),
        voucher(10, Some(HoldEvent::NoAnswer), VoucherEvent::NoAnswer),
        voucher(10, Some(HoldEvent::Asked), VoucherEvent::Asked),
        voucher(20, None, VoucherEvent::Asked),
        voucher(10, Some(HoldEvent::Anothers), VoucherEvent::Anothers),
        voucher(20, Some(HoldEvent::Opened), VoucherEvent::Held),
    ];
    let (mut book, mut read) = (Book::default(), Book::default());
    for change in changes {
        if let Some((line, _)) = book.change(change, NOW).unwrap() {
            read.read(&line, NOW);
        }
    }
    let entry = read.get(&ID).unwrap();
    assert_eq!((entry.state, entry.capture_deadline), (Hold::Open, NOW + 3600));
    assert!(entry.requirements.is_some());
}

#[test]
fn an_ending_is_settled_again_more_and_more_rarely() {
    let mut book = book([HoldEvent::Asked, HoldEvent::Held, HoldEvent::Failed].map(hold));
    let (mut now, mut pauses) = (NOW, Vec::new());
    book.end_later(&ID, now);
    for _ in 0..8 {
        let next = (now..).find(|time| !book.unsettled(*time).is_empty()).unwrap();
        pauses.push(next - now);
        now = next;
        assert!(book.take_ending(&ID) && !book.take_ending(&ID));
        book.end_later(&ID, now);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn what_is_over_is_forgotten_after_its_deadline() {
    let mut book = book([HoldEvent::Asked, HoldEvent::Held, HoldEvent::Failed, HoldEvent::Final].map(hold));
    book.end_later(&ID, NOW);
    assert!(book.get(&ID).unwrap().requirements.is_none(), "it needs no room");
    assert_eq!(book.over(NOW + 3600 + 3600).len(), 0);
    let over = book.over(NOW + 3600 + 3601).remove(0);
    let (line, _) = book.change(over, NOW).unwrap().unwrap();
    assert_eq!((state(&book), line.state), (None, Some(Hold::Offered)));
}

#[test]
fn holds_without_a_verdict_are_bounded() {
    let mut book = Book::default();
    for number in 0..66_000_u32 {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_le_bytes());
        for event in [HoldEvent::Asked, HoldEvent::NoAnswer] {
            book.change(Change { id: Hex32(id), ..hold(event) }, NOW).unwrap();
        }
    }
    assert_eq!(book.lines(Claim([0; 16])).len(), 1 + 65_536);
}
