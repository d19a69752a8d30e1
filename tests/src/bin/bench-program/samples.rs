//! Measures instructions on LiteSVM.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address, address,
    instruction::SessionLimits,
    message::{Intent, PaymentFlow},
    receivers::ReceiverList,
};
use x402_escrow_tests::{
    keys::test_key,
    program_id,
    svm::{START, World, usdc},
};

use crate::report::{InstructionCost, Work};

/// Payments that each case is measured over: signatures and derived addresses differ in cost.
pub(crate) const SAMPLES: usize = 32;
/// Of how many candidates the unluckiest is taken, wherever an address is derived: one in that many is as bad.
pub(crate) const CANDIDATES: u64 = 1_000;
/// Receivers that the samples take turns with.
const RECEIVERS: usize = SAMPLES;

/// The length of the period in sessions that have one.
pub(crate) const PERIOD_SECONDS: u64 = 60;

/// The cases measured so far.
#[derive(Default)]
pub(crate) struct Cases(pub(crate) Vec<InstructionCost>);

impl Cases {
    /// Adds a case by the compute units of its samples.
    pub(crate) fn add(&mut self, instruction: &str, case: &str, work: Work, mut compute_units: Vec<u64>) {
        compute_units.sort_unstable();
        let (middle, last) = (compute_units.len() / 2, compute_units.len() - 1);
        let cost = InstructionCost {
            instruction: instruction.to_owned(),
            case: case.to_owned(),
            samples: compute_units.len() as u64,
            typical_compute_units: compute_units[middle],
            worst_compute_units: compute_units[last],
            work,
        };
        // The cases of an instruction stay together.
        let others = self.0.iter().rposition(|other| other.instruction == instruction);
        self.0.insert(others.map_or(self.0.len(), |index| index + 1), cost);
    }

    /// The typical compute units of a case that was added.
    pub(crate) fn typical(&self, instruction: &str, case: &str) -> u64 {
        let mut cases = self.0.iter();
        let found = cases.find(|cost| cost.instruction == instruction && cost.case == case);
        found.unwrap_or_else(|| panic!("{instruction}, {case} is measured")).typical_compute_units
    }
}

/// What an instruction does, for [`Work`]: signatures, transfers, accounts.
pub(crate) const fn work(signature_checks: u64, token_transfers: u64, account_creations: u64) -> Work {
    Work { signature_checks, token_transfers, account_creations }
}

