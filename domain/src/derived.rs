//! Program-derived addresses. The same ones are needed again and again, and deriving one takes some ten microseconds, so
//! those used last are kept in bounded memory. Uses nothing of this crate.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use x402_escrow_interface::{Address, address};

/// How many addresses are kept at most. One takes some 200 bytes.
const MOST: usize = 8192;

/// How an address is derived, and from what.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Derived {
    AssociatedToken { owner: Address, mint: Address, token_program: Address },
    Session { program: Address, escrow: Address, session_key: Address },
    Hold { program: Address, session: Address, nonce: u64 },
}

/// The addresses that were used last. When the newer half is full, it becomes the older one, and what was in that is
/// forgotten.
#[derive(Default)]
struct Halves {
    newer: HashMap<Derived, Address>,
    older: HashMap<Derived, Address>,
}

static KNOWN: LazyLock<Mutex<Halves>> = LazyLock::new(Mutex::default);

/// The associated token account of `owner`, which may be an escrow or a wallet.
pub fn associated_token(owner: &Address, mint: &Address, token_program: &Address) -> Address {
    let (owner, mint, token_program) = (*owner, *mint, *token_program);
    Derived::AssociatedToken { owner, mint, token_program }.address()
}

/// The session of `session_key` under `escrow`, by the escrow program at `program`.
pub fn session(program: &Address, escrow: &Address, session_key: &Address) -> Address {
    Derived::Session { program: *program, escrow: *escrow, session_key: *session_key }.address()
}

/// The hold of the intent with `nonce` under `session`, by the escrow program at `program`.
pub fn hold(program: &Address, session: &Address, nonce: u64) -> Address {
    Derived::Hold { program: *program, session: *session, nonce }.address()
}

impl Derived {
    fn address(self) -> Address {
        if let Some(known) = lock().get(&self) {
            return known;
        }
        // Without the lock, which others need meanwhile.
        let address = match &self {
            Self::AssociatedToken { owner, mint, token_program } => {
                address::associated_token(owner, mint, token_program)
            }
            Self::Session { program, escrow, session_key } => address::session(program, escrow, session_key),
            Self::Hold { program, session, nonce } => address::hold(program, session, *nonce),
        };
        lock().insert(self, address);
        address
    }
}

impl Halves {
    fn get(&mut self, derived: &Derived) -> Option<Address> {
        if let Some(known) = self.newer.get(derived) {
            return Some(*known);
        }
        let known = self.older.remove(derived)?;
        self.insert(*derived, known);
        Some(known)
    }

    fn insert(&mut self, derived: Derived, address: Address) {
        if self.newer.len() >= MOST / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(derived, address);
    }
}

fn lock() -> MutexGuard<'static, Halves> {
    // Nothing that holds it can panic halfway.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_as_if_it_were_derived_anew() {
        let [one, two, three] = [1, 2, 3].map(|byte| Address::new_from_array([byte; 32]));
        for _ in 0..2 {
            assert_eq!(associated_token(&one, &two, &three), address::associated_token(&one, &two, &three));
            assert_eq!(associated_token(&two, &one, &three), address::associated_token(&two, &one, &three));
            assert_eq!(session(&one, &two, &three), address::session(&one, &two, &three));
            for nonce in 0..3 {
                assert_eq!(hold(&one, &two, nonce), address::hold(&one, &two, nonce));
            }
        }
    }

    #[test]
    fn only_so_many_are_kept_and_those_in_use_stay() {
        let mut halves = Halves::default();
        let of = |nonce| {
            let key = Address::default();
            Derived::Hold { program: key, session: key, nonce }
        };
        let used = Address::new_from_array([1; 32]);
        halves.insert(of(0), used);
        for nonce in 1..3 * MOST as u64 {
            halves.insert(of(nonce), Address::default());
            assert_eq!(halves.get(&of(0)), Some(used));
            assert!(halves.newer.len() + halves.older.len() <= MOST);
        }
        assert_eq!(halves.get(&of(1)), None);
    }
}
