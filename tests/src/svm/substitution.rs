use std::collections::BTreeSet;

use serde_json::Value;
use solana_sdk::instruction::{Instruction, InstructionError as Error};
use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction,
    message::Intent,
};

use super::{Refusal, World, usdc};
use crate::idl;

/// Tries an instruction that would succeed with other accounts in its slots, one slot at a time.
pub struct Substitutions<'a> {
    world: &'a mut World,
    rival: &'a Rival,
    instruction: Instruction,
    slots: Vec<Value>,
    named: BTreeSet<String>,
    created: Option<String>,
}

impl<'a> Substitutions<'a> {
    /// Of the IDL's instruction called `name`.
    pub fn of(world: &'a mut World, rival: &'a Rival, name: &str, instruction: Instruction) -> Self {
        let idl = idl::load();
        let slots = idl::entries(idl::entry(&idl, "instructions", name), "accounts").to_vec();
        assert!(slots.len() <= instruction.accounts.len(), "{name} has too few accounts");
        Self { world, rival, instruction, slots, named: BTreeSet::new(), created: None }
    }

    /// `substitute` in this slot is refused.
    #[track_caller]
    #[must_use]
    pub fn refused(mut self, slot: &str, substitute: Address, reason: impl Into<Refusal>) -> Self {
        let index = self.index(slot);
        let mut instruction = self.instruction.clone();
        assert_ne!(instruction.accounts[index].pubkey, substitute, "{slot}: that is the right account");
        instruction.accounts[index].pubkey = substitute;
        self.world.chain.refuse(&[instruction], reason);
        self.named.insert(slot.to_owned());
        self
    }

    /// This slot's account is made by the instruction, by `init`.
    #[must_use]
    pub fn created(mut self, slot: &str) -> Self {
        self.index(slot);
        self.created = Some(slot.to_owned());
        self
    }

    /// Any account may be in this slot, for a reason that the call's place explains.
    #[must_use]
    pub fn free(mut self, slot: &str) -> Self {
        self.index(slot);
        self.named.insert(slot.to_owned());
        self
    }

    /// Checks that every slot was named, and that the instruction is refused where a signer does not sign, a written
    /// account is passed as read-only, or one of our accounts is an impostor; then that it succeeds as it was.
    ///
    /// # Panics
    /// If any of it is not so.
    #[track_caller]
    pub fn done(mut self) {
        for (index, slot) in self.slots.clone().iter().enumerate() {
            let name = slot["name"].as_str().expect("an account of the IDL has a name");
            assert!(self.named.contains(name), "the slot {name} was not tried");
            let mut instruction = self.instruction.clone();
            if slot["signer"] == true {
                instruction.accounts[index].is_signer = false;
                self.world.chain.refuse(&[instruction.clone()], Error::MissingRequiredSignature);
                instruction.accounts[index].is_signer = true;
            }
            if slot["writable"] == true {
                instruction.accounts[index].is_writable = false;
                let reason = read_only(slot, self.created.as_deref() == Some(name));
                self.world.chain.refuse(&[instruction.clone()], reason);
                instruction.accounts[index].is_writable = true;
            }
            for (address, reason) in self.impostors(name, &instruction.accounts[index].pubkey.clone()) {
                instruction.accounts[index].pubkey = address;
                self.world.chain.refuse(&[instruction.clone()], reason);
            }
        }
        self.world.succeed(&[self.instruction]);
    }

    /// What is not the slot's account although it looks like one, and what it is refused for: accounts of our other
    /// types, and a copy of the right account that belongs to another program.
    fn impostors(&mut self, slot: &str, right: &Address) -> Vec<(Address, Error)> {
        let Rival { escrow, session, hold, .. } = *self.rival;
        let ours = [("escrow", escrow), ("session", session), ("hold", hold)];
        let is_ours = ours.iter().any(|(name, _)| *name == slot);
        if !is_ours || self.world.chain.data(right).is_none() {
            return Vec::new();
        }
        let others = ours.iter().filter(|(name, _)| *name != slot);
        let bytes = |address| self.world.chain.data(address).map_or(0, |data| data.len());
        let mut impostors: Vec<_> = others
            .map(|(_, address)| {
                let too_small = bytes(address) < bytes(right);
                let reason = if too_small { Error::AccountDataTooSmall } else { Error::InvalidAccountData };
                (*address, reason)
            })
            .collect();
        impostors.push((self.world.chain.forge(right), Error::IllegalOwner));
        impostors
    }

    #[track_caller]
    fn index(&self, slot: &str) -> usize {
        let index = self.slots.iter().position(|entry| entry["name"] == slot);
        index.unwrap_or_else(|| panic!("the IDL has no slot {slot}"))
    }
}

/// What Anchor says when an account to be written is passed as read-only.
fn read_only(slot: &Value, created: bool) -> Error {
    const CONSTRAINT_MUT: u32 = 2000;
    if created {
        // Anchor leaves it to the system program.
        Error::PrivilegeEscalation
    } else if slot["signer"] == true {
        // A signer is checked for both at once.
        Error::MissingRequiredSignature
    } else {
        Error::Custom(CONSTRAINT_MUT)
    }
}

/// Everything that a payer has, of somebody else on the same chain: valid accounts of the right types.
pub struct Rival {
    /// The other payer.
    pub payer: Address,
    /// Its escrow of the same mint.
    pub escrow: Address,
    /// That escrow's vault.
    pub vault: Address,
    /// Its agent's session, without holds of its own.
    pub session: Address,
    /// Its agent's hold.
    pub hold: Address,
    /// Another mint.
    pub mint: Address,
}

impl World {
    /// Sets up another payer with an escrow, a session and a hold of 1 USDC.
    pub fn rival(&mut self) -> Rival {
        let (payer, agent) = (self.chain.key("rival payer"), self.chain.key("rival agent"));
        let source = self.chain.fund(&payer, &self.mint, usdc(50));
        let escrow = address::escrow(&payer, &self.mint);
        let session = address::session(&escrow, &agent);
        let vault = address::associated_token(&escrow, &self.mint, &TOKEN_PROGRAM_ID);
        self.succeed(&instruction::open_escrow(&self.relay, &payer, &self.mint, &TOKEN_PROGRAM_ID, 0));
        let stored =
            Escrow::decode(&self.chain.data(&escrow).expect("just opened")).expect("it is an escrow");
        self.succeed(&[instruction::deposit(&payer, &source, &escrow, &stored, usdc(50))]);
        self.succeed(&[instruction::open_session(&self.relay, &payer, &escrow, &agent, &Self::limits())]);
        let stored =
            Session::decode(&self.chain.data(&session).expect("just opened")).expect("it is a session");
        let intent =
            Intent { escrow, session_key: agent, amount: usdc(1), ..self.intent_of(stored.incarnation) };
        self.succeed(&[self.authorize(&intent)]);
        let mint = self.chain.create_mint("other mint");
        Rival { payer, escrow, vault, session, hold: address::hold(&session, intent.nonce), mint }
    }
}
