//! What is on chain: set up, changed by hand, read.

use serde::Deserialize;
use serde_json::Value;
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
    account::{Escrow, Hold, Session},
    address::{self, TOKEN_PROGRAM_ID, associated_token},
    error::EscrowError,
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts, SessionLimits},
    message::{Capture, Digest},
    receivers,
};
use x402_escrow_wire::{
    auth_capture::{Extra, IntentPayload, LifecyclePayload},
    payment::PaymentRequirements,
};

use super::{FEE_PAYER, FUNDS, MERCHANT, PAYER, SESSION, World, keypair, program};

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

    /// A session's limits that no test reaches by accident.
    pub(crate) fn wide_limits(&self) -> SessionLimits {
        SessionLimits {
            expires_at: self.cluster.now() + 86_400,
            maximum_payment: 5_000_000,
            maximum_total: 1_000_000_000,
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: receivers::ANYONE,
        }
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

    /// Opens an escrow of `payer`, which gets tokens and SOL, and deposits [`FUNDS`].
    pub(crate) fn open_escrow(&self, payer: &Keypair, mint: Address) {
        let owner = payer.pubkey();
        self.cluster.state().svm.airdrop(&owner, 10_000_000_000).unwrap();
        let source = self.set_token_account_of(mint, owner, AccountState::Initialized, 1_000_000_000_000);
        self.execute(&instruction::open_escrow(&program(), &owner, &owner, &mint, &TOKEN_PROGRAM_ID), payer);
        let address = address::escrow(&program(), &owner, &mint);
        let escrow = self.escrow_account_at(&address);
        self.execute(&[instruction::deposit(&program(), &owner, &source, &address, &escrow, FUNDS)], payer);
    }

    pub(crate) fn set_slot_hash(&self, hash: [u8; 32]) {
        let hashes = SlotHashes::new(&[(99, Hash::new_from_array(hash))]);
        self.cluster.state().svm.set_sysvar(&hashes);
    }

    pub(crate) fn open_session(&self, limits: SessionLimits) {
        self.open_session_of(&keypair(PAYER), &self.escrow, &self.session_key(), limits);
    }

    pub(crate) fn open_session_of(
        &self,
        payer: &Keypair,
        escrow: &Address,
        key: &Address,
        limits: SessionLimits,
    ) {
        let open =
            instruction::open_session(&program(), &payer.pubkey(), &payer.pubkey(), escrow, key, &limits);
        self.execute(&[open], payer);
    }

    pub(crate) fn revoke_session(&self) {
        let payer = keypair(PAYER);
        let session = self.session_account();
        let revoke = instruction::revoke_session(&program(), &payer.pubkey(), &session, Consent::Signer);
        self.execute(&[revoke], &payer);
    }

    /// Revokes every session of the escrow that was opened so far.
    pub(crate) fn revoke_sessions(&self) {
        let (payer, slot) = (keypair(PAYER), self.session_account().opened_slot);
        let revoke =
            instruction::revoke_sessions(&program(), &payer.pubkey(), &self.escrow, slot, Consent::Signer);
        self.execute(&[revoke], &payer);
    }

    /// Changes the session's limits.
    pub(crate) fn update_session(&self, limits: &SessionLimits) {
        let payer = keypair(PAYER);
        let update =
            instruction::update_session(&program(), &payer.pubkey(), &self.escrow, &self.session, limits);
        self.execute(&[update], &payer);
    }

    /// Lets the payer withdraw `amount`.
    pub(crate) fn withdraw(&self, amount: u64) {
        let payer = keypair(PAYER);
        let escrow = self.escrow_account();
        let destination = address::associated_token(&payer.pubkey(), &self.mint, &TOKEN_PROGRAM_ID);
        let withdraw = instruction::withdraw(&program(), &self.escrow, &escrow, &destination, Some(amount));
        self.execute(&[withdraw], &payer);
    }

    /// Puts the payment of this body on chain at `relay`'s cost, as another verifier would.
    pub(crate) fn relay(&self, body: &Value, relay: &Keypair) {
        let requirements = PaymentRequirements::deserialize(&body["paymentRequirements"]).unwrap();
        let payload = IntentPayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let intent = payload.intent(&requirements, &Extra::read(&requirements).unwrap());
        let signature = payload.signature.unwrap().0;
        self.cluster.state().svm.airdrop(&relay.pubkey(), 10_000_000_000).unwrap();
        let authorize = instruction::authorize(&relay.pubkey(), &intent, &signature, &payload.proof());
        self.execute(&[authorize], relay);
    }

    /// Puts the capture of this body on chain without the verifier.
    pub(crate) fn relay_capture(&self, nonce: u64, body: &Value) {
        let payload = LifecyclePayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let LifecyclePayload::Capture { payment_id, amount, fee, last, signature } = payload else {
            panic!("{payload:?} is no capture");
        };
        let capture = Capture { intent_digest: payment_id.0, amount: amount.0, fee: fee.0, last };
        let (escrow, hold_address) = (self.escrow_account(), address::hold(&program(), &self.session, nonce));
        let hold = Hold::decode(&self.data(&hold_address)).unwrap();
        let accounts = HoldAccounts {
            program: program(),
            escrow_address: self.escrow,
            escrow: &escrow,
            hold_address,
            hold: &hold,
        };
        let consent = Consent::Signature(signature.0);
        self.execute(&[instruction::capture(accounts, amount.0, &capture, consent)], &keypair(PAYER));
    }

    /// Has somebody put the charge of `body` on chain.
    pub(crate) fn relay_charge(&self, body: &Value) {
        let requirements: PaymentRequirements =
            serde_json::from_value(body["paymentRequirements"].clone()).unwrap();
        let payload = IntentPayload::deserialize(&body["paymentPayload"]["payload"]).unwrap();
        let intent = payload.intent(&requirements, &Extra::read(&requirements).unwrap());
        let capture = payload.capture.map(|capture| {
            ChargeCapture::new(&capture.capture(intent.digest()), Consent::Signature(capture.signature.0))
        });
        let amount = capture.map_or(intent.amount, |capture| capture.amount);
        let charge = Charge { amount, capture, release: None };
        let signature = payload.signature.unwrap().0;
        let charge = instruction::charge(&intent, &signature, &[], &self.escrow_account(), &charge);
        self.execute(&[charge], &keypair(PAYER));
    }

    /// Has `depositor` move its tokens into the escrow in the name of a payment.
    pub(crate) fn relay_deposit(&self, depositor: &Keypair, amount: u64, payment: Digest) {
        let source = associated_token(&depositor.pubkey(), &self.mint, &TOKEN_PROGRAM_ID);
        self.cluster.state().svm.airdrop(&depositor.pubkey(), 1_000_000_000).unwrap();
        if depositor.pubkey() != self.merchant() {
            self.set_token_account(depositor.pubkey(), AccountState::Initialized, amount);
        }
        let refund = instruction::refund(
            &program(),
            &payment,
            &depositor.pubkey(),
            &source,
            &self.escrow,
            &self.escrow_account(),
            amount,
        );
        self.execute(&[refund], depositor);
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
