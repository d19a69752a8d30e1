//! The receiver's token account, where it does not exist: who can create it, and what that costs.

use x402_escrow_interface::address::TOKEN_2022_PROGRAM_ID;
use x402_escrow_wire::error_code::ErrorCode;

use super::{instructions::Transfer, requirements::Requirements};
use crate::{cluster::Account, facts, verify::Rejection};

const LAMPORTS_PER_SOL: f64 = 1e9;

/// The rent, in lamports, of the destination of `transfer`, if that does not exist. `accounts` are the destination and the
/// rent sysvar.
pub fn missing(accounts: &[Option<Account>], transfer: &Transfer) -> Option<u64> {
    let [None, Some(rent)] = accounts else { return None };
    facts::rent(rent, facts::token_account_bytes(&transfer.token_program))
}

/// Why nothing can be paid to the destination of `transfer`, and what to do about it.
pub fn rejection(requirements: &Requirements, transfer: &Transfer, rent_lamports: u64) -> Rejection {
    let (receiver, mint, account) = (requirements.receiver, requirements.mint, transfer.destination);
    let (program, sol) = (transfer.token_program, rent_lamports as f64 / LAMPORTS_PER_SOL);
    let at_least = if program == TOKEN_2022_PROGRAM_ID { "at least " } else { "" };
    Rejection::new(
        ErrorCode::ExactReceiverAccountMissing,
        format!(
            "paymentRequirements.payTo: {receiver} has no token account of {mint}. Before the first payment, anybody can \
             create it, at {account}, for a transaction fee and {at_least}{sol:.8} SOL of rent, which goes to the \
             receiver if the account is closed: spl-token --program-id {program} create-account {mint} --owner \
             {receiver} --fee-payer <keypair>"
        ),
    )
}
