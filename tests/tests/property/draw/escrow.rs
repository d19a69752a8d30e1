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
        }
        let withdraw_delay_seconds = self.pick(&[0, 0, 60, 60, 600, 2_592_000, 2_592_001, u32::MAX])?;
        let withdraw_delay_seconds = if self.one_in(2) { 30 } else { withdraw_delay_seconds };
        let at = At { escrow, signer: rent_payer, ..At::default() };
        Some(self.step(at, Arguments::OpenEscrow { withdraw_delay_seconds }))
    }

    pub(super) fn draw_deposit(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let place = self.cast.place(&escrow);
        let depositor = place.payer;
        let tokens = place.tokens_of(&depositor);
        let owned = self.model.tokens[&tokens].amount;
        // Anyone may; receivers refund charges so.
        let receiver = self.pick(&self.cast.receivers.clone())?;
        let (depositor, tokens, reach) = if self.one_in(4) {
            let tokens = self.cast.place(&escrow).tokens_of(&receiver);
            (receiver, tokens, self.model.tokens[&tokens].amount / 4)
        } else {
            (depositor, tokens, owned.min(50_000_000))
        };
        let amount = self.amount(reach, &[]);
        let at = At { escrow, signer: depositor, tokens, ..At::default() };
        Some(self.step(at, Arguments::Deposit { amount }))
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

    pub(super) fn draw_request_withdrawal(&mut self) -> Option<Step> {
        let escrow = self.pick_escrow()?;
        let balance = self.model.escrows[&escrow].balance;
        let all = escrow == self.visited() && !self.one_in(4);
        let amount = if all { balance } else { self.amount(balance / 4, &[balance]) };
        Some(self.step(At { escrow, ..At::default() }, Arguments::RequestWithdrawal { amount }))
    }

    pub(super) fn draw_cancel_withdrawal(&mut self) -> Option<Step> {
        let escrow = self.pick_requested()?;
        Some(self.step(At { escrow, ..At::default() }, Arguments::CancelWithdrawal))
    }

    pub(super) fn draw_withdraw(&mut self) -> Option<Step> {
        let escrow = self.pick_requested()?;
        let place = self.cast.place(&escrow);
        let (own, elsewhere) = (place.tokens_of(&place.payer), place.tokens_of(&self.cast.relays[0]));
        let tokens = if self.one_in(10) { elsewhere } else { own };
        Some(self.step(At { escrow, tokens, ..At::default() }, Arguments::Withdraw))
    }

    pub(super) fn draw_close_escrow(&mut self) -> Option<Step> {
        let empty: Vec<Address> = self
            .model
            .escrows
            .iter()
            .filter(|(address, escrow)| {
                escrow.balance == 0 && self.model.sessions_of(address).next().is_none()
            })
            .map(|(address, _)| *address)
            .collect();
        let any = self.pick_escrow()?;
        let escrow = if self.one_in(10) { any } else { self.pick(&empty)? };
        Some(self.step(At { escrow, ..At::default() }, Arguments::CloseEscrow))
    }

    /// Mostly an escrow of which a withdrawal is requested.
    fn pick_requested(&mut self) -> Option<Address> {
        let requested: Vec<Address> = self
            .model
            .escrows
            .iter()
            .filter(|(_, escrow)| escrow.pending_withdrawal > 0)
            .map(|(address, _)| *address)
            .collect();
        let any = self.pick_escrow()?;
        let in_focus = self.in_focus == Some(any);
        if in_focus || self.one_in(10) { Some(any) } else { self.pick(&requested) }
    }

    /// The escrow that is only visited: emptied and closed again and again.
    pub(super) fn visited(&self) -> Address {
        self.cast.places[self.cast.places.len() - 1].escrow
    }
}
