//! Token transfers and the addresses they may go to.

use anchor_lang::{cpi::InstructionAccount, find_program_address, prelude::*, unchecked_invoke_signed_fixed};
use anchor_spl::associated_token;

/// `TransferChecked` of SPL Token and Token-2022.
const TRANSFER_CHECKED: u8 = 12;

/// The only token account a payout to `owner` may go to.
pub(crate) fn associated_token_address(owner: &Address, token_program: &Address, mint: &Address) -> Address {
    find_program_address(&[owner.as_ref(), token_program.as_ref(), mint.as_ref()], &associated_token::ID).0
}

/// Who and what a transfer involves. `authority` signs the transaction, or is the escrow that signs by its seeds.
pub(crate) struct Transfer<'a> {
    pub(crate) from: CpiHandle<'a>,
    pub(crate) mint: CpiHandle<'a>,
    pub(crate) to: CpiHandle<'a>,
    pub(crate) authority: CpiHandle<'a>,
    pub(crate) token_program: &'a Address,
    pub(crate) decimals: u8,
}

impl Transfer<'_> {
    /// Moves `amount` base units. A failing token program fails the whole transaction.
    pub(crate) fn invoke(self, amount: u64, signer_seeds: &[&[&[u8]]]) {
        let mut data = [0u8; 10];
        data[0] = TRANSFER_CHECKED;
        data[1..9].copy_from_slice(&amount.to_le_bytes());
        data[9] = self.decimals;
        let accounts = [
            InstructionAccount::writable(self.from.address()),
            InstructionAccount::readonly(self.mint.address()),
            InstructionAccount::writable(self.to.address()),
            InstructionAccount::readonly_signer(self.authority.address()),
        ];
        let handles = [self.from, self.mint, self.to, self.authority];
        unchecked_invoke_signed_fixed(self.token_program, &data, &accounts, &handles, signer_seeds);
    }
}
