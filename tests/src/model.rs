//! The reference model: what the program's documentation promises, in plain Rust.
//!
//! It knows accounts by their addresses and signatures by who signed what, so neither Ed25519 nor
//! the chain is in it. What the program counts, the model derives wherever it can: `held` is the
//! sum of the holds, `spent` the sum of the payments. For each [`Call`] it says whether the program
//! must carry it out, with all effects, or which rules the call breaks, in the program's order.
//!
//! - [`Call`]: an instruction, its accounts and what was signed for it
//! - [`Rule`], [`Broken`]: why a call is refused
//! - [`Escrow`], [`Session`], [`Hold`], [`TokenAccount`]: what is remembered

mod call;
mod charge;
mod escrow;
mod hold;
mod payment;
mod revoke;
mod rule;
mod session;
mod state;
mod tokens;

use std::collections::BTreeMap;

use x402_escrow_interface::{Address, message::Digest, receivers::ReceiverList};

pub use call::{Arguments, Call, ChargeArguments, ChargeCapture, Consent, End, Message, Signed, Slot};
pub use rule::{Broken, Rule};
pub use state::{Escrow, Hold, Payment, Session, TokenAccount};

/// Lamports that an account of each kind must have.
#[derive(Clone, Copy, Debug)]
pub struct Rents {
    /// An escrow's.
    pub escrow: u64,
    /// A session's.
    pub session: u64,
    /// A hold's.
    pub hold: u64,
    /// A token account's.
    pub token_account: u64,
}

/// Everything that the program decides by, and all balances.
#[derive(Clone, Debug)]
pub struct Model {
    /// The escrow program's address.
    pub program: Address,
    /// The clock's unix seconds.
    pub now: i64,
    /// The current slot.
    pub slot: u64,
    /// The hash that a session opened now gets as its incarnation.
    pub newest_slot_hash: [u8; 32],
    /// What accounts cost.
    pub rents: Rents,
    /// The program of each mint.
    pub mints: BTreeMap<Address, Address>,
    /// The lists of receivers that payers made, by their roots.
    pub lists: BTreeMap<Digest, ReceiverList>,
    /// By address.
    pub escrows: BTreeMap<Address, Escrow>,
    /// By address.
    pub sessions: BTreeMap<Address, Session>,
    /// By address.
    pub holds: BTreeMap<Address, Hold>,
    /// By address.
    pub tokens: BTreeMap<Address, TokenAccount>,
    /// Of every account that ever had any: wallets, and the rent in the accounts above.
    pub lamports: BTreeMap<Address, u64>,
}

impl Model {
    /// Nobody has anything yet.
    pub fn new(program: Address, rents: Rents) -> Self {
        Self {
            program,
            now: 0,
            slot: 0,
            newest_slot_hash: [0; 32],
            rents,
            mints: BTreeMap::new(),
            lists: BTreeMap::new(),
            escrows: BTreeMap::new(),
            sessions: BTreeMap::new(),
            holds: BTreeMap::new(),
            tokens: BTreeMap::new(),
            lamports: BTreeMap::new(),
        }
    }

    /// Carries a call out, or changes nothing.
    ///
    /// # Errors
    /// The rules that the call breaks.
    pub fn apply(&mut self, call: &Call) -> Result<(), Broken> {
        match &call.arguments {
            Arguments::OpenEscrow => self.open_escrow(call),
            Arguments::SetGuardian { guardian } => self.set_guardian(call, *guardian),
            Arguments::Deposit { amount, .. } => self.deposit(call, *amount),
            Arguments::Sync => self.sync(call),
            Arguments::Withdraw { amount } => self.withdraw(call, *amount),
            Arguments::CloseEscrow => self.close_escrow(call),
            Arguments::OpenSession { limits } => self.open_session(call, limits),
            Arguments::UpdateSession { limits } => self.update_session(call, limits),
            Arguments::RevokeSession { named, consent } => self.revoke_session(call, named, consent),
            Arguments::RevokeSessions { named, consent } => self.revoke_sessions(call, named, consent),
            Arguments::CloseSession => self.close_session(call),
            Arguments::Authorize { intent, signature, receiver_proof } => {
                self.authorize(call, intent, signature, receiver_proof)
            }
            Arguments::Charge(charge) => self.charge(call, charge),
            Arguments::Capture { amount, bound, end, consent } => {
                self.capture(call, *amount, bound, end, consent)
            }
            Arguments::Void { release, consent } => self.void(call, release, consent),
            Arguments::Reclaim => self.reclaim(call),
        }
    }

    /// A new account gets the lamports that it lacks from whoever pays its rent.
    fn pay_rent(&mut self, payer: Address, account: Address, rent: u64) {
        let there = self.lamports.get(&account).copied().unwrap_or(0);
        self.transfer_lamports(payer, account, rent.saturating_sub(there));
    }

    /// Gives all lamports of a closed account to `to`.
    fn return_rent(&mut self, account: Address, to: Address) {
        let lamports = self.lamports.insert(account, 0).unwrap_or(0);
        *self.lamports.entry(to).or_default() += lamports;
    }
}
