use x402_escrow_interface::{Address, address, receivers::ReceiverList};

use super::{Escrow, Model, TokenAccount};

/// Tokens that go from one token account to another.
pub(super) struct Transfer {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) mint: Address,
    pub(super) amount: u64,
}

impl Escrow {
    /// The only token account that `owner` is paid at.
    pub(super) fn token_account_of(&self, owner: &Address) -> Address {
        address::associated_token(owner, &self.mint, &self.token_program)
    }
}

impl Model {
    /// A wallet that is there from the start, with lamports of its own.
    pub fn add_wallet(&mut self, address: Address, lamports: u64) {
        self.lamports.insert(address, lamports);
    }

    /// A mint, and the token program it is of.
    pub fn add_mint(&mut self, mint: Address, token_program: Address) {
        self.mints.insert(mint, token_program);
    }

    /// A list of receivers that a session may be limited to.
    pub fn add_list(&mut self, list: ReceiverList) {
        self.lists.insert(list.root(), list);
    }

    /// Whether a transfer to this token account would succeed.
    pub(super) fn can_receive(&self, account: &Address) -> bool {
        self.tokens.get(account).is_some_and(|account| !account.frozen)
    }

    /// A token account that is there from the start.
    pub fn add_tokens(&mut self, address: Address, account: TokenAccount) {
        self.tokens.insert(address, account);
    }

    /// Makes the owner's associated token account unless it exists, as the Associated Token Account
    /// program does.
    pub fn create_associated_token(
        &mut self,
        rent_payer: Address,
        owner: Address,
        mint: Address,
        token_program: Address,
    ) {
        let address = address::associated_token(&owner, &mint, &token_program);
        if self.tokens.contains_key(&address) {
            return;
        }
        self.pay_rent(rent_payer, address, self.rents.token_account);
        self.tokens.insert(address, TokenAccount { mint, owner, amount: 0, frozen: false });
    }

    /// The mint's issuer freezes a token account, or thaws it.
    pub fn set_frozen(&mut self, account: Address, frozen: bool) {
        self.tokens.entry(account).and_modify(|account| account.frozen = frozen);
    }

    /// A plain transfer of lamports past the program, to an account that may not exist yet.
    pub fn transfer_lamports(&mut self, from: Address, to: Address, lamports: u64) {
        *self.lamports.entry(from).or_default() -= lamports;
        *self.lamports.entry(to).or_default() += lamports;
    }

    /// A plain transfer of tokens past the program. Both accounts must exist and `from` have the
    /// tokens.
    pub fn transfer(&mut self, from: Address, to: Address, amount: u64) {
        self.tokens.entry(from).and_modify(|account| account.amount -= amount);
        self.tokens.entry(to).and_modify(|account| account.amount += amount);
    }
}
