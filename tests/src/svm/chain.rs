use litesvm::LiteSVM;
use solana_sdk::{
    clock::Clock, hash::Hash, instruction::Instruction, message::Message, signature::Keypair, signer::Signer,
    transaction::Transaction,
};
use solana_sha256_hasher::hashv;
use solana_slot_hashes::SlotHashes;
use x402_escrow_interface::{Address, instruction::Signature};

use super::{Ledger, Receipt, Refusal, outcome::Refused};
use crate::{checkout_file, keys::test_key, program_id};

/// Unix time at which every chain starts.
pub const START: i64 = 1_800_000_000;
const FIRST_SLOT: u64 = 1_000;
/// What every key gets when it is made, in lamports.
const LAMPORTS: u64 = 100_000_000_000;
/// The largest transaction that the network carries, in bytes.
const MAXIMUM_TRANSACTION_BYTES: usize = 1_232;

/// A LiteSVM with the program, and the keys of everybody in the test.
pub struct Chain {
    pub(super) svm: LiteSVM,
    /// What tells this chain's slot hashes from another's.
    cluster: &'static str,
    keys: Vec<Keypair>,
    /// Pays every transaction's fee and nothing else, so that other balances show what the program did.
    fee_payer: Address,
    /// Whether all accounts are compared before and after every transaction.
    checks: bool,
}

