use x402_escrow_interface::{
    Address,
    account::Escrow,
    address::{self, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    instruction,
    message::Intent,
};
use x402_escrow_tests::{
    program_id,
    svm::{Rival, World, usdc},
};

/// What belongs in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody's key, whether it signs or not.
    Key,
    Escrow,
    Session,
    Hold,
    TokenAccount,
    Mint,
    Program,
}

impl Kind {
    /// Of the slot called `name`.
    ///
    /// # Panics
    /// For a name that is new: say here what it is.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "payer"
            | "rent_payer"
            | "revoker"
            | "depositor"
            | "session_key"
            | "receiver"
            | "capture_authorizer"
            | "receiver_authorizer"
            | "fee_recipient"
            | "signing_capture_authorizer"
            | "signing_receiver_authorizer" => Self::Key,
            "escrow" => Self::Escrow,
            "session" => Self::Session,
            "hold" => Self::Hold,
            "vault" | "source" | "destination" | "receiver_token_account" | "fee_token_account" => {
                Self::TokenAccount
            }
            "mint" => Self::Mint,
            "token_program" | "system_program" => Self::Program,
            _ => panic!("no kind is known for the slot {name}"),
        }
    }
}

/// Valid accounts of every kind around those of a [`World`], as alike as they can be.
pub(crate) struct Neighbours {
    all: Vec<(Kind, &'static str, Address)>,
}

impl Neighbours {
    /// A type of ours whose account is too short for the slot's.
    pub(crate) const SMALLER_TYPE: &str = "an account of another type, shorter";
    /// A type of ours whose account is as long or longer.
    pub(crate) const OTHER_TYPE: &str = "an account of another type";
    /// What looks like the right account and belongs to another program.
    pub(crate) const FORGED: &str = "a copy of another program";
    /// Parties, authorizers and rent payer are those of the usual hold.
    pub(crate) const SAME_SESSION: &str = "another hold of the session";
    pub(crate) const NO_HOLD_YET: &str = "the place of a hold of the session";
    /// Of the same escrow.
    pub(crate) const SECOND_SESSION: &str = "another session of the escrow";
    pub(crate) const PAYERS_OTHER_ESCROW: &str = "the payer's escrow of another mint";
    pub(crate) const OTHER_MINT_VAULT: &str = "that escrow's vault";
    pub(crate) const VAULT: &str = "the vault";
    pub(crate) const PAYERS_TOKENS: &str = "the payer's tokens";
    pub(crate) const RECEIVERS_TOKENS: &str = "the receiver's tokens";
    pub(crate) const RECEIVERS_OTHER_TOKENS: &str = "the receiver's account that is not associated";
    pub(crate) const RECEIVERS_TOKENS_OF_OTHER_MINT: &str = "the receiver's tokens of another mint";
    pub(crate) const GUARDIAN: &str = "the guardian";
    pub(crate) const RECEIVER: &str = "the receiver";
    pub(crate) const FEE_RECIPIENT: &str = "the fee recipient";

    /// Moves them in around what there is: another payer; the payer's escrow of another mint, where the same agent has
    /// a session and a hold of the usual nonce; in the payer's escrow another session, and in both sessions a hold, of
    /// which 2 USDC are captured.
    ///
    /// A session without holds gets none, and an escrow without sessions no other session.
    pub(crate) fn of(world: &mut World) -> Self {
        let rival = world.rival();
        let mut neighbours = Self { all: Vec::new() };
        neighbours.add_of_rival(world, &rival);
        neighbours.add_other_mint(world, &rival.mint);
        if world.chain.data(&world.session).is_some() {
            neighbours.add_second_session(world);
            if world.session().open_holds > 0 {
                neighbours.add_hold_of_same_session(world);
            }
        }
        neighbours.add_keys(world);
        neighbours.add_token_accounts(world, &rival.mint);
        world.chain.next_slot();
        neighbours
    }

    /// What can be tried in place of `right`, which is of this kind.
    pub(crate) fn substitutes(
        &self,
        world: &mut World,
        kind: Kind,
        right: &Address,
    ) -> Vec<(&'static str, Address)> {
        let of_kind = self.all.iter().filter(|(of, ..)| *of == kind);
        let mut substitutes: Vec<_> = of_kind.map(|(_, name, address)| (*name, *address)).collect();
        let types = [Kind::Escrow, Kind::Session, Kind::Hold];
        if let (true, Some(data)) = (types.contains(&kind), world.chain.data(right)) {
            for other in types.into_iter().filter(|other| *other != kind) {
                let address = self.one_of(other);
                let bytes = world.chain.data(&address).map_or(0, |data| data.len());
                let name = if bytes < data.len() { Self::SMALLER_TYPE } else { Self::OTHER_TYPE };
                substitutes.push((name, address));
            }
            substitutes.push((Self::FORGED, world.chain.forge(right)));
        }
        substitutes.retain(|(_, address)| address != right);
        substitutes
    }

    fn one_of(&self, kind: Kind) -> Address {
        let mut of_kind = self.all.iter().filter(|(of, ..)| *of == kind);
        of_kind.next().expect("the other payer has one of each").2
    }

    fn add(&mut self, kind: Kind, name: &'static str, address: Address) {
        self.all.push((kind, name, address));
    }

