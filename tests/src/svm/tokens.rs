use solana_sdk::{account::Account, instruction::Instruction, program_pack::Pack};
use spl_token_2022_interface::{
    extension::ExtensionType, instruction as token, state::Mint as ExtensibleMint,
};
use spl_token_interface::{
    native_mint,
    state::{Account as TokenAccount, Mint},
};
use x402_escrow_interface::{
    Address,
    address::{self, TOKEN_2022_PROGRAM_ID, TOKEN_PROGRAM_ID},
    instruction::create_associated_token,
};

use super::Chain;

/// Name of the key that may mint and freeze.
const ISSUER: &str = "issuer";

impl Chain {
    /// Makes a mint like USDC's: SPL Token, 6 decimals, with an issuer that can freeze accounts.
    pub fn create_mint(&mut self, name: &str) -> Address {
        const DECIMALS: u8 = 6;
        let (issuer, mint) = (self.key(ISSUER), self.key(name));
        // The key has lamports from the faucet, more than the rent: it is allocated and assigned, not created.
        let instructions = [
            solana_system_interface::instruction::allocate(&mint, Mint::LEN as u64),
            solana_system_interface::instruction::assign(&mint, &TOKEN_PROGRAM_ID),
            ours(token::initialize_mint2(&TOKEN_PROGRAM_ID, &mint, &issuer, Some(&issuer), DECIMALS)),
        ];
        self.succeed(&instructions);
        mint
    }

    /// Makes a mint of Token-2022 with extensions, which `initialize` sets up: 6 decimals, and an issuer that can freeze.
    pub fn create_extended_mint(
        &mut self,
        name: &str,
        extensions: &[ExtensionType],
        initialize: impl FnOnce(&Address) -> Vec<Instruction>,
    ) -> Address {
        const DECIMALS: u8 = 6;
        let (issuer, mint) = (self.key(ISSUER), self.key(name));
        let bytes = ExtensionType::try_calculate_account_len::<ExtensibleMint>(extensions)
            .expect("extensions of fixed length");
        let mut instructions = vec![
            solana_system_interface::instruction::allocate(&mint, bytes as u64),
            solana_system_interface::instruction::assign(&mint, &TOKEN_2022_PROGRAM_ID),
        ];
        instructions.extend(initialize(&mint));
        instructions.push(ours(token::initialize_mint2(
            &TOKEN_2022_PROGRAM_ID,
            &mint,
            &issuer,
            Some(&issuer),
            DECIMALS,
        )));
        self.succeed(&instructions);
        mint
    }

    /// The program of a mint or of a token account.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn token_program(&self, account: &Address) -> Address {
        self.svm.get_account(account).expect("the account exists").owner
    }

    /// Puts the mint of wrapped SOL where every cluster has it.
    pub fn add_native_mint(&mut self) -> Address {
        let mint = Mint { decimals: native_mint::DECIMALS, is_initialized: true, ..Mint::default() };
        let mut data = vec![0; Mint::LEN];
        mint.pack_into_slice(&mut data);
        let account =
            Account { lamports: self.rent(Mint::LEN), data, owner: TOKEN_PROGRAM_ID, ..Account::default() };
        self.svm.set_account(native_mint::ID, account).expect("an account without a program needs no more");
        native_mint::ID
    }

    /// Makes the owner's associated token account unless it exists, mints `amount` base units to it and returns it.
    pub fn fund(&mut self, owner: &Address, mint: &Address, amount: u64) -> Address {
        let (issuer, program) = (self.key(ISSUER), self.token_program(mint));
        let account = address::associated_token(owner, mint, &program);
        let create = create_associated_token(&issuer, owner, mint, &program);
        let mint_to = ours(token::mint_to(&program, mint, &account, &issuer, &[], amount));
        self.succeed(&[create, mint_to]);
        account
    }

    /// Makes a token account at the key called `name`, owned by `owner`: one that is not its associated one.
    pub fn create_token_account(&mut self, name: &str, owner: &Address, mint: &Address) -> Address {
        let account = self.key(name);
        self.succeed(&[
            solana_system_interface::instruction::allocate(&account, TokenAccount::LEN as u64),
            solana_system_interface::instruction::assign(&account, &TOKEN_PROGRAM_ID),
            ours(token::initialize_account3(&TOKEN_PROGRAM_ID, &account, mint, owner)),
        ]);
        account
    }

    /// Freezes a token account, as the issuer of USDC can.
    pub fn freeze(&mut self, account: &Address) {
        let (issuer, mint, program) =
            (self.key(ISSUER), self.token_account(account).mint, self.token_program(account));
        self.succeed(&[ours(token::freeze_account(&program, account, &mint, &issuer, &[]))]);
    }

    /// Thaws a frozen token account.
    pub fn thaw(&mut self, account: &Address) {
        let (issuer, mint, program) =
            (self.key(ISSUER), self.token_account(account).mint, self.token_program(account));
        self.succeed(&[ours(token::thaw_account(&program, account, &mint, &issuer, &[]))]);
    }

    /// A plain transfer of `amount` base units between token accounts, signed by `from`'s owner.
    pub fn transfer(&mut self, from: &Address, to: &Address, amount: u64) {
        let (TokenAccount { mint, owner, .. }, program) =
            (self.token_account(from), self.token_program(from));
        let mint_data = self.data(&mint).expect("a token account's mint exists");
        let decimals = Mint::unpack(&mint_data[..Mint::LEN]).expect("it is a mint").decimals;
        self.succeed(&[ours(token::transfer_checked(
            &program,
            from,
            &mint,
            to,
            &owner,
            &[],
            amount,
            decimals,
        ))]);
    }

    /// The base units in a token account; 0 if there is no such account.
    pub fn tokens(&self, account: &Address) -> u64 {
        if self.data(account).is_some() { self.token_account(account).amount } else { 0 }
    }

    /// A token account as it is stored.
    ///
    /// # Panics
    /// If there is none at this address.
    pub fn token_account(&self, account: &Address) -> TokenAccount {
        let data = self.data(account).unwrap_or_else(|| panic!("no account at {account}"));
        // Token-2022 keeps its extensions behind the part that both programs share.
        TokenAccount::unpack(&data[..TokenAccount::LEN])
            .unwrap_or_else(|error| panic!("no token account at {account}: {error}"))
    }
}

fn ours<E: std::fmt::Debug>(instruction: Result<Instruction, E>) -> Instruction {
    instruction.expect("the token program's builders only check its own address")
}
