use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address,
    instruction::{self, SessionLimits},
    message::Intent,
    receivers::ANYONE,
};

use super::{Chain, Receipt, Refusal};
use crate::program_id;

/// `amount` USDC in base units.
pub const fn usdc(amount: u64) -> u64 {
    amount * 1_000_000
}

/// A chain with a mint and the usual cast. Each party has a key of its own, so that a mix-up shows.
pub struct World {
    /// The machine underneath.
    pub chain: Chain,
    /// The token.
    pub mint: Address,
    /// The mint's program.
    pub token_program: Address,
    /// Whose escrow it is; owns 1,000 USDC before it deposits.
    pub payer: Address,
    /// Pays every rent.
    pub relay: Address,
    /// The session key.
    pub agent: Address,
    /// Who is paid.
    pub receiver: Address,
    /// Allows money to go to the receiver.
    pub capture_authorizer: Address,
    /// Allows money to go back.
    pub receiver_authorizer: Address,
    /// May take fees.
    pub fee_recipient: Address,
    /// May revoke sessions, once it is set.
    pub guardian: Address,
    /// Has no rights; owns 100 USDC.
    pub stranger: Address,
    /// The payer's escrow.
    pub escrow: Address,
    /// The agent's session.
    pub session: Address,
}

impl World {
    /// What is deposited in the usual escrow, in base units.
    pub const DEPOSIT: u64 = usdc(100);

    /// Everybody, and no escrow yet.
    pub fn new() -> Self {
        Self::on("the cluster")
    }

    /// The same on a chain called `cluster`.
    pub fn on(cluster: &'static str) -> Self {
        let mut chain = Chain::new(cluster);
        let mint = chain.create_mint("USDC");
        Self::of(chain, mint)
    }

    /// The same with a mint of one's own.
    pub fn of(mut chain: Chain, mint: Address) -> Self {
        let payer = chain.key("payer");
        let agent = chain.key("agent");
        let escrow = address::escrow(&program_id(), &payer, &mint);
        let mut world = Self {
            mint,
            token_program: chain.token_program(&mint),
            payer,
            agent,
            relay: chain.key("relay"),
            receiver: chain.key("receiver"),
            capture_authorizer: chain.key("capture authorizer"),
            receiver_authorizer: chain.key("receiver authorizer"),
            fee_recipient: chain.key("fee recipient"),
            guardian: chain.key("guardian"),
            stranger: chain.key("stranger"),
            escrow,
            session: address::session(&program_id(), &escrow, &agent),
            chain,
        };
        world.chain.fund(&world.payer, &world.mint, usdc(1_000));
        world.chain.fund(&world.stranger, &world.mint, usdc(100));
        world.chain.fund(&world.receiver, &world.mint, 0);
        world.chain.fund(&world.fee_recipient, &world.mint, 0);
        world
    }

    /// With an escrow of 100 USDC.
    pub fn with_escrow() -> Self {
        Self::new().and_escrow()
    }

    /// This world with such an escrow.
    #[must_use]
    pub fn and_escrow(mut self) -> Self {
        self.succeed(&self.open_escrow());
        self.succeed(&[self.deposit(Self::DEPOSIT)]);
        self
    }

    /// With a session of wide limits besides.
    pub fn with_session() -> Self {
        Self::with_session_of(Self::limits())
    }

    /// With a session of these limits.
    pub fn with_session_of(limits: SessionLimits) -> Self {
        Self::with_escrow().and_session_of(limits)
    }

    /// This world with such a session.
    #[must_use]
    pub fn and_session_of(mut self, limits: SessionLimits) -> Self {
        self.succeed(&[self.open_session(&limits)]);
        self.chain.next_slot();
        self
    }

    /// With a hold of 10 USDC besides.
    pub fn with_hold() -> (Self, Intent) {
        let mut world = Self::with_session();
        let intent = world.intent();
        world.succeed(&[world.authorize(&intent)]);
        (world, intent)
    }

    /// Limits that the usual payments don't touch: 30 days, 1,000 USDC, no period, any receiver.
    pub fn limits() -> SessionLimits {
        SessionLimits {
            expires_at: super::START + 30 * 24 * 60 * 60,
            maximum_payment: usdc(1_000),
            maximum_total: usdc(1_000),
            maximum_per_period: 0,
            period_seconds: 0,
            receivers_root: ANYONE,
        }
    }

    /// [`Chain::succeed`].
    #[track_caller]
    pub fn succeed(&mut self, instructions: &[Instruction]) -> Receipt {
        self.chain.succeed(instructions)
    }

    /// [`Chain::refuse`].
    #[track_caller]
    pub fn refuse(&mut self, instruction: Instruction, reason: impl Into<Refusal>) {
        self.chain.refuse(&[instruction], reason);
    }

    /// The escrow as it is stored.
    ///
    /// # Panics
    /// If there is none.
    pub fn escrow(&self) -> Escrow {
        Escrow::decode(&self.chain.data(&self.escrow).expect("the escrow exists")).expect("it is an escrow")
    }

    /// The agent's session as it is stored.
    ///
    /// # Panics
    /// If there is none.
    pub fn session(&self) -> Session {
        self.session_at(&self.session)
    }

    /// The session at `address` as it is stored.
    ///
    /// # Panics
    /// If there is none.
    pub fn session_at(&self, address: &Address) -> Session {
        Session::decode(&self.chain.data(address).expect("the session exists")).expect("it is a session")
    }

    /// The associated token account of `owner`.
    pub fn token_account(&self, owner: &Address) -> Address {
        address::associated_token(owner, &self.mint, &self.token_program)
    }

    /// What `owner` has in its associated token account, in base units.
    pub fn tokens(&self, owner: &Address) -> u64 {
        self.chain.tokens(&self.token_account(owner))
    }

    /// Opens the payer's escrow; the relay pays the rent.
    pub fn open_escrow(&self) -> Vec<Instruction> {
        let Self { relay, payer, mint, token_program, .. } = self;
        instruction::open_escrow(&program_id(), relay, payer, mint, token_program)
    }

    /// The payer names who may revoke its sessions.
    pub fn set_guardian(&self, guardian: &Address) -> Instruction {
        instruction::set_guardian(&program_id(), &self.payer, &self.escrow, guardian)
    }

    /// The payer deposits `amount`.
    pub fn deposit(&self, amount: u64) -> Instruction {
        let source = self.token_account(&self.payer);
        instruction::deposit(&program_id(), &self.payer, &source, &self.escrow, &self.escrow(), amount)
    }

    /// Credits what reached the vault.
    pub fn sync(&self) -> Instruction {
        instruction::sync(&program_id(), &self.escrow, &self.escrow())
    }

    /// Pays `amount` of the free balance, or all of it, to the payer's associated token account.
    pub fn withdraw(&self, amount: Option<u64>) -> Instruction {
        self.withdraw_to(&self.token_account(&self.payer), amount)
    }

    /// The same to the token account `destination`.
    pub fn withdraw_to(&self, destination: &Address, amount: Option<u64>) -> Instruction {
        instruction::withdraw(&program_id(), &self.escrow, &self.escrow(), destination, amount)
    }

    /// Closes the escrow; what is left goes to the payer's associated token account.
    pub fn close_escrow(&self) -> Instruction {
        let destination = self.token_account(&self.payer);
        instruction::close_escrow(&program_id(), &self.escrow, &self.escrow(), &destination)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
