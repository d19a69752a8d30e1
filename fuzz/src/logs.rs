//! A transaction's logs, as a node returns them: which of their lines are events of the program.

use x402_escrow_interface::{deployment::LOCAL_PROGRAM_ID, event::data_lines};

pub fn run(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let found = data_lines(&LOCAL_PROGRAM_ID, text.lines());
    // Each is a line of its own, in their order, and comes after one that says that the program was invoked.
    let invoked = format!("Program {LOCAL_PROGRAM_ID} invoke [");
    let mut lines = text.lines();
    assert!(found.is_empty() || lines.by_ref().any(|line| line.starts_with(&invoked)));
    for event in &found {
        assert!(lines.by_ref().any(|line| line.strip_prefix("Program data: ") == Some(*event)), "{event}");
    }
    // No other program can log an event of ours.
    let others = [1; 32].into();
    let theirs = data_lines(&others, text.lines());
    assert!(theirs.is_empty() || text.contains(&others.to_string()));
    !found.is_empty()
}
