//! Payers and everybody else whose payments are packed, on any cluster.

use anyhow::{Context, Result};
use solana_sdk::{
    instruction::Instruction,
    signature::{Keypair, Signer},
};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction::{self, Charge, ChargeCapture, Consent, HoldAccounts, SessionLimits, Signature},
    message::{Capture, Intent, PaymentFlow, Release},
    receivers::ANYONE,
    resource::resource_hash,
};
use x402_escrow_tests::{keys::test_key, program_id};

/// What each payment comes to, in base units, and how much of it is paid where it is released.
pub(crate) const AMOUNT: u64 = 1_000;
pub(crate) const PART: u64 = 400;

/// Name of the key that pays fees and rent.
pub(crate) const RELAY: &str = "packing relay";
/// Name of the key that captures.
const CAPTURE_AUTHORIZER: &str = "packing capture authorizer";

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Where payments are packed: LiteSVM for version 0, solana-test-validator for version 1.
pub(crate) trait Cluster {
    /// Version of the transactions that payments are packed into.
    const VERSION: u8;
    /// What the cluster is called.
    const NAME: &str;

    fn mint(&self) -> Address;
    /// The chain's time, in unix seconds.
    fn time(&self) -> Result<i64>;
    /// Signs for the test key called `name` from now on.
    fn learn(&mut self, name: &str) -> Result<Address>;
    /// Gives each of `owners` a token account and `amount` base units.
    fn fund(&mut self, owners: &[Address], amount: u64) -> Result<()>;
    fn data(&self, address: &Address) -> Result<Option<Vec<u8>>>;
    /// The least lamports that an account of `bytes` must have.
    fn rent(&self, bytes: u64) -> Result<u64>;
    fn tokens(&self, owner: &Address) -> Result<u64>;
    /// Runs transactions that don't depend on each other, and that all must succeed.
    fn run(&mut self, transactions: &[Vec<Instruction>]) -> Result<()>;
    /// Puts these addresses into the lookup table of what is sent from now on.
    fn set_table(&mut self, addresses: &[Address]) -> Result<()>;
    /// Length and accounts of one transaction of these instructions, paid for by `fee_payer`.
    fn size(&self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Size>;
    /// Sends it. The inner error says why the cluster refused it.
    fn send(&mut self, fee_payer: &Address, instructions: &[Instruction]) -> Result<Result<Cost, String>>;
}

/// What the network limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) bytes: usize,
    pub(crate) accounts: usize,
    pub(crate) instructions: usize,
}

/// What a transaction took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) compute_units: u64,
    pub(crate) fee_lamports: u64,
}

/// Who can take part.
pub(crate) struct Cast {
    /// Pays fees and rent.
    pub(crate) relay: Address,
    /// Is paid.
    pub(crate) receiver: Address,
    fee_recipient: Address,
    capture_authorizer: Keypair,
    receiver_authorizer: Keypair,
    payers: Vec<Payer>,
}

/// A payer with an escrow and a session.
pub(crate) struct Payer {
    agent: Keypair,
    escrow_address: Address,
    escrow: Escrow,
    incarnation: [u8; 32],
    next_nonce: u64,
}

impl Cast {
    /// Opens escrows and sessions of `payers` payers.
    pub(crate) fn new<C: Cluster>(cluster: &mut C, payers: usize) -> Result<Self> {
        let mint = cluster.mint();
        let relay = cluster.learn(RELAY)?;
        cluster.learn(CAPTURE_AUTHORIZER)?;
        let receiver = test_key("packing receiver").pubkey();
        cluster.fund(&[receiver], 0)?;
        let limits = SessionLimits {
            expires_at: cluster.time()? + DAY_SECONDS,
            maximum_payment: u64::MAX,
            maximum_total: u64::MAX,
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: ANYONE,
        };

        let owners = (0..payers).map(|index| cluster.learn(&format!("packing payer {index}")));
        let owners: Vec<_> = owners.collect::<Result<_>>()?;
        cluster.fund(&owners, DEPOSIT)?;
        let program = program_id();
        let open = |owner| instruction::open_escrow(&program, &relay, owner, &mint, &TOKEN_PROGRAM_ID);
        cluster.run(&owners.iter().map(open).collect::<Vec<_>>())?;

        let agents: Vec<_> = (0..payers).map(|index| test_key(&format!("packing agent {index}"))).collect();
        let mut transactions = Vec::new();
        for (owner, agent) in owners.iter().zip(&agents) {
            let escrow_address = address::escrow(&program, owner, &mint);
            let escrow = stored_escrow(cluster, &escrow_address)?;
            let source = address::associated_token(owner, &mint, &TOKEN_PROGRAM_ID);
            transactions.push(vec![
                instruction::deposit(&program, owner, &source, &escrow_address, &escrow, DEPOSIT),
                instruction::open_session(&program, &relay, owner, &escrow_address, &agent.pubkey(), &limits),
            ]);
        }
        cluster.run(&transactions)?;

        let payers = owners.iter().zip(agents).map(|(owner, agent)| {
            let escrow_address = address::escrow(&program, owner, &mint);
            let session = address::session(&program, &escrow_address, &agent.pubkey());
            let session = cluster.data(&session)?.context("the session was opened")?;
            let incarnation = Session::decode(&session)?.incarnation;
            let escrow = stored_escrow(cluster, &escrow_address)?;
            Ok(Payer { agent, escrow_address, escrow, incarnation, next_nonce: 1 })
        });
        Ok(Self {
            relay,
            receiver,
            fee_recipient: test_key("packing fee recipient").pubkey(),
            capture_authorizer: test_key(CAPTURE_AUTHORIZER),
            receiver_authorizer: test_key("packing receiver authorizer"),
            payers: payers.collect::<Result<_>>()?,
        })
    }

