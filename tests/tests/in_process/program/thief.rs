//! A thief in the midst of a payment: what it can take with the keys it has, and that it can do nothing else.

use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, Hold},
    address,
    instruction::{self, Consent, HoldAccounts, SessionLimits},
    message::{Capture, Intent, PaymentFlow, Release},
};
use x402_escrow_tests::{
    program_id,
    svm::{Rival, World, usdc},
};

/// What everybody has, in base units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tokens {
    /// In the payer's own account.
    pub(super) payer: u64,
    /// In the escrow's vault.
    pub(super) escrow: u64,
    pub(super) receiver: u64,
    pub(super) fee_recipient: u64,
    pub(super) other_merchant: u64,
    /// In the other payer's vault.
    pub(super) rival: u64,
    pub(super) thief: u64,
}

/// Before the thief comes: 96 USDC in the escrow, of which 6 are held for the receiver, 5 for another merchant, and 85
/// are free; of those the session may still spend 35.
pub(super) const BEFORE: Tokens = Tokens {
    payer: usdc(900),
    escrow: usdc(96),
    receiver: usdc(4) - FEE,
    fee_recipient: FEE,
    other_merchant: 0,
    rival: usdc(50),
    thief: usdc(100),
};

/// Taken of the 4 USDC that were captured.
pub(super) const FEE: u64 = 40_000;

/// What the session may spend.
pub(super) fn limits() -> SessionLimits {
    SessionLimits { maximum_payment: usdc(20), maximum_total: usdc(50), ..World::limits() }
}

/// A payment under way, and people around it whose keys are not stolen.
pub(super) struct Scene {
    pub(super) world: World,
    /// Has no rights of its own.
    pub(super) thief: Address,
    /// A hold of 10 USDC, of which 4 are captured.
    pub(super) intent: Intent,
    /// A hold of 5 USDC of the same session, for another merchant, who is its authorizers too.
    pub(super) others: Intent,
    /// Another payer, who holds 1 USDC for the same receiver with the same authorizers.
    pub(super) rival: Rival,
}

impl Scene {
    pub(super) fn new() -> Self {
        let mut world = World::with_session_of(limits());
        let (intent, guardian) = (world.intent(), world.guardian);
        world.succeed(&[world.set_guardian(&guardian)]);
        let first = Capture { fee: FEE, ..world.capture_message(&intent, usdc(4)) };
        world.succeed(&[world.authorize(&intent)]);
        world.succeed(&[world.capture_as(&intent, &first)]);

        let merchant = world.chain.key("other merchant");
        world.chain.fund(&merchant, &world.mint.clone(), 0);
        let others = Intent {
            receiver: merchant,
            capture_authorizer: merchant,
            receiver_authorizer: merchant,
            amount: usdc(5),
            nonce: 2,
            ..world.intent()
        };
        world.succeed(&[world.authorize(&others)]);

        let rival = world.rival();
        let scene = Self { thief: world.stranger, world, intent, others, rival };
        assert_eq!(scene.tokens(), BEFORE);
        scene
    }

    /// All keys of the payment. The program's upgrade authority is none: it could replace the rules themselves.
    pub(super) fn all_keys(&self) -> Vec<Address> {
        let World { payer, agent, receiver, capture_authorizer, receiver_authorizer, relay, .. } = self.world;
        let World { fee_recipient, guardian, .. } = self.world;
        vec![payer, agent, receiver, capture_authorizer, receiver_authorizer, relay, fee_recipient, guardian]
    }

    pub(super) fn all_keys_but(&self, kept: &Address) -> Vec<Address> {
        let keys = self.all_keys();
        assert!(keys.contains(kept));
        keys.into_iter().filter(|key| key != kept).collect()
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens {
            payer: self.world.tokens(&self.world.payer),
            escrow: self.world.tokens(&self.world.escrow),
            receiver: self.world.tokens(&self.world.receiver),
            fee_recipient: self.world.tokens(&self.world.fee_recipient),
            other_merchant: self.world.tokens(&self.others.receiver),
            rival: self.world.chain.tokens(&self.rival.vault),
            thief: self.world.tokens(&self.thief),
        }
    }

