use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    instruction::{self, HoldAccounts},
};
use x402_escrow_tests::{program_id, svm::Chain};

use crate::property::{audit::Payment, cast::Place, play::Play};

/// A copy of the chain, on which one escrow comes to its end.
pub(crate) struct Trial<'a> {
    pub(super) play: &'a Play,
    pub(super) place: &'a Place,
    pub(super) chain: Chain,
    pub(super) random: ChaCha8Rng,
    /// Of which something is promised to the receiver, with where they are held, the first deadline
    /// first.
    pub(super) payments: Vec<(Address, Payment)>,
    /// What was in the vault at the beginning.
    pub(super) tokens: u64,
    /// What the payer took out of it.
    pub(super) withdrawn: u64,
    /// What left it for receivers and fee recipients since.
    pub(super) paid: u64,
}

/// Where a token account says whether it is frozen, and how.
const STATE: usize = 108;
const THAWED: u8 = 1;
const FROZEN: u8 = 2;

impl<'a> Trial<'a> {
    /// A copy where nobody is kept from receiving by the mint's issuer, but for fee recipients,
    /// whom that must not matter.
    pub(crate) fn new(play: &'a Play, escrow: &Address, seed: u64) -> Self {
        let place = play.cast.place(escrow);
        let mut chain = play.chain.trial();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for owner in play.cast.wallets.iter().chain([escrow]) {
            let frozen = play.cast.fee_recipients.contains(owner) && random.random_ratio(1, 2);
            let state = if frozen { FROZEN } else { THAWED };
            let account = place.tokens_of(owner);
            if chain.data(&account).is_some() {
                chain.rewrite(&account, |data| data[STATE] = state);
            }
        }
        let payments = &play.audit.payments;
        let held = payments.held_at.iter().filter_map(|(hold, digest)| Some((*hold, payments.get(digest)?)));
        let open = held.filter(|(_, payment)| payment.open() > 0 && payment.intent.escrow == *escrow);
        let mut payments: Vec<_> = open.map(|(hold, payment)| (hold, payment.clone())).collect();
        // Any order among those with one deadline.
        payments.shuffle(&mut random);
        payments.sort_by_key(|(_, payment)| payment.intent.capture_deadline);
        let tokens = chain.tokens(&place.vault());
        Self { play, place, chain, random, payments, tokens, withdrawn: 0, paid: 0 }
    }

    /// What `owner` has of the escrow's mint.
    pub(super) fn tokens_of(&self, owner: &Address) -> u64 {
        self.chain.tokens(&self.place.tokens_of(owner))
    }

    /// The escrow as anybody reads it.
    pub(super) fn escrow(&self) -> Escrow {
        Escrow::decode(&self.chain.data(&self.place.escrow).expect("the escrow exists")).unwrap()
    }

    /// An instruction about a hold; `None` if nothing is held there.
    pub(super) fn about(
        &self,
        hold_address: Address,
        build: impl FnOnce(HoldAccounts<'_>) -> Instruction,
    ) -> Option<Instruction> {
        let hold = Hold::decode(&self.chain.data(&hold_address)?).ok()?;
        let (program, escrow_address, escrow) = (program_id(), self.place.escrow, self.escrow());
        Some(build(HoldAccounts { program, escrow_address, escrow: &escrow, hold_address, hold: &hold }))
    }

    /// Sends an instruction that may be refused.
    pub(super) fn attempt(&mut self, instruction: &Instruction) -> Result<(), String> {
        self.chain.attempt(instruction).map(drop).map_err(|refusal| refusal.to_string())
    }

    /// A stranger credits what reached the vault by plain transfer.
    pub(super) fn sync(&mut self) {
        let sync = instruction::sync(&program_id(), &self.place.escrow, &self.escrow());
        // If it is refused, what it would have credited is missed later.
        let _ = self.attempt(&sync);
    }

    /// A stranger tries to reclaim what is held at this address.
    pub(super) fn reclaim(&mut self, hold: Address) -> Result<(), String> {
        let reclaim = self.about(hold, instruction::reclaim).ok_or("nothing is held there")?;
        self.attempt(&reclaim)
    }
}
