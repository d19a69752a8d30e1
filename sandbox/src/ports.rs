use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Result, bail, ensure};

/// Which ports of the loopback interface the parts listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// Any that nobody uses, so that several can run at once.
    #[default]
    Free,
    /// Always the same, so that what was pasted yesterday works today.
    Usual,
}

impl Ports {
    /// `count` neighbouring ports, from the usual one on if that is asked for.
    ///
    /// # Errors
    /// If a usual port is in use, with what to do; if there are no free ones.
    pub(crate) fn choose(self, usual: u16, count: u16, part: &str) -> Result<u16> {
        if self == Self::Free {
            return free_ports(count);
        }
        for port in usual..usual + count {
            ensure!(
                is_free(port),
                "port {port} on 127.0.0.1 is in use, and {part} needs it: stop the program that listens there \
                 (`ss -ltnp 'sport = :{port}'` names it), or start with --free-ports"
            );
        }
        Ok(usual)
    }
}

/// The ports to choose from: below those that systems give to outgoing connections, one of which could take a
/// port before its part listens there.
const FIRST: u32 = 10_000;
const CHOICE: u32 = 20_000;
/// How far apart processes begin that start one after another.
const APART: u32 = 64;

/// How many ports this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// `count` neighbouring ports of the loopback interface that nobody listens on, and that this process was not
/// told before.
///
/// # Errors
/// If there are none.
pub fn free_ports(count: u16) -> Result<u16> {
    let own = process::id().wrapping_mul(APART);
    for _ in 0..1000 {
        let place = own.wrapping_add(LOOKED_AT.fetch_add(u32::from(count), Ordering::Relaxed));
        let first = u16::try_from(FIRST + place % CHOICE)?;
        if (first..first + count).all(is_free) {
            return Ok(first);
        }
    }
    bail!("no {count} neighbouring free ports on 127.0.0.1")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_free_port_is_told_once_and_no_outgoing_connection_takes_it() {
        let told: Vec<_> = (0..50).map(|_| free_ports(2).unwrap()).collect();
        let ports: BTreeSet<_> = told.iter().flat_map(|first| [*first, first + 1]).collect();
        assert_eq!(ports.len(), 100);
        // Linux begins at 32,768, macOS and Windows at 49,152.
        assert!(ports.last() < Some(&32_768), "{ports:?}");
    }

    #[test]
    fn a_usual_port_that_is_in_use_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Ports::Usual.choose(port, 1, "the verifier").unwrap_err().to_string();
        assert!(error.contains(&format!("port {port} on 127.0.0.1 is in use, and the verifier needs it")));
        assert!(error.ends_with("or start with --free-ports"), "{error}");
        assert_ne!(Ports::Free.choose(port, 1, "the verifier").unwrap(), port);
    }
}
