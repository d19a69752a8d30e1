use x402_escrow_interface::{Address, address, error::EscrowError};

use super::{Broken, Call, Escrow, Model, Rule, tokens::Transfer};

impl Model {
    pub(super) fn open_escrow(&mut self, call: &Call) -> Result<(), Broken> {
        const RENT_PAYER: usize = 0;
        const PAYER: usize = 1;
        const MINT: usize = 2;
        const ESCROW: usize = 3;
        const VAULT: usize = 4;
        const TOKEN_PROGRAM: usize = 5;
        let mut broken = Broken::default();
        broken.unless_signed(call, RENT_PAYER);
        broken.unless_signed(call, PAYER);
        let (payer, mint, escrow) = (call.address(PAYER), call.address(MINT), call.address(ESCROW));
        let token_program = call.address(TOKEN_PROGRAM);
        broken.unless(escrow == address::escrow(&self.program, &payer, &mint), Rule::WrongSeeds);
        broken.unless(!self.escrows.contains_key(&escrow), Rule::AccountInUse);
        let vault = call.address(VAULT);
        broken.unless(self.tokens.contains_key(&vault), Rule::MissingAccount);
        let expected = address::associated_token(&escrow, &mint, &token_program);
        broken.unless(vault == expected, EscrowError::WrongVault);
        let right = self.mints.get(&mint) == Some(&token_program);
        broken.unless(right, EscrowError::WrongTokenProgram);
        broken.or_ok()?;

        let rent_payer = call.address(RENT_PAYER);
        self.pay_rent(rent_payer, escrow, self.rents.escrow);
        let opened = Escrow {
            payer,
            mint,
            token_program,
            vault,
            rent_payer,
            guardian: Address::default(),
            balance: 0,
            revoked_before_slot: 0,
        };
        self.escrows.insert(escrow, opened);
        Ok(())
    }

    pub(super) fn set_guardian(&mut self, call: &Call, guardian: Address) -> Result<(), Broken> {
        let mut broken = Broken::default();
        broken.unless_signed(call, 0);
        let escrow = self.escrow(call, 1)?;
        broken.unless(call.address(0) == escrow.payer, EscrowError::WrongPayer);
        broken.or_ok()?;

        self.escrows.entry(call.address(1)).and_modify(|escrow| escrow.guardian = guardian);
        Ok(())
    }

