//! Rule: each fault that the simulation must find still applies to the tree, and docs/testing.md
//! has it in its table.

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use crate::walls::repository::{read, root};

    #[test]
    fn every_fault_of_the_simulation_applies_and_is_documented() {
        let docs = read(&root().join("docs/testing.md")).expect("there is a docs/testing.md");
        let folder = root().join("tests/simulation/faults");
        let mut wrong = Vec::new();
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("there is a folder of faults") {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            count += 1;
            let output = Command::new("git")
                .args(["apply", "--check"])
                .arg(&path)
                .current_dir(root())
                .output()
                .expect("git is there");
            if !output.status.success() {
                wrong.push(format!(
                    "tests/simulation/faults/{name} does not apply; make it again: {}",
                    String::from_utf8_lossy(&output.stderr)
                ));
            }
            if !docs.contains(&format!("`{name}`")) {
                wrong.push(format!("docs/testing.md does not say which seed finds {name}"));
            }
        }
        assert!(count >= 6, "only {count} faults in {}", folder.display());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
