use std::collections::BTreeMap;

use litesvm::LiteSVM;
use solana_sdk::{account::ReadableAccount, program_pack::Pack, pubkey};
use spl_token_interface::{
    native_mint,
    state::{Account as TokenAccount, Mint},
};
use x402_escrow_interface::{
    Address,
    account::{DISCRIMINATOR_BYTES, Escrow, Hold, Session},
    address::{self, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
};

use crate::program_id;

/// All accounts of a chain at one moment, less programs and sysvars.
pub struct Ledger {
    accounts: BTreeMap<Address, State>,
}

#[derive(Debug, PartialEq)]
struct State {
    lamports: u64,
    owner: Address,
    data: Vec<u8>,
}

impl State {
    fn token_account(&self) -> TokenAccount {
        TokenAccount::unpack(&self.data[..TokenAccount::LEN]).expect("a token account")
    }
}

impl Ledger {
    pub(super) fn of(svm: &LiteSVM) -> Self {
        /// Owns programs' code, in accounts that are not executable themselves.
        const LOADER: Address = pubkey!("BPFLoaderUpgradeab1e11111111111111111111111");
        let left_out = |owner: &Address| [solana_sdk::sysvar::ID, LOADER].contains(owner);
        let accounts = svm
            .accounts_db()
            .inner
            .iter()
            .filter(|(_, account)| {
                !account.executable() && !left_out(account.owner()) && account.lamports() > 0
            })
            .map(|(address, account)| {
                let (lamports, owner) = (account.lamports(), *account.owner());
                (*address, State { lamports, owner, data: account.data().to_vec() })
            })
            .collect();
        Self { accounts }
    }

    /// The lamports of everybody together.
    pub fn lamports(&self) -> u64 {
        self.accounts.values().map(|state| state.lamports).sum()
    }

    #[track_caller]
    pub(super) fn assert_same_but_for_fee(&self, before: &Self, fee_payer: &Address, fee: u64) {
        for address in self.accounts.keys().chain(before.accounts.keys()) {
            let (now, then) = (self.accounts.get(address), before.accounts.get(address));
            if address == fee_payer {
                let lamports = |state: Option<&State>| state.map_or(0, |state| state.lamports);
                assert_eq!(lamports(now), lamports(then) - fee, "the fee payer paid more than the fee");
            } else {
                assert_eq!(now, then, "a refused transaction changed {address}");
            }
        }
    }

    /// Checks what must hold after every transaction.
    ///
    /// - `held <= balance <= vault amount`, and `held` is exactly what the open holds promise
    /// - counters of sessions and holds agree with the accounts that exist
    /// - every hold still holds something, and gave no more fee than it gave in all
    /// - the tokens of each mint add up to its supply
    #[track_caller]
    pub(super) fn check(&self) {
        let escrows = self.of_program(Escrow::DISCRIMINATOR, Escrow::decode);
        let sessions = self.of_program(Session::DISCRIMINATOR, Session::decode);
        let holds = self.of_program(Hold::DISCRIMINATOR, Hold::decode);
        let program = program_id();
        let ours = self.accounts.values().filter(|state| state.owner == program).count();
        assert_eq!(ours, escrows.len() + sessions.len() + holds.len(), "an account is of no known type");

        for (address, hold) in &holds {
            let session = sessions.get(&hold.session).expect("a hold's session exists");
            assert!(hold.captured < hold.amount, "{address} holds nothing and is there all the same");
            assert!(hold.fee <= hold.captured, "{address} took a higher fee than it captured");
            assert!(hold.amount <= session.spent, "{address} is more than its session spent");
        }
        for (address, session) in &sessions {
            assert!(escrows.contains_key(&session.escrow), "a session's escrow exists");
            let of_session = holds.values().filter(|hold| hold.session == *address).count();
            assert_eq!(session.open_holds as usize, of_session, "{address} miscounts its holds");
            assert!(session.period_spent <= session.spent, "{address} spent more in a period than in all");
        }
        for (address, escrow) in &escrows {
            assert_eq!(*address, address::escrow(&program, &escrow.payer, &escrow.mint));
            let of_escrow = sessions.values().filter(|session| session.escrow == *address).count();
            assert_eq!(escrow.open_sessions as usize, of_escrow, "{address} miscounts its sessions");
            let promised: u64 = holds
                .values()
                .filter(|hold| sessions[&hold.session].escrow == *address)
                .map(|hold| hold.amount - hold.captured)
                .sum();
            let vault = self.tokens(&escrow.vault);
            assert_eq!(escrow.held, promised, "{address} holds another sum than its holds");
            assert!(escrow.held <= escrow.balance, "{address} holds more than it has");
            assert!(escrow.balance <= vault, "{address} counts {} and has {vault}", escrow.balance);
        }
        self.check_supplies();
    }

    fn check_supplies(&self) {
        for (mint, state) in self.of_token_programs(Mint::LEN, 1) {
            if *mint == native_mint::ID {
                // Wrapped SOL is counted in lamports, which are checked already.
                continue;
            }
            let supply = Mint::unpack(&state.data[..Mint::LEN]).expect("a mint").supply;
            let tokens = self.of_token_programs(TokenAccount::LEN, 2).map(|(_, state)| state.token_account());
            let sum: u64 = tokens.filter(|account| account.mint == *mint).map(|account| account.amount).sum();
            assert_eq!(sum, supply, "tokens of {mint} appeared or vanished");
        }
    }

    /// Accounts of `bytes` without extensions; with extensions, Token-2022 puts an `account_type` behind the longer of
    /// its two layouts.
    fn of_token_programs(&self, bytes: usize, account_type: u8) -> impl Iterator<Item = (&Address, &State)> {
        self.accounts.iter().filter(move |(_, state)| match state.owner {
            TOKEN_PROGRAM_ID => state.data.len() == bytes,
            TOKEN_2022_PROGRAM_ID => {
                state.data.len() == bytes || state.data.get(TokenAccount::LEN) == Some(&account_type)
            }
            _ => false,
        })
    }

    /// The tokens of a token account, in base units.
    fn tokens(&self, address: &Address) -> u64 {
        self.accounts.get(address).expect("a vault exists").token_account().amount
    }

    fn of_program<T, E: std::fmt::Debug>(
        &self,
        discriminator: [u8; DISCRIMINATOR_BYTES],
        decode: fn(&[u8]) -> Result<T, E>,
    ) -> BTreeMap<Address, T> {
        self.accounts
            .iter()
            .filter(|(_, state)| state.owner == program_id() && state.data.starts_with(&discriminator))
            .map(|(address, state)| {
                (*address, decode(&state.data).expect("the account has the type's layout"))
            })
            .collect()
    }
}
