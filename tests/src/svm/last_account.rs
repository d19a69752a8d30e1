use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{Address, error::EscrowError};

use super::World;

/// For instructions whose last account is a remaining one: a signer, or the token account that a fee goes to.
impl World {
    /// Fails unless a good instruction is refused without its last account, and with another in its place.
    #[track_caller]
    pub fn refuse_without_last_account(
        &mut self,
        good: &Instruction,
        others: &[Address],
        error: EscrowError,
    ) {
        let last = good.accounts.len() - 1;
        let mut missing = good.clone();
        missing.accounts.truncate(last);
        self.refuse(missing, error);
        for other in others {
            let mut replaced = good.clone();
            replaced.accounts[last].pubkey = *other;
            self.refuse(replaced, error);
        }
    }

    /// Fails unless a good instruction is refused where its last account does not sign, is missing, or is a thief who signs.
    #[track_caller]
    pub fn refuse_without_signer(&mut self, good: &Instruction, thieves: &[Address]) {
        let mut not_signing = good.clone();
        not_signing.accounts[good.accounts.len() - 1].is_signer = false;
        self.refuse(not_signing, EscrowError::MissingAuthorizer);
        self.refuse_without_last_account(good, thieves, EscrowError::MissingAuthorizer);
    }
}
