use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use x402_escrow_interface::{
    Address,
    receivers::{MAXIMUM_RECEIVERS, ReceiverList},
};
use x402_escrow_wire::text::{Base58, Hex32, Key};

use crate::{
    command::print,
    problem::{Code, Problem},
};

const FLAG: &str = "--receivers";

/// The receivers that a session may pay.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::command) struct ReceiverArguments {
    /// Pay this receiver, without fees, and no others; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(super) receiver: Vec<Key>,
    /// A file of more receivers, one address per line; at most 4,096 in all
    #[arg(long, value_name = "FILE")]
    pub(super) receivers: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::command) struct Receivers {
    #[command(flatten)]
    receivers: ReceiverArguments,
}

pub(super) fn run(arguments: &Receivers, json: bool) -> Result<()> {
    let list = arguments.receivers.list()?.ok_or_else(|| {
        Problem::argument(FLAG, "names nobody").remedy("name a file with one address per line")
    })?;
    let (root, count) = (Hex32(list.root()), list.receivers().len());
    let object = json!({ "root": root, "receivers": count });
    print(json, &object, &[("root", root.to_string()), ("receivers", count.to_string())]);
    Ok(())
}

impl ReceiverArguments {
    /// The list of those that were named, one by one and in a file; `None` if none were.
    pub(super) fn list(&self) -> Result<Option<ReceiverList>> {
        let mut receivers: Vec<Address> = self.receiver.iter().copied().map(Into::into).collect();
        if let Some(path) = &self.receivers {
            let in_file = read(path)?;
            if in_file.is_empty() {
                return Err(Problem::argument(FLAG, format!("{} lists nobody", path.display()))
                    .remedy("leave it out to let the agent pay anyone")
                    .into());
            }
            receivers.extend(in_file);
        }
        Ok(list(receivers)?)
    }
}

/// `None` for nobody.
pub(super) fn list(receivers: Vec<Address>) -> Result<Option<ReceiverList>, Problem> {
    if receivers.is_empty() {
        return Ok(None);
    }
    let list = ReceiverList::new(receivers);
    list.map(Some).ok_or_else(|| {
        Problem::argument(FLAG, format!("a session can list at most {MAXIMUM_RECEIVERS}"))
            .remedy("open another session for the others")
    })
}

/// One address a line.
fn read(path: &Path) -> Result<Vec<Address>, Problem> {
    let text = fs::read_to_string(path).map_err(|error| {
        Problem::new(Code::File, format!("{}: {error}", path.display()))
            .of(FLAG)
            .remedy("name a file that can be read")
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(index, line)| {
        line.trim().parse::<Base58<32>>().map(Into::into).map_err(|error| {
            Problem::argument(FLAG, format!("{} line {}: {error}", path.display(), index + 1))
                .remedy("write one address per line")
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> Key {
        let mut key = [1; 32];
        key[..2].copy_from_slice(&number.to_le_bytes());
        Base58(key)
    }

    fn listed(named: &[Key], file: Option<&Path>) -> Result<Option<ReceiverList>> {
        ReceiverArguments { receiver: named.to_vec(), receivers: file.map(Into::into) }.list()
    }

    #[test]
    fn receivers_come_from_the_command_line_and_a_file_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receivers");
        fs::write(&path, format!("{}\n\n  {}  \n", key(2), key(1))).unwrap();
        let list = listed(&[key(3), key(1)], Some(&path)).unwrap().unwrap();
        assert_eq!(list.receivers().len(), 3);
        assert_eq!(listed(&[], None).unwrap(), None);
    }

    #[test]
    fn a_list_that_is_unreadable_empty_or_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receivers");
        assert!(listed(&[], Some(&path)).is_err());
        let long = (0..4097).map(|number| key(number).to_string()).collect::<Vec<_>>().join("\n");
        for (text, part) in
            [(format!("{}\nnobody", key(1)), "line 2"), ("\n".into(), "lists nobody"), (long, "at most 4096")]
        {
            fs::write(&path, text).unwrap();
            let error = listed(&[], Some(&path)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
