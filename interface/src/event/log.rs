use alloc::{string::ToString, vec::Vec};

use solana_address::Address;

/// The Base64 of each `Program data:` line in a transaction's `logs` that `program` itself logged, in their order.
///
/// The runtime logs the start and the end of each invocation and no program can imitate these lines, so the innermost
/// open invocation is the one that logged. Logs that a node has cut off end early: events after that are missing.
pub fn data_lines<'a>(program: &Address, logs: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let program = program.to_string();
    let mut invoked: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in logs {
        let Some(rest) = line.strip_prefix("Program ") else { continue };
        if let Some(data) = rest.strip_prefix("data: ") {
            if invoked.last() == Some(&program.as_str()) {
                lines.push(data);
            }
            continue;
        }
        let Some((subject, event)) = rest.split_once(' ') else { continue };
        if event.starts_with("invoke [") {
            invoked.push(subject);
        } else if invoked.last() == Some(&subject) && (event == "success" || event.starts_with("failed")) {
            invoked.pop();
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Address = Address::new_from_array([7; 32]);

    #[test]
    fn only_lines_of_the_programs_own_invocations_count() {
        let (ours, other) = (OURS.to_string(), Address::new_from_array([8; 32]).to_string());
        let logs = [
            alloc::format!("Program {other} invoke [1]"),
            "Program data: imitated".into(),
            alloc::format!("Program log: Program {ours} invoke [1]"),
            "Program data: imitated again".into(),
            alloc::format!("Program {ours} invoke [2]"),
            alloc::format!("Program {other} invoke [3]"),
            "Program data: below us".into(),
            alloc::format!("Program {other} success"),
            "Program data: ours".into(),
            alloc::format!("Program {ours} consumed 500 of 1000 compute units"),
            alloc::format!("Program {ours} failed: custom program error: 0x1"),
            "Program data: after us".into(),
            alloc::format!("Program {other} success"),
            "Program data: in no invocation".into(),
        ];
        assert_eq!(data_lines(&OURS, logs.iter().map(|line| line.as_str())), ["ours"]);
    }
}