    pub(super) fn deposit(&mut self, call: &Call, amount: u64) -> Result<(), Broken> {
        const DEPOSITOR: usize = 0;
        const SOURCE: usize = 1;
        const ESCROW: usize = 2;
        const VAULT: usize = 3;
        let mut broken = Broken::default();
        broken.unless_signed(call, DEPOSITOR);
        let escrow = self.escrow(call, ESCROW)?;
        broken.unless_distinct(call, 6, &[SOURCE, ESCROW, VAULT]);
        broken.unless_tokens_of(call, escrow, VAULT, 4, 5);
        broken.unless(amount > 0, EscrowError::ZeroAmount);
        broken.unless(escrow.balance.checked_add(amount).is_some(), EscrowError::AmountOverflow);
        let from = call.address(SOURCE);
        let transfer = Transfer { from, to: escrow.vault, mint: escrow.mint, amount };
        broken.unless_transferable(self, &transfer, &call.address(DEPOSITOR));
        broken.or_ok()?;

        self.transfer(transfer.from, transfer.to, amount);
        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.balance += amount);
        Ok(())
    }

    pub(super) fn sync(&mut self, call: &Call) -> Result<(), Broken> {
        let mut broken = Broken::default();
        let escrow = self.escrow(call, 0)?;
        broken.unless(call.address(1) == escrow.vault, EscrowError::WrongVault);
        let tokens = self.tokens[&escrow.vault].amount;
        broken.or_ok()?;

        self.escrows.entry(call.address(0)).and_modify(|escrow| escrow.balance = tokens);
        Ok(())
    }

    pub(super) fn withdraw(&mut self, call: &Call, amount: Option<u64>) -> Result<(), Broken> {
        const PAYER: usize = 0;
        const ESCROW: usize = 1;
        const VAULT: usize = 2;
        const DESTINATION: usize = 3;
        let mut broken = Broken::default();
        broken.unless_signed(call, PAYER);
        let escrow = self.escrow(call, ESCROW)?;
        broken.unless_distinct(call, 6, &[ESCROW, VAULT, DESTINATION]);
        broken.unless(call.address(PAYER) == escrow.payer, EscrowError::WrongPayer);
        broken.unless_tokens_of(call, escrow, VAULT, 4, 5);
        let free = self.free(&call.address(ESCROW));
        let amount = amount.unwrap_or(free);
        broken.unless(amount > 0, EscrowError::NothingToWithdraw);
        broken.unless(amount <= free, EscrowError::InsufficientFreeBalance);
        let to = call.address(DESTINATION);
        let transfer = Transfer { from: escrow.vault, to, mint: escrow.mint, amount };
        broken.unless_transferable(self, &transfer, &call.address(ESCROW));
        broken.or_ok()?;

        self.transfer(transfer.from, transfer.to, amount);
        self.escrows.entry(call.address(ESCROW)).and_modify(|escrow| escrow.balance -= amount);
        Ok(())
    }

    pub(super) fn close_escrow(&mut self, call: &Call) -> Result<(), Broken> {
        const PAYER: usize = 0;
        const ESCROW: usize = 1;
        const VAULT: usize = 2;
        const DESTINATION: usize = 3;
        const RENT_PAYER: usize = 4;
        let mut broken = Broken::default();
        broken.unless_signed(call, PAYER);
        let escrow = self.escrow(call, ESCROW)?;
        broken.unless_distinct(call, 7, &[ESCROW, VAULT, DESTINATION]);
        broken.unless(call.address(PAYER) == escrow.payer, EscrowError::WrongPayer);
        broken.unless(call.address(RENT_PAYER) == escrow.rent_payer, EscrowError::WrongRentPayer);
        broken.unless_tokens_of(call, escrow, VAULT, 5, 6);
        let sessions = self.sessions_of(&call.address(ESCROW)).count();
        broken.unless(sessions == 0, EscrowError::EscrowHasSessions);
        // Tokens that reached the vault past the program are paid out with the rest.
        let amount = self.tokens[&escrow.vault].amount;
        let to = call.address(DESTINATION);
        let transfer = Transfer { from: escrow.vault, to, mint: escrow.mint, amount };
        broken.unless_transferable(self, &transfer, &call.address(ESCROW));
        broken.or_ok()?;

        let Escrow { vault, rent_payer, .. } = *escrow;
        self.transfer(vault, transfer.to, amount);
        self.escrows.remove(&call.address(ESCROW));
        self.tokens.remove(&vault);
        self.return_rent(call.address(ESCROW), rent_payer);
        self.return_rent(vault, rent_payer);
        Ok(())
    }

    /// The escrow in a slot.
    pub(super) fn escrow(&self, call: &Call, slot: usize) -> Result<&Escrow, Broken> {
        self.escrows.get(&call.address(slot)).ok_or_else(Broken::missing_account)
    }
}

impl Broken {
    /// An account that does not exist: there is nothing to look at.
    pub(super) fn missing_account() -> Self {
        let mut broken = Self::default();
        broken.unless(false, Rule::MissingAccount);
        broken
    }

    /// Vault, mint and token program must be the escrow's.
    pub(super) fn unless_tokens_of(
        &mut self,
        call: &Call,
        escrow: &Escrow,
        vault: usize,
        mint: usize,
        token_program: usize,
    ) {
        self.unless(call.address(vault) == escrow.vault, EscrowError::WrongVault);
        self.unless(call.address(mint) == escrow.mint, EscrowError::WrongMint);
        let right = call.address(token_program) == escrow.token_program;
        self.unless(right, EscrowError::WrongTokenProgram);
    }
}