    /// The next payment of the payer with this index, made at `now` (unix seconds), to be held.
    pub(crate) fn intent(&mut self, payer: usize, now: i64) -> Intent {
        let payer = &mut self.payers[payer];
        let nonce = payer.next_nonce;
        payer.next_nonce += 1;
        Intent {
            program: program_id(),
            incarnation: payer.incarnation,
            escrow: payer.escrow_address,
            session_key: payer.agent.pubkey(),
            receiver: self.receiver,
            capture_authorizer: self.capture_authorizer.pubkey(),
            receiver_authorizer: self.receiver_authorizer.pubkey(),
            fee_recipient: self.fee_recipient,
            resource_hash: resource_hash("GET", "https://api.example/weather", b""),
            amount: AMOUNT,
            nonce,
            authorize_by: now + 600,
            capture_deadline: now + 3_600,
            refund_deadline: 0,
            maximum_fee_bps: 0,
            flow: PaymentFlow::Escrow,
        }
    }

    /// The next payment, to be charged without a capture: the session key is the capture authorizer.
    pub(crate) fn intent_to_charge(&mut self, payer: usize, now: i64) -> Intent {
        let intent = self.intent(payer, now);
        Intent { capture_authorizer: intent.session_key, flow: PaymentFlow::Authorization, ..intent }
    }

    /// The next payment, to be charged by a last capture: one key is both authorizers.
    pub(crate) fn intent_of_one_key(&mut self, payer: usize, now: i64) -> Intent {
        let intent = self.intent(payer, now);
        let receiver_authorizer = intent.capture_authorizer;
        Intent { receiver_authorizer, flow: PaymentFlow::Authorization, ..intent }
    }

    fn payer_of(&self, intent: &Intent) -> &Payer {
        let mut payers = self.payers.iter();
        payers
            .find(|payer| payer.escrow_address == intent.escrow)
            .expect("the intent is of one of the payers")
    }

    fn sign_intent(&self, intent: &Intent) -> Signature {
        self.payer_of(intent).agent.sign_message(&intent.signed_bytes()).into()
    }

    pub(crate) fn authorize(&self, intent: &Intent) -> Instruction {
        instruction::authorize(&self.relay, intent, &self.sign_intent(intent), &[])
    }

    /// Charges the whole intent of [`Self::intent_to_charge`].
    pub(crate) fn charge(&self, intent: &Intent) -> Instruction {
        self.charge_as(intent, &Charge { amount: intent.amount, capture: None, release: None })
    }

    /// Charges a part of the intent of [`Self::intent_of_one_key`], by a last capture.
    pub(crate) fn charge_part(&self, intent: &Intent) -> Instruction {
        let capture = Capture { last: true, ..capture_of(intent, PART) };
        let capture = Some(ChargeCapture::new(&capture, self.sign_capture(&capture)));
        self.charge_as(intent, &Charge { amount: PART, capture, release: None })
    }

    fn charge_as(&self, intent: &Intent, charge: &Charge) -> Instruction {
        instruction::charge(intent, &self.sign_intent(intent), &[], &self.payer_of(intent).escrow, charge)
    }

    /// Captures the whole hold by a signature.
    pub(crate) fn capture(&self, intent: &Intent, hold: &Hold) -> Instruction {
        let capture = capture_of(intent, AMOUNT);
        instruction::capture(self.accounts(intent, hold), AMOUNT, &capture, self.sign_capture(&capture))
    }

    /// Captures the whole hold, with the capture authorizer as signer of the transaction.
    pub(crate) fn capture_by_signer(&self, intent: &Intent, hold: &Hold) -> Instruction {
        let capture = capture_of(intent, AMOUNT);
        instruction::capture(self.accounts(intent, hold), AMOUNT, &capture, Consent::Signer)
    }

    /// Captures a part of the hold and releases the rest, by two signatures.
    pub(crate) fn capture_and_release(&self, intent: &Intent, hold: &Hold) -> Instruction {
        let capture = capture_of(intent, PART);
        let release = Release { intent_digest: intent.digest(), amount: PART };
        let release = self.receiver_authorizer.sign_message(&release.signed_bytes());
        let consent = self.sign_capture(&capture);
        instruction::capture_and_release(
            self.accounts(intent, hold),
            PART,
            &capture,
            consent,
            &release.into(),
        )
    }

    fn sign_capture(&self, capture: &Capture) -> Consent {
        Consent::Signature(self.capture_authorizer.sign_message(&capture.signed_bytes()).into())
    }

    fn accounts<'a>(&'a self, intent: &Intent, hold: &'a Hold) -> HoldAccounts<'a> {
        HoldAccounts {
            program: intent.program,
            escrow_address: intent.escrow,
            escrow: &self.payer_of(intent).escrow,
            hold_address: hold_address(intent),
            hold,
        }
    }
}

/// Enough for every payment of a run, in base units.
const DEPOSIT: u64 = 1_000 * AMOUNT;

/// Where the intent's hold is.
pub(crate) fn hold_address(intent: &Intent) -> Address {
    let session = address::session(&intent.program, &intent.escrow, &intent.session_key);
    address::hold(&intent.program, &session, intent.nonce)
}

/// A capture of `amount` without a fee, after which the rest stays held.
fn capture_of(intent: &Intent, amount: u64) -> Capture {
    Capture { intent_digest: intent.digest(), amount, fee: 0, last: false }
}

fn stored_escrow(cluster: &impl Cluster, address: &Address) -> Result<Escrow> {
    Ok(Escrow::decode(&cluster.data(address)?.context("the escrow was opened")?)?)
}
