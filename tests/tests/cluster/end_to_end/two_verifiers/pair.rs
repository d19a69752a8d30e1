//! Two verifiers over one PostgreSQL database, a merchant and an agent at each, and those who ask either by hand.

use std::{
    env,
    sync::{Arc, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use solana_sdk::signature::Signer;
use x402_escrow_interface::{Address, account::Escrow, address};
use x402_escrow_tests::local::{
    Agent, Local, Merchant, Verifier,
    parties::{Parties, Terms, now},
};
use x402_escrow_tests::{database::OwnDatabase, program_id};
use x402_escrow_wire::{payment::PaymentRequirements, text::Hex32};

use crate::shop::turn;

/// The variable with the URL of a server whose user may create databases.
const SERVER: &str = "X402_TEST_POSTGRES";

/// A capture of a confirmed hold is answered at once up to this, in base units, and sent later.
pub(super) const RESERVED_UP_TO: u64 = 100_000;

/// How long such a capture waits for others. Longer than it takes to kill a verifier.
const GATHER_SECONDS: &str = "20";

const FINALITY_ON_HOLD: &str =
    "[{ up_to = '100000', commitment = 'reserved' }, { commitment = 'confirmed' }]";

/// PostgreSQL lets the lock of a dead process go at once, and the other waits for it; the rest is for a busy machine.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(60);

/// Price of /quote, in base units.
const QUOTE: u64 = 10_000;

/// A verifier, and who buys and sells through it alone.
pub(super) struct Side {
    merchant: Merchant,
    agent: Agent,
    pub(super) parties: Parties,
    pub(super) verifier: Verifier,
}

impl Side {
    /// An agent buys from the merchant. Returns what the merchant earns.
    #[track_caller]
    pub(super) fn buy(&self) -> u64 {
        let url = format!("{}/quote?symbol=SOL", self.merchant.url);
        let bought = self.agent.run(&["fetch", &url]).unwrap();
        assert_eq!(bought["status"], 200, "{bought}");
        QUOTE
    }

    /// What the verifier says of a payment.
    pub(super) fn report(&self, hold: &Hold) -> Value {
        self.verifier.payment(&hold.id.to_string()).unwrap()
    }

    /// Asks for a payment until there is a verdict.
    pub(super) fn hold(&self, hold: &Hold) -> Result<(), String> {
        self.parties.settle_until_decided(&hold.requirements, &hold.payload)
    }

    /// Asks for `payload`, which the merchant has signed, until the answer is yes.
    #[track_caller]
    pub(super) fn end(&self, hold: &Hold, payload: &Value) {
        let ended = self.parties.settle_until_decided(&hold.requirements, payload);
        assert_eq!(ended, Ok(()), "{:#}", self.report(hold));
    }
}

/// A payment and what it is for.
pub(super) struct Hold {
    id: Hex32,
    pub(super) amount: u64,
    pub(super) requirements: PaymentRequirements,
    pub(super) payload: Value,
}

/// Dropped from top to bottom: those who use it before the database, and the cluster last.
pub(super) struct Pair {
    /// The first leads.
    pub(super) sides: [Side; 2],
    pub(super) owner: Agent,
    _database: OwnDatabase,
    local: Local,
    _cluster: Arc<Local>,
    _turn: MutexGuard<'static, ()>,
}

impl Pair {
    /// Opens an escrow with [`Parties::DEPOSIT`] and three sessions: one for each agent, and one to sign with by hand.
    pub(super) fn open() -> Self {
        let database = OwnDatabase::create(&env::var(SERVER).expect("set X402_TEST_POSTGRES")).unwrap();
        let (cluster, turn) = turn();
        let local = cluster.beside().unwrap();
        let settings = [
            ("X402_DATABASE", database.url()),
            ("X402_GATHER_SECONDS", GATHER_SECONDS.to_owned()),
            ("X402_FINALITY_ON_CONFIRMED_HOLD", FINALITY_ON_HOLD.to_owned()),
            ("X402_FINALITY_ON_FINALIZED_HOLD", FINALITY_ON_HOLD.to_owned()),
        ];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let leader = Verifier::start_with(&local, &settings).unwrap();
        let leads = || leader.is_leading();
        local.chain.wait_until("the first verifier to lead", TAKEN_OVER_WITHIN, leads).unwrap();
        let standby = leader.start_another().unwrap();
        let (parties, owner) = Parties::open(&local, &leader).unwrap();
        let side = |verifier: Verifier, name: &str| {
            let owner = Agent::owner(&local, &local.folder().join("owner.json"), &verifier);
            let session = owner.open_session(&format!("session-{name}")).unwrap();
            Side {
                merchant: Merchant::start_with(&local, &verifier, name, &["--held"]).unwrap(),
                agent: Agent::with_session(&local, &session),
                parties: parties.asking(&verifier),
                verifier,
            }
        };
        let sides = [side(leader, "one"), side(standby, "other")];
        Self { sides, owner, _database: database, local, _cluster: cluster, _turn: turn }
    }

    /// A signed payment that nobody was asked to settle yet.
    pub(super) fn draft(&self, amount: u64, capture_deadline: i64) -> Hold {
        let parties = &self.sides[0].parties;
        let requirements = parties.requirements(&Terms { amount, request_price: None, capture_deadline });
        let authorize_by = (now() + 90).min(capture_deadline - 30);
        let (payload, id) = parties.intent(&requirements, authorize_by).unwrap();
        Hold { id, amount, requirements, payload: json!(payload) }
    }

    /// The merchant's signature for a capture of `amount`, after which the rest goes back.
    pub(super) fn capture(&self, hold: &Hold, amount: u64) -> Value {
        self.sides[0].parties.capture(hold.id, amount, true)
    }

    /// The merchant's signature for giving it all back.
    pub(super) fn void(&self, hold: &Hold) -> Value {
        self.sides[0].parties.void(hold.id)
    }

    /// Kills the verifier that leads, waits until the other does, and returns how long that took.
    pub(super) fn kill(&self, leader: usize) -> Duration {
        let killed = Instant::now();
        self.sides[leader].verifier.kill_now();
        let leads = || self.sides[1 - leader].verifier.is_leading();
        self.local.chain.wait_until("the other verifier to lead", TAKEN_OVER_WITHIN, leads).unwrap();
        killed.elapsed()
    }

    pub(super) fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        self.local.chain.wait_until(what, Duration::from_secs(240), || Ok(holds())).unwrap();
    }

    /// Waits until a payment has ended and the verifier on this side says that `captured` of it was.
    #[track_caller]
    pub(super) fn assert_ends(&self, side: &Side, hold: &Hold, captured: u64) {
        self.wait_until("a payment to end", || side.verifier.has_ended(&hold.id.to_string()).unwrap());
        let report = side.report(hold);
        let sums = (&report["captured"], &report["released"]);
        let expected = (&json!(captured.to_string()), &json!((hold.amount - captured).to_string()));
        assert_eq!(sums, expected, "{report:#}");
    }

    pub(super) fn escrow(&self) -> Escrow {
        self.local.chain.escrow(&self.sides[0].parties.owner, &self.local.mint).unwrap()
    }

    /// What the two agents' merchants and the one who signs by hand have.
    pub(super) fn earned(&self) -> [u64; 3] {
        let by_hand = Address::from(self.sides[0].parties.merchant.verifying_key().to_bytes());
        let [one, other] = self.sides.each_ref().map(|side| side.merchant.key.pubkey());
        [one, other, by_hand].map(|merchant| self.tokens(&merchant))
    }

    /// Nothing is held, and `balance` and what was earned and withdrawn is all that there is.
    #[track_caller]
    pub(super) fn assert_books(&self, balance: u64, withdrawn: u64) {
        let (escrow, owner) = (self.escrow(), self.sides[0].parties.owner);
        assert_eq!((escrow.balance, escrow.held), (balance, 0), "balance and held");
        assert_eq!(self.tokens(&address::escrow(&program_id(), &owner, &self.local.mint)), balance, "vault");
        assert_eq!(self.tokens(&owner), withdrawn, "withdrawn");
        let earned: u64 = self.earned().iter().sum();
        assert_eq!(balance + withdrawn + earned, Parties::DEPOSIT, "all that there is");
        assert_eq!(self.local.chain.supply(&self.local.mint).unwrap(), Parties::DEPOSIT, "supply");
    }

    fn tokens(&self, owner: &Address) -> u64 {
        self.local.chain.tokens(owner, &self.local.mint).unwrap()
    }
}
