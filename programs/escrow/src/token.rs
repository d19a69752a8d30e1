//! Token transfers and the addresses they may go to.

use anchor_lang::{cpi::InstructionAccount, find_program_address, prelude::*, unchecked_invoke_signed_fixed};
use anchor_spl::associated_token;
use spl_token_2022_interface::{
    extension::{BaseStateWithExtensions, PodStateWithExtensions, memo_transfer::MemoTransfer},
    pod::PodAccount,
    state::AccountState,
};

use crate::error::EscrowError;

/// `TransferChecked` of SPL Token and Token-2022.
const TRANSFER_CHECKED: u8 = 12;
/// `CloseAccount` of SPL Token and Token-2022.
const CLOSE_ACCOUNT: u8 = 9;

/// The only token account a payout to `owner` may go to.
pub(crate) fn associated_token_address(owner: &Address, token_program: &Address, mint: &Address) -> Address {
    find_program_address(&[owner.as_ref(), token_program.as_ref(), mint.as_ref()], &associated_token::ID).0
}

/// The base units in a vault. That it is a token account was checked when its escrow was opened, and only closing the
/// escrow ends it.
pub(crate) fn tokens_in(vault: &AccountView) -> Result<u64> {
    /// Where both token programs keep the amount.
    const AMOUNT: core::ops::Range<usize> = 64..72;
    let data = vault.try_borrow()?;
    let amount = data.get(AMOUNT).and_then(<[u8]>::first_chunk).ok_or(EscrowError::WrongVault)?;
    Ok(u64::from_le_bytes(*amount))
}

/// Whether a transfer to `account` would succeed: it is a token account of `token_program`, not frozen, and its owner does
/// not demand a memo.
pub(crate) fn can_receive(account: &AccountView, token_program: &Address) -> bool {
    if !account.owned_by(token_program) {
        return false;
    }
    let Ok(data) = account.try_borrow() else { return false };
    let Ok(token_account) = PodStateWithExtensions::<PodAccount>::unpack(&data) else { return false };
    let demands_memo = token_account
        .get_extension::<MemoTransfer>()
        .is_ok_and(|memo| bool::from(memo.require_incoming_transfer_memos));
    token_account.base.state == AccountState::Initialized as u8 && !demands_memo
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

/// Closes an empty token account of `authority`; its rent goes to `destination`.
pub(crate) fn close_token_account(
    account: CpiHandle<'_>,
    destination: CpiHandle<'_>,
    authority: CpiHandle<'_>,
    token_program: &Address,
    signer_seeds: &[&[&[u8]]],
) {
    let accounts = [
        InstructionAccount::writable(account.address()),
        InstructionAccount::writable(destination.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let handles = [account, destination, authority];
    unchecked_invoke_signed_fixed(token_program, &[CLOSE_ACCOUNT], &accounts, &handles, signer_seeds);
}