impl Chain {
    /// A chain called `cluster`: chains of different names have different slot hashes.
    ///
    /// # Panics
    /// If the program is not built.
    pub fn new(cluster: &'static str) -> Self {
        let file = checkout_file("target/deploy/x402_escrow.so");
        let program = std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()));
        let mut svm = LiteSVM::new();
        svm.add_program(program_id(), &program).expect("the program is a valid SBPF file");
        let fee_payer = Address::default();
        let mut chain = Self { svm, cluster, keys: Vec::new(), fee_payer, checks: true };
        chain.fee_payer = chain.key("fee payer");
        chain.set_time(START);
        chain.set_slot(FIRST_SLOT);
        chain
    }

    /// This chain without the checks of [`Self::succeed`] and [`Self::refuse`], for a test that has others.
    #[must_use]
    pub fn without_checks(mut self) -> Self {
        self.svm = self.svm.with_transaction_history(0);
        self.checks = false;
        self
    }

    /// A copy to try things on, which this chain does not notice. Nobody's key is needed there, and nothing is checked.
    #[must_use]
    pub fn trial(&self) -> Self {
        let Self { cluster, fee_payer, .. } = *self;
        let svm = self.svm.clone().with_sigverify(false).with_blockhash_check(false);
        Self { svm, cluster, keys: Vec::new(), fee_payer, checks: false }
    }

    /// Makes the test key called `name`, gives it lamports, and signs for it from now on.
    pub fn key(&mut self, name: &str) -> Address {
        let address = self.key_without_lamports(name);
        self.svm.airdrop(&address, LAMPORTS).expect("the faucet has lamports for every key");
        address
    }

    /// Makes the test key called `name` without an account, and signs for it from now on.
    pub fn key_without_lamports(&mut self, name: &str) -> Address {
        let key = test_key(name);
        let address = key.pubkey();
        self.keys.push(key);
        address
    }

    /// Signs `message` with the key of `signer`.
    ///
    /// # Panics
    /// If `signer` is none of this chain's keys.
    pub fn sign(&self, signer: &Address, message: &[u8]) -> Signature {
        self.keypair(signer).sign_message(message).into()
    }

    pub(super) fn keypair(&self, address: &Address) -> &Keypair {
        let key = self.keys.iter().find(|key| key.pubkey() == *address);
        key.unwrap_or_else(|| panic!("{address} is none of the chain's keys"))
    }

    /// The clock's unix time.
    pub fn time(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// Sets the clock's unix time; the slot stays.
    pub fn set_time(&mut self, unix_seconds: i64) {
        let clock = Clock { unix_timestamp: unix_seconds, ..self.svm.get_sysvar() };
        self.svm.set_sysvar(&clock);
    }

    /// The current slot.
    pub fn slot(&self) -> u64 {
        self.svm.get_sysvar::<Clock>().slot
    }

    /// Goes on to the next slot, whose parent has a hash of its own; the time stays.
    pub fn next_slot(&mut self) {
        self.set_slot(self.slot() + 1);
    }

    fn set_slot(&mut self, slot: u64) {
        self.svm.warp_to_slot(slot);
        let parent = slot - 1;
        self.svm.set_sysvar(&SlotHashes::new(&[(parent, Hash::new_from_array(self.slot_hash(parent)))]));
    }

    /// The hash of `slot` on this chain.
    pub fn slot_hash(&self, slot: u64) -> [u8; 32] {
        hashv(&[b"slot hash", self.cluster.as_bytes(), &slot.to_le_bytes()]).to_bytes()
    }

    /// The hash that an incarnation takes now: the parent slot's.
    pub fn newest_slot_hash(&self) -> [u8; 32] {
        self.slot_hash(self.slot() - 1)
    }

    /// The least lamports that an account of `bytes` must have.
    pub fn rent(&self, bytes: usize) -> u64 {
        self.svm.minimum_balance_for_rent_exemption(bytes)
    }

    /// An account's lamports; 0 if there is no such account.
    pub fn lamports(&self, address: &Address) -> u64 {
        self.svm.get_balance(address).unwrap_or(0)
    }

    /// An account's data; `None` if there is no such account.
    pub fn data(&self, address: &Address) -> Option<Vec<u8>> {
        self.svm.get_account(address).filter(|account| account.lamports > 0).map(|account| account.data)
    }

    /// Changes an account's data, as no instruction could.
    ///
    /// # Panics
    /// If there is no account.
    pub fn rewrite(&mut self, address: &Address, change: impl FnOnce(&mut Vec<u8>)) {
        let mut account = self.svm.get_account(address).expect("the account exists");
        change(&mut account.data);
        self.svm.set_account(*address, account).expect("an account without a program needs no more");
    }

    /// Copies an account to another address, owned by another program: what a thief can make.
    ///
    /// # Panics
    /// If there is no account to copy.
    pub fn forge(&mut self, original: &Address) -> Address {
        let mut copy = self.svm.get_account(original).expect("the original exists");
        copy.owner = Address::new_from_array([0xF0; 32]);
        let address = Address::new_from_array(hashv(&[b"forged", original.as_ref()]).to_bytes());
        self.svm.set_account(address, copy).expect("an account without a program needs no more");
        address
    }

    /// All accounts as they are now.
    pub fn ledger(&self) -> Ledger {
        Ledger::of(&self.svm)
    }

    /// Sends instructions in one transaction that must succeed, and checks every invariant afterwards.
    ///
    /// # Panics
    /// If the transaction fails or an invariant does not hold.
    #[track_caller]
    pub fn succeed(&mut self, instructions: &[Instruction]) -> Receipt {
        self.send_and_check(instructions).unwrap_or_else(|refused| panic!("should have succeeded: {refused}"))
    }

    /// Sends instructions in one transaction whose last one must be refused for exactly this reason; nothing but the
    /// fee may have moved.
    ///
    /// # Panics
    /// If the transaction succeeds, fails for another reason or changes anything.
    #[track_caller]
    pub fn refuse(&mut self, instructions: &[Instruction], reason: impl Into<Refusal>) {
        let reason = reason.into();
        match self.send_and_check(instructions) {
            Ok(_) => panic!("should have been refused: {reason}"),
            Err(refused) => refused.assert_is(instructions.len() - 1, &reason),
        }
    }

    /// Sends an instruction that may succeed or be refused, with the checks of [`Self::succeed`] or of
    /// [`Self::refuse`].
    ///
    /// # Errors
    /// Why it was refused.
    ///
    /// # Panics
    /// If an invariant does not hold, or a refused instruction changed anything.
    #[track_caller]
    pub fn attempt(&mut self, instruction: &Instruction) -> Result<Receipt, Refusal> {
        self.send_and_check(std::slice::from_ref(instruction)).map_err(|refused| refused.reason())
    }

    #[track_caller]
    fn send_and_check(&mut self, instructions: &[Instruction]) -> Result<Receipt, Refused> {
        if !self.checks {
            return self.send(instructions);
        }
        let before = self.ledger();
        let result = self.send(instructions);
        let after = self.ledger();
        match &result {
            Ok(receipt) => {
                after.check();
                assert_eq!(
                    after.lamports(),
                    before.lamports() - receipt.fee,
                    "lamports appeared or vanished"
                );
            }
            Err(refused) => after.assert_same_but_for_fee(&before, &self.fee_payer, refused.fee()),
        }
        result
    }

    fn send(&mut self, instructions: &[Instruction]) -> Result<Receipt, Refused> {
        let message = Message::new(instructions, Some(&self.fee_payer));
        let transaction =
            if self.svm.get_sigverify() { self.signed(message) } else { Transaction::new_unsigned(message) };
        self.svm.send_transaction(transaction).map(Receipt::new).map_err(|failed| Refused(Box::new(failed)))
    }

    fn signed(&mut self, message: Message) -> Transaction {
        // A blockhash of its own, so that the same instructions sent twice are two transactions.
        self.svm.expire_blockhash();
        let bytes = 1 + usize::from(message.header.num_required_signatures) * 64 + message.serialize().len();
        assert!(
            bytes <= MAXIMUM_TRANSACTION_BYTES,
            "a transaction of {bytes} bytes does not fit the network"
        );
        let signers = &message.account_keys[..message.header.num_required_signatures.into()];
        let signers: Vec<&Keypair> = signers.iter().map(|address| self.keypair(address)).collect();
        Transaction::new(&signers, message, self.svm.latest_blockhash())
    }
}
