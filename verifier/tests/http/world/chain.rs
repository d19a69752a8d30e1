//! What is on chain: set up, changed by hand, read.

mod payer;
mod relay;

use solana_sdk::{
    account::Account,
    hash::Hash,
    instruction::{Instruction, InstructionError},
    program_option::COption,
    program_pack::Pack,
    signer::{Signer, keypair::Keypair},
    transaction::{Transaction, TransactionError},
};
use solana_slot_hashes::SlotHashes;
use spl_token_interface::state::{Account as TokenAccount, AccountState, Mint};
use x402_escrow_domain::{cluster::Logged, transaction::ESCROW_INSTRUCTION};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    error::EscrowError,
};

use super::{FEE_PAYER, MERCHANT, PAYER, SESSION, World, keypair, program};

impl World {
    pub(super) fn set_up_chain(&self) {
        self.cluster.state().svm.airdrop(&keypair(FEE_PAYER).pubkey(), 10_000_000_000).unwrap();
        self.set_slot_hash([5; 32]);
        self.create_mint(self.mint);
        self.set_token_account(self.merchant(), AccountState::Initialized, 0);
        self.open_escrow(&keypair(PAYER), self.mint);
        self.open_session(self.wide_limits());
    }

    /// Has the next transaction that carries operations fail in its block, for the one at `position` among them.
    pub(crate) fn fail_next(&self, position: u8, error: EscrowError) {
        let code = InstructionError::Custom(error.code());
        let index = ESCROW_INSTRUCTION + position;
        self.cluster.state().next_error = Some(TransactionError::InstructionError(index, code));
    }

    pub(crate) fn create_mint(&self, address: Address) {
        let mint = Mint {
            mint_authority: COption::None,
            supply: 1_000_000_000_000,
            decimals: 6,
            is_initialized: true,
            freeze_authority: COption::None,
        };
        self.set_packed(address, &mint);
    }

    pub(crate) fn set_slot_hash(&self, hash: [u8; 32]) {
        let hashes = SlotHashes::new(&[(99, Hash::new_from_array(hash))]);
        self.cluster.state().svm.set_sysvar(&hashes);
    }

    pub(crate) fn execute(&self, instructions: &[Instruction], signer: &Keypair) {
        let state = &mut *self.cluster.state();
        let (slot, svm) = (state.slot, &mut state.svm);
        let transaction = Transaction::new_signed_with_payer(
            instructions,
            Some(&signer.pubkey()),
            &[signer],
            svm.latest_blockhash(),
        );
        let (signature, keys) = (transaction.signatures[0].into(), transaction.message.account_keys.clone());
        let done = svm.send_transaction(transaction).unwrap();
        svm.expire_blockhash();
        state.logged.push((keys, Logged { signature, slot, logs: done.logs }));
    }

    fn set_packed<T: Pack>(&self, address: Address, value: &T) {
        let mut data = vec![0; T::LEN];
        value.pack_into_slice(&mut data);
        let account =
            Account { lamports: 10_000_000, data, owner: TOKEN_PROGRAM_ID, executable: false, rent_epoch: 0 };
        self.cluster.state().svm.set_account(address, account).unwrap();
    }

    /// Puts `owner`'s token account on chain as it is given.
    pub(crate) fn set_token_account(&self, owner: Address, state: AccountState, amount: u64) -> Address {
        self.set_token_account_of(self.mint, owner, state, amount)
    }

    pub(crate) fn set_token_account_of(
        &self,
        mint: Address,
        owner: Address,
        state: AccountState,
        amount: u64,
    ) -> Address {
        let address = address::associated_token(&owner, &mint, &TOKEN_PROGRAM_ID);
        let account = TokenAccount {
            mint,
            owner,
            amount,
            delegate: COption::None,
            state,
            is_native: COption::None,
            delegated_amount: 0,
            close_authority: COption::None,
        };
        self.set_packed(address, &account);
        address
    }

    /// Takes a hold off the chain, as if somebody else had ended it.
    pub(crate) fn remove_hold(&self, nonce: u64) {
        let hold = address::hold(&program(), &self.session, nonce);
        self.cluster.state().svm.set_account(hold, Account::default()).unwrap();
    }

    pub(crate) fn merchant(&self) -> Address {
        keypair(MERCHANT).pubkey()
    }

    pub(crate) fn session_key(&self) -> Address {
        keypair(SESSION).pubkey()
    }

    /// Seed and public key of everybody whose secret the verifier could have.
    pub(crate) fn secret_keys(&self) -> [[u8; 64]; 3] {
        [FEE_PAYER, SESSION, MERCHANT].map(|seed| keypair(seed).to_bytes())
    }

    pub(crate) fn fee_payer(&self) -> Address {
        keypair(FEE_PAYER).pubkey()
    }

    pub(crate) fn escrow_account(&self) -> Escrow {
        self.escrow_account_at(&self.escrow)
    }

    pub(crate) fn escrow_account_at(&self, address: &Address) -> Escrow {
        Escrow::decode(&self.data(address)).unwrap()
    }

    pub(crate) fn session_account(&self) -> Session {
        Session::decode(&self.data(&self.session)).unwrap()
    }

    fn data(&self, address: &Address) -> Vec<u8> {
        self.cluster.state().svm.get_account(address).unwrap().data
    }

    /// What the merchant has, in base units.
    pub(crate) fn received(&self) -> u64 {
        self.tokens(self.merchant())
    }

    /// What `owner` has in its associated token account, in base units.
    pub(crate) fn tokens(&self, owner: Address) -> u64 {
        self.tokens_of(self.mint, owner)
    }

    pub(crate) fn tokens_of(&self, mint: Address, owner: Address) -> u64 {
        let address = address::associated_token(&owner, &mint, &TOKEN_PROGRAM_ID);
        TokenAccount::unpack(&self.data(&address)).unwrap().amount
    }

    /// What the fee payer has.
    pub(crate) fn fee_payer_lamports(&self) -> u64 {
        self.cluster.state().svm.get_balance(&self.fee_payer()).unwrap()
    }

    /// How many transactions were sent, repetitions included.
    pub(crate) fn sent(&self) -> usize {
        self.cluster.state().sent.len()
    }
}