    fn add_of_rival(&mut self, world: &World, rival: &Rival) {
        self.add(Kind::Key, "the other payer", rival.payer);
        self.add(Kind::Escrow, "the other payer's escrow", rival.escrow);
        self.add(Kind::TokenAccount, "the other payer's vault", rival.vault);
        self.add(Kind::Session, "the other payer's session", rival.session);
        self.add(Kind::Hold, "the other payer's hold", rival.hold);
        self.add(Kind::Mint, "another mint", rival.mint);
        self.add(Kind::Mint, "the mint", world.mint);
        self.add(Kind::Program, "SPL Token", TOKEN_PROGRAM_ID);
        self.add(Kind::Program, "Token-2022", TOKEN_2022_PROGRAM_ID);
    }

    fn add_other_mint(&mut self, world: &mut World, mint: &Address) {
        let (payer, agent, relay) = (world.payer, world.agent, world.relay);
        let program = program_id();
        let escrow = address::escrow(&program, &payer, mint);
        let source = world.chain.fund(&payer, mint, usdc(100));
        world.succeed(&instruction::open_escrow(&program, &relay, &payer, mint, &TOKEN_PROGRAM_ID));
        let stored = Escrow::decode(&world.chain.data(&escrow).unwrap()).unwrap();
        world.succeed(&[
            instruction::deposit(&program, &payer, &source, &escrow, &stored, usdc(50)),
            instruction::open_session(&program, &relay, &payer, &escrow, &agent, &World::limits()),
        ]);
        let intent = open_intent(world, &escrow, &agent, 1);
        world.succeed(&[world.authorize(&intent)]);
        self.add(Kind::Escrow, Self::PAYERS_OTHER_ESCROW, escrow);
        self.add(Kind::TokenAccount, Self::OTHER_MINT_VAULT, stored.vault);
        let session = address::session(&program, &escrow, &agent);
        self.add(Kind::Session, "the agent's session of that escrow", session);
        self.add(Kind::Hold, "the hold of that session with the same nonce", world.hold_address(&intent));
    }

    fn add_second_session(&mut self, world: &mut World) {
        let escrow = world.escrow;
        let agent = world.chain.key("second agent");
        world.succeed(&[world.open_session_of(&agent, &World::limits())]);
        let intent = open_intent(world, &escrow, &agent, 1);
        world.succeed(&[world.authorize(&intent)]);
        world.succeed(&[world.capture(&intent, usdc(2))]);
        self.add(Kind::Key, "the other session's key", agent);
        self.add(Kind::Session, Self::SECOND_SESSION, address::session(&program_id(), &escrow, &agent));
        self.add(Kind::Hold, "the hold of that session", world.hold_address(&intent));
    }

    fn add_hold_of_same_session(&mut self, world: &mut World) {
        let intent = open_intent(world, &world.escrow, &world.agent, 900);
        world.succeed(&[world.authorize(&intent)]);
        world.succeed(&[world.capture(&intent, usdc(2))]);
        self.add(Kind::Hold, Self::SAME_SESSION, world.hold_address(&intent));
        let not_yet = world.hold_address(&Intent { nonce: 901, ..intent });
        self.add(Kind::Hold, Self::NO_HOLD_YET, not_yet);
    }

    fn add_keys(&mut self, world: &World) {
        for (name, key) in [
            ("the payer", world.payer),
            ("the relay", world.relay),
            ("the session key", world.agent),
            (Self::RECEIVER, world.receiver),
            ("the capture authorizer", world.capture_authorizer),
            ("the receiver authorizer", world.receiver_authorizer),
            (Self::FEE_RECIPIENT, world.fee_recipient),
            (Self::GUARDIAN, world.guardian),
            ("a stranger", world.stranger),
        ] {
            self.add(Kind::Key, name, key);
        }
    }

    fn add_token_accounts(&mut self, world: &mut World, other_mint: &Address) {
        for (name, owner) in [
            (Self::VAULT, world.escrow),
            (Self::PAYERS_TOKENS, world.payer),
            (Self::RECEIVERS_TOKENS, world.receiver),
            ("the fee recipient's tokens", world.fee_recipient),
            ("a stranger's tokens", world.stranger),
        ] {
            self.add(Kind::TokenAccount, name, world.token_account(&owner));
        }
        let (receiver, fee_recipient, mint) = (world.receiver, world.fee_recipient, world.mint);
        let from = world.chain.fund(&fee_recipient, &mint, usdc(10));
        let of_other_mint = world.chain.fund(&receiver, other_mint, usdc(5));
        let not_associated = world.chain.create_token_account("receiver's other account", &receiver, &mint);
        world.chain.transfer(&from, &not_associated, usdc(5));
        self.add(Kind::TokenAccount, Self::RECEIVERS_TOKENS_OF_OTHER_MINT, of_other_mint);
        self.add(Kind::TokenAccount, Self::RECEIVERS_OTHER_TOKENS, not_associated);
    }
}

/// With the usual hold.
pub(crate) fn with_hold() -> World {
    World::with_hold().0
}

/// The usual intent in the session of `agent` in `escrow`.
fn open_intent(world: &World, escrow: &Address, agent: &Address, nonce: u64) -> Intent {
    let incarnation = world.session_at(&address::session(&program_id(), escrow, agent)).incarnation;
    let (escrow, session_key) = (*escrow, *agent);
    Intent { escrow, session_key, nonce, ..world.intent_of(incarnation) }
}
