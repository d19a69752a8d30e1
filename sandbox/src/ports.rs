use std::net::TcpListener;

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

/// `count` neighbouring ports of the loopback interface that nobody listens on.
///
/// # Errors
/// If there are none.
pub fn free_ports(count: u16) -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?.port();
        let Some(last) = first.checked_add(count - 1) else { continue };
        if (first..=last).all(is_free) {
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
    use super::*;

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