/// A world in which one payment after another is made.
pub(crate) struct Bench {
    pub(crate) world: World,
    next_nonce: u64,
    receivers: Vec<Address>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(World::with_session())
    }

    /// In a session with a limit per period.
    pub(crate) fn with_periods() -> Self {
        Self::of(World::with_session_of(SessionLimits {
            maximum_per_period: usdc(1_000),
            period_seconds: PERIOD_SECONDS,
            ..World::limits()
        }))
    }

    /// In a session that pays only the receivers of `list`.
    pub(crate) fn with_list(list: &ReceiverList) -> Self {
        Self::of(World::with_session_of(SessionLimits { receivers_root: list.root(), ..World::limits() }))
    }

    pub(crate) fn of(mut world: World) -> Self {
        let receivers = receivers(RECEIVERS);
        for receiver in &receivers {
            world.chain.fund(receiver, &world.mint, 0);
        }
        Self { world, next_nonce: 1, receivers }
    }

    /// The next payment of 1 USDC, to be held.
    pub(crate) fn intent(&mut self) -> Intent {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let receiver = self.receivers[nonce as usize % self.receivers.len()];
        Intent { nonce, receiver, amount: usdc(1), ..self.world.intent() }
    }

    /// The next payment of 1 USDC, to be charged.
    pub(crate) fn intent_to_charge(&mut self) -> Intent {
        Intent { flow: PaymentFlow::Authorization, ..self.intent() }
    }

    /// The next payment, whose authorizers are one key.
    pub(crate) fn intent_of_one_key(&mut self) -> Intent {
        Intent { receiver_authorizer: self.world.capture_authorizer, ..self.intent() }
    }

    /// A payment whose addresses are costly to derive, and whose nonce clears most of the replay window.
    pub(crate) fn worst_intent(&mut self) -> Intent {
        let receiver = self.unlucky_owner("unlucky receiver");
        let (nonce, authorize_by) = (self.unlucky_nonce(), authorize_by(&self.world));
        Intent { nonce, receiver, authorize_by, ..self.intent() }
    }

    /// The next payment, held.
    pub(crate) fn held(&mut self) -> Intent {
        let intent = self.intent();
        self.run(self.world.authorize(&intent));
        intent
    }

    /// Runs one instruction and returns its compute units.
    pub(crate) fn run(&mut self, instruction: Instruction) -> u64 {
        self.world.succeed(&[instruction]).compute_units
    }

    /// Measures the instruction that `make` prepares, once for each sample.
    pub(crate) fn sample(&mut self, make: impl Fn(&mut Self) -> Instruction) -> Vec<u64> {
        let sample = |_| {
            let instruction = make(self);
            self.run(instruction)
        };
        (0..SAMPLES).map(sample).collect()
    }

    /// The unluckiest owner to derive an associated token account for; it has one from now on.
    pub(crate) fn unlucky_owner(&mut self, name: &str) -> Address {
        let candidates = (0..CANDIDATES).map(|index| test_address(&format!("{name} {index}")));
        let owner = candidates.max_by_key(|owner| self.owner_tries(owner)).expect("there are candidates");
        self.world.chain.fund(&owner, &self.world.mint, 0);
        owner
    }

    /// One whose associated token account is found at once; it has one from now on.
    pub(crate) fn lucky_owner(&mut self, name: &str) -> Address {
        let mut candidates = (0..CANDIDATES).map(|index| test_address(&format!("{name} {index}")));
        let owner = candidates.find(|owner| self.owner_tries(owner) == 0).expect("every second one is lucky");
        self.world.chain.fund(&owner, &self.world.mint, 0);
        owner
    }

    /// How many tries the owner's associated token account takes in vain.
    pub(crate) fn owner_tries(&self, owner: &Address) -> u8 {
        let seeds = [owner.as_ref(), self.world.token_program.as_ref(), self.world.mint.as_ref()];
        tries(&seeds, &address::ASSOCIATED_TOKEN_PROGRAM_ID)
    }

    /// The next payment whose hold's address is found at once.
    pub(crate) fn intent_with_lucky_hold(&mut self) -> Intent {
        loop {
            let intent = self.intent();
            if self.hold_tries(intent.nonce) == 0 {
                return intent;
            }
        }
    }

    fn hold_tries(&self, nonce: u64) -> u8 {
        let seeds = [address::HOLD_SEED, self.world.session.as_ref(), &nonce.to_le_bytes()];
        tries(&seeds, &program_id())
    }

    /// The unluckiest nonce of a jump that empties most of the replay window.
    fn unlucky_nonce(&self) -> u64 {
        let highest = self.world.session().highest_nonce;
        let candidates = highest + 24..=highest + 1_024;
        candidates.max_by_key(|nonce| self.hold_tries(*nonce)).expect("there are candidates")
    }

    /// Lets a period pass.
    pub(crate) fn next_period(&mut self) {
        let time = self.world.chain.time() + i64::try_from(PERIOD_SECONDS).expect("a minute");
        self.world.chain.set_time(time);
    }

    /// Somebody sends lamports to an address that does not exist yet, which makes its creation dearer.
    pub(crate) fn send_lamports(&mut self, to: &Address) {
        let (from, lamports) = (self.world.stranger, self.world.chain.rent(0));
        self.world.succeed(&[solana_system_interface::instruction::transfer(&from, to, lamports)]);
    }
}

fn receivers(count: usize) -> Vec<Address> {
    (0..count).map(|index| test_address(&format!("receiver {index}"))).collect()
}

/// A list of `count` receivers, those of the samples among them.
pub(crate) fn list_of(count: usize) -> ReceiverList {
    ReceiverList::new(receivers(count)).expect("no more than a list can have")
}

/// How many addresses are tried in vain before one is off the curve.
pub(crate) fn tries(seeds: &[&[u8]], program: &Address) -> u8 {
    u8::MAX - Address::find_program_address(seeds, program).1
}

/// The address of the test key called `name`.
pub(crate) fn test_address(name: &str) -> Address {
    solana_sdk::signer::Signer::pubkey(&test_key(name))
}

/// The usual time by which intents are put on chain, for those made after a while.
fn authorize_by(world: &World) -> i64 {
    world.chain.time() + (World::AUTHORIZE_BY - START)
}