    /// Takes all that the stolen keys give, the greediest way.
    pub(super) fn loot(&mut self, stolen: &[Address]) {
        let has = |key: Address| stolen.contains(&key);
        let World { payer, agent, receiver, relay, fee_recipient, .. } = self.world;
        if has(self.intent.capture_authorizer) && has(receiver) {
            self.world.succeed(&[self.capture(usdc(10)), self.capture_of_rival(usdc(1))]);
        } else if has(self.intent.receiver_authorizer) {
            self.world.succeed(&[self.world.void(&self.intent, usdc(4)), self.void_of_rival()]);
        }
        if has(payer) {
            let intent = self.session_of_the_thief();
            let escrow = self.world.escrow();
            let amount = escrow.balance - escrow.held;
            self.world.succeed(&[self.world.charge(&Intent { amount, ..intent })]);
        } else if has(agent) {
            let [twenty, rest] =
                [(usdc(20), 3), (usdc(15), 4)].map(|(amount, nonce)| self.to_thief(amount, nonce));
            self.world.succeed(&[self.world.charge(&twenty), self.world.charge(&rest)]);
        }
        for owner in [payer, receiver, fee_recipient] {
            if has(owner) {
                self.take_tokens(&owner);
            }
        }
        if has(relay) {
            self.take_lamports(&relay);
        }
    }

    /// An intent of the flow `authorization` that pays the thief, for the agent's session.
    pub(super) fn to_thief(&self, amount: u64, nonce: u64) -> Intent {
        Intent { amount, nonce, flow: PaymentFlow::Authorization, ..self.for_thief(self.world.intent()) }
    }

    pub(super) fn for_thief(&self, intent: Intent) -> Intent {
        let thief = self.thief;
        Intent { receiver: thief, capture_authorizer: thief, receiver_authorizer: thief, ..intent }
    }

    /// Opens a session for the thief's key, which takes the payer's, and returns an intent in it that pays the thief.
    pub(super) fn session_of_the_thief(&mut self) -> Intent {
        let (thief, escrow) = (self.thief, self.world.escrow);
        let (program, payer) = (program_id(), self.world.payer);
        let open = instruction::open_session(&program, &thief, &payer, &escrow, &thief, &World::limits());
        self.world.succeed(&[open]);
        let incarnation = self.world.session_at(&address::session(&program, &escrow, &thief)).incarnation;
        Intent { incarnation, session_key: thief, ..self.to_thief(usdc(1), 1) }
    }

    pub(super) fn take_tokens(&mut self, owner: &Address) {
        let [from, to] = [owner, &self.thief].map(|owner| self.world.token_account(owner));
        let amount = self.world.chain.tokens(&from);
        self.world.chain.transfer(&from, &to, amount);
    }

    pub(super) fn take_lamports(&mut self, owner: &Address) {
        let lamports = self.world.chain.lamports(owner);
        let transfer = solana_system_interface::instruction::transfer(owner, &self.thief, lamports);
        self.world.succeed(&[transfer]);
    }

    /// The other merchant, whose keys are its own, is paid what was held for it.
    pub(super) fn pays_the_other_merchant(&mut self) {
        let before = self.tokens();
        self.world.succeed(&[self.world.capture(&self.others, usdc(5))]);
        let paid = Tokens { escrow: before.escrow - usdc(5), other_merchant: usdc(5), ..before };
        assert_eq!(self.tokens(), paid);
    }

    /// Captures the hold up to `amount`, without a further fee.
    pub(super) fn capture(&self, amount: u64) -> Instruction {
        let capture = Capture { fee: FEE, ..self.world.capture_message(&self.intent, amount) };
        self.world.capture_as(&self.intent, &capture)
    }

    /// Captures the other payer's hold, by the capture authorizer's signature.
    pub(super) fn capture_of_rival(&self, amount: u64) -> Instruction {
        self.with_rival(|accounts| {
            let capture = Capture { intent_digest: accounts.hold.intent_digest, amount, fee: 0, last: false };
            let signature = self.world.chain.sign(&accounts.hold.capture_authorizer, &capture.signed_bytes());
            instruction::capture(accounts, amount, &capture, Consent::Signature(signature))
        })
    }

    /// Gives all of the other payer's hold back, by the receiver authorizer's signature.
    pub(super) fn void_of_rival(&self) -> Instruction {
        self.with_rival(|accounts| {
            let release = Release { intent_digest: accounts.hold.intent_digest, amount: 0 };
            let signature =
                self.world.chain.sign(&accounts.hold.receiver_authorizer, &release.signed_bytes());
            instruction::void(accounts, &release, Consent::Signature(signature))
        })
    }

    fn with_rival(&self, build: impl FnOnce(HoldAccounts<'_>) -> Instruction) -> Instruction {
        let data = |address| self.world.chain.data(&address).unwrap();
        let (escrow, hold) = (self.rivals_escrow(), Hold::decode(&data(self.rival.hold)).unwrap());
        build(HoldAccounts {
            program: program_id(),
            escrow_address: self.rival.escrow,
            escrow: &escrow,
            hold_address: self.rival.hold,
            hold: &hold,
        })
    }

    pub(super) fn rivals_escrow(&self) -> Escrow {
        Escrow::decode(&self.world.chain.data(&self.rival.escrow).unwrap()).unwrap()
    }
}
