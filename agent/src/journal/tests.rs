use std::fs;

use super::{buyer::Purchase as State, fixture::NOW, *};

fn journal() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(StateFile::beside(&folder.path().join("session.json"), "journal"));
    (folder, journal)
}

fn purchase(number: u16, key: Option<&str>) -> Purchase {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_le_bytes());
    Purchase { key: key.map(str::to_owned), ..fixture::purchase(id, None) }
}

fn begin_at(journal: &Journal, purchase: &Purchase, now: i64) -> Result<bool, JournalError> {
    journal.begin(purchase, now, |_| Ok(()))
}

fn begin(journal: &Journal, purchase: &Purchase) -> bool {
    begin_at(journal, purchase, NOW).unwrap()
}

#[test]
fn a_purchase_is_found_by_its_key_and_by_its_id_in_another_process() {
    let (_folder, journal) = journal();
    let bought = purchase(1, Some("order 7"));
    assert!(begin(&journal, &bought));
    journal.note(&bought.id, State::Unknown).unwrap();
    let another = journal.clone();
    for name in ["order 7", &bought.id, &format!("pay_{}", bought.id)] {
        assert_eq!(another.find(name).unwrap().unwrap().state, State::Unknown, "{name}");
    }
    assert_eq!(another.find("order 8").unwrap(), None);
}

#[test]
fn a_key_buys_once_until_its_purchase_is_over() {
    let (_folder, journal) = journal();
    let first = purchase(1, Some("order 7"));
    assert!(begin(&journal, &first));
    for state in [State::Unknown, State::Refused] {
        journal.note(&first.id, state).unwrap();
        assert!(!begin(&journal, &purchase(2, Some("order 7"))));
    }
    journal.note(&first.id, State::Over).unwrap();
    assert!(begin(&journal, &purchase(2, Some("order 7"))));
    assert_eq!(journal.find("order 7").unwrap().unwrap().id, purchase(2, None).id);
}

#[test]
fn what_is_finished_stays_so() {
    let (_folder, journal) = journal();
    let bought = purchase(1, None);
    begin(&journal, &bought);
    journal.note(&bought.id, State::Served).unwrap();
    journal.note(&bought.id, State::Unknown).unwrap();
    assert_eq!(journal.find(&bought.id).unwrap().unwrap().state, State::Served);
    assert_eq!(journal.unfinished().unwrap(), []);
}

#[test]
fn a_line_that_a_crash_broke_off_is_dropped_and_damage_before_it_stops_payments() {
    let (folder, journal) = journal();
    begin(&journal, &purchase(1, None));
    let path = folder.path().join("session.json.journal");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"purchase\":\"ab")).unwrap();
    assert!(begin(&journal, &purchase(2, None)));
    assert_eq!(journal.unfinished().unwrap().len(), 2);
    fs::write(&path, format!("{{\"purchase\":\n{whole}")).unwrap();
    let error = begin_at(&journal, &purchase(3, None), NOW).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("nothing was signed"), "{error}");
}

#[test]
fn the_file_is_written_anew_without_what_nobody_asks_for() {
    let (folder, journal) = journal();
    let path = folder.path().join("session.json.journal");
    let lines = || fs::read_to_string(&path).unwrap().lines().count();
    begin(&journal, &purchase(1, Some("kept")));
    begin(&journal, &purchase(2, None));
    begin(&journal, &purchase(3, None));
    journal.note(&purchase(3, None).id, State::Served).unwrap();
    let many = fs::read_to_string(&path).unwrap().repeat(249);
    fs::write(&path, &many).unwrap();
    begin(&journal, &purchase(4, None));
    assert_eq!(lines(), 997);
    fs::write(&path, many.repeat(2)).unwrap();
    begin(&journal, &purchase(4, None));
    assert_eq!(lines(), 3, "all but what was served without a key");
    assert_eq!(journal.find("kept").unwrap(), Some(purchase(1, Some("kept"))));

    fs::write(&path, many.repeat(2)).unwrap();
    let day_after = NOW + 600 + 24 * 60 * 60 + 1;
    let mut late = purchase(5, None);
    late.signed.capture_deadline = day_after;
    begin_at(&journal, &late, day_after).unwrap();
    assert_eq!((lines(), journal.find("kept").unwrap()), (1, None));
}

#[test]
fn the_last_purchase_of_a_key_stays_its_last_when_the_file_is_written_anew() {
    let (folder, journal) = journal();
    let path = folder.path().join("session.json.journal");
    // The first has the larger id, and both are of one second.
    let (first, last) = (purchase(2, Some("order 7")), purchase(1, Some("order 7")));
    begin(&journal, &first);
    journal.note(&first.id, State::Over).unwrap();
    begin(&journal, &last);
    journal.note(&last.id, State::Served).unwrap();
    fs::write(&path, fs::read_to_string(&path).unwrap().repeat(300)).unwrap();
    begin(&journal, &purchase(3, None));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    let found = journal.find("order 7").unwrap().unwrap();
    assert_eq!((found.id, found.state), (last.id, State::Served));
}

#[test]
fn what_is_locked_counts_until_it_is_served_or_over() {
    let (_folder, journal) = journal();
    for number in 1..=3 {
        begin(&journal, &purchase(number, None));
    }
    journal.note(&purchase(1, None).id, State::Served).unwrap();
    let counted = purchase(2, None).id;
    let locked = |now| {
        let mut sum = (0, 0);
        let admitted = journal.begin(&purchase(4, None), now, |entries| {
            sum = (entries.locked(now, |_| false), entries.locked(now, |id| id == counted));
            Err(JournalError { path: PathBuf::new(), source: io::ErrorKind::Other.into() })
        });
        assert!(admitted.is_err() && journal.find(&purchase(4, None).id).unwrap().is_none());
        sum
    };
    assert_eq!(locked(NOW), (2000, 1000));
    assert_eq!(locked(NOW + 601), (0, 0));
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, journal) = journal();
    begin(&journal, &purchase(1, None));
    let mode = fs::metadata(folder.path().join("session.json.journal")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn many_threads_lose_no_line() {
    let (_folder, journal) = journal();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let journal = &journal;
            scope.spawn(move || (0..10).for_each(|n| _ = begin(journal, &purchase(thread * 10 + n, None))));
        }
    });
    assert_eq!(journal.unfinished().unwrap().len(), 40);
}
