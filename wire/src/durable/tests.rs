use super::*;

fn open(path: &Path) -> (Lines, Vec<u64>) {
    Lines::open(path.to_owned()).unwrap()
}

#[test]
fn lines_outlive_the_process_and_one_that_was_broken_off_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    let (mut lines, read) = open(&path);
    assert_eq!((read, lines.length()), (vec![], 0));
    lines.append(&[1, 22]).unwrap();
    lines.append(&[3]).unwrap();
    drop(lines);
    fs::write(&path, [fs::read(&path).unwrap(), b"44".to_vec()].concat()).unwrap();
    let (mut lines, read) = open(&path);
    assert_eq!((read, lines.length()), (vec![1, 22, 3], 7));
    lines.append(&[5]).unwrap();
    lines.replace(&[6, 7]).unwrap();
    lines.append(&[8]).unwrap();
    assert_eq!(open(&path).1, [6, 7, 8]);
}

#[test]
fn a_damaged_line_is_told_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    fs::write(&path, "1\n{\n3\n").unwrap();
    let error = Lines::open::<u64>(path.clone()).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert_eq!(fs::read_to_string(path).unwrap(), "1\n{\n3\n");
}

#[test]
fn an_interrupted_replacement_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    replace(&path, b"old").unwrap();
    fs::write(path.with_added_extension("new"), "half").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    replace(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn one_at_a_time_has_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let first = lock(&path).unwrap();
    assert!(try_lock(&path).unwrap().is_none());
    drop(first);
    assert!(try_lock(&path).unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_them() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    create_folder(&folder).unwrap();
    create_folder(&folder).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let path = folder.join("lines");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (mut lines, _) = open(&path);
    assert_eq!(mode(&path), 0o600);
    lines.replace(&[1]).unwrap();
    let _lock = lock(&folder.join("lock")).unwrap();
    assert_eq!([mode(&path), mode(&folder.join("lock"))], [0o600; 2]);
}

#[cfg(unix)]
#[test]
fn a_failed_append_leaves_none_of_its_lines() {
    const FILE: &str = "X402_TEST_LINES";
    if let Some(path) = std::env::var_os(FILE) {
        let (mut lines, _) = open(Path::new(&path));
        lines.append(&[1]).unwrap();
        lines.append(&[2; 4096]).unwrap_err();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines");
    // In a process that may write so little that some lines of the second append fit, and not all.
    let child = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" a_failed_append_leaves_none_of_its_lines"])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(open(&path).1, [1]);
}
