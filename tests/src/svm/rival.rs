use x402_escrow_interface::{
    Address,
    account::{Escrow, Session},
    address::{self, TOKEN_PROGRAM_ID},
    instruction,
    message::Intent,
};

use super::{World, usdc};
use crate::program_id;

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
        let program = program_id();
        let escrow = address::escrow(&program, &payer, &self.mint);
        let session = address::session(&program, &escrow, &agent);
        let vault = address::associated_token(&escrow, &self.mint, &TOKEN_PROGRAM_ID);
        let (relay, mint) = (self.relay, self.mint);
        self.succeed(&instruction::open_escrow(&program, &relay, &payer, &mint, &TOKEN_PROGRAM_ID));
        let stored =
            Escrow::decode(&self.chain.data(&escrow).expect("just opened")).expect("it is an escrow");
        self.succeed(&[instruction::deposit(&program, &payer, &source, &escrow, &stored, usdc(50))]);
        self.succeed(&[instruction::open_session(
            &program,
            &relay,
            &payer,
            &escrow,
            &agent,
            &Self::limits(),
        )]);
        let stored =
            Session::decode(&self.chain.data(&session).expect("just opened")).expect("it is a session");
        let intent =
            Intent { escrow, session_key: agent, amount: usdc(1), ..self.intent_of(stored.incarnation) };
        self.succeed(&[self.authorize(&intent)]);
        let mint = self.chain.create_mint("other mint");
        Rival { payer, escrow, vault, session, hold: self.hold_address(&intent), mint }
    }
}
