use rand::Rng;
use x402_escrow_interface::{Address, address::TOKEN_PROGRAM_ID, instruction};
use x402_escrow_tests::model::Arguments;

use crate::property::{
    play::Play,
    step::{At, Step},
};

impl Play {
    pub(super) fn draw_open_escrow(&mut self) -> Option<Step> {
        let closed: Vec<usize> = (0..self.cast.places.len())
            .filter(|&index| !self.model.escrows.contains_key(&self.cast.places[index].escrow))
            .collect();
        let again = self.random.random_range(0..self.cast.places.len());
        let index = if self.one_in(30) { again } else { self.pick(&closed)? };
        let place = &self.cast.places[index];
        let (payer, mint, escrow) = (place.payer, place.mint, place.escrow);
        let rent_payer = if self.one_in(3) { payer } else { self.pick_rent_payer() };
        if !self.model.escrows.contains_key(&escrow) {
            self.chain.succeed(&[instruction::create_associated_token(
                &rent_payer,
                &escrow,
                &mint,
                &TOKEN_PROGRAM_ID,
            )]);
            self.model.create_associated_token(rent_payer, escrow, mint, TOKEN_PROGRAM_ID);
            let vault = self.cast.place(&escrow).vault();
            self.audit.rents.note_vault(vault, rent_payer, &self.chain);
        }
        let at = At { escrow, signer: rent_payer, ..At::default() };
        Some(self.step(at, Arguments::OpenEscrow))
    }

    pub(super) fn draw_set_guardian(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let guardian = self.pick(&self.cast.guardians.clone())?;
        let guardian = if self.one_in(3) { Address::default() } else { guardian };
        Some(self.step(At { escrow, ..At::default() }, Arguments::SetGuardian { guardian }))
    }

    pub(super) fn draw_deposit(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let place = self.cast.place(&escrow);
        let depositor = place.payer;
        let tokens = place.tokens_of(&depositor);
        let owned = self.model.tokens[&tokens].amount;
        if self.one_in(4) {
            return self.draw_refund(escrow);
        }
        let amount = self.amount(owned.min(50_000_000), &[]);
        let at = At { escrow, signer: depositor, tokens, ..At::default() };
        Some(self.step(at, Arguments::Deposit { amount, refunded_payment: None }))
    }

    /// A deposit by a receiver, that names a payment.
    fn draw_refund(&mut self, escrow: Address) -> Option<Step> {
        let receiver = self.pick(&self.cast.receivers.clone())?;
        let tokens = self.cast.place(&escrow).tokens_of(&receiver);
        let amount = self.amount(self.model.tokens[&tokens].amount / 4, &[]);
        let paid = self.sent.iter().rev().find_map(|step| match &step.arguments {
            Arguments::Charge(charge) => Some(charge.intent.digest()),
            Arguments::Capture { bound, .. } => Some(bound.intent_digest),
            _ => None,
        });
        let at = At { escrow, signer: receiver, tokens, ..At::default() };
        Some(self.step(at, Arguments::Deposit { amount, refunded_payment: paid }))
    }

    pub(super) fn draw_sync(&mut self) -> Option<Step> {
        let uncredited: Vec<Address> = self
            .model
            .escrows
            .iter()
            .filter(|(_, escrow)| self.model.tokens[&escrow.vault].amount > escrow.balance)
            .map(|(address, _)| *address)
            .collect();
        let any = self.pick_escrow()?;
        let escrow = if self.one_in(5) { any } else { self.pick(&uncredited)? };
        Some(self.step(At { escrow, ..At::default() }, Arguments::Sync))
    }

    pub(super) fn draw_withdraw(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let tokens = self.pick_destination(&escrow);
        let free = self.model.free(&escrow);
        let amount = match self.random.random_range(0..8) {
            _ if escrow == self.visited() && !self.one_in(4) => None,
            0 => None,
            1 => Some(self.amount(free, &[self.model.escrows[&escrow].balance])),
            _ => Some(self.amount(free / 4, &[free])),
        };
        Some(self.step(At { escrow, tokens, ..At::default() }, Arguments::Withdraw { amount }))
    }

    pub(super) fn draw_close_escrow(&mut self) -> Option<Step> {
        let visited = self.visited();
        let without_sessions: Vec<Address> = self
            .model
            .escrows
            .keys()
            .filter(|address| self.model.sessions_of(address).next().is_none())
            .copied()
            .collect();
        let any = self.pick_escrow()?;
        let escrow = if self.one_in(10) { any } else { self.pick(&without_sessions)? };
        if escrow != visited && !self.one_in(4) {
            return None;
        }
        let tokens = self.pick_destination(&escrow);
        Some(self.step(At { escrow, tokens, ..At::default() }, Arguments::CloseEscrow))
    }

    /// Where a payer wants its tokens: mostly in its own account.
    fn pick_destination(&mut self, escrow: &Address) -> Address {
        let place = self.cast.place(escrow);
        let (own, elsewhere) = (place.tokens_of(&place.payer), place.tokens_of(&self.cast.relays[0]));
        if self.one_in(10) { elsewhere } else { own }
    }

    /// The escrow that is only visited: emptied and closed again and again.
    pub(super) fn visited(&self) -> Address {
        self.cast.places[self.cast.places.len() - 1].escrow
    }
}
