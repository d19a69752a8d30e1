//! Whether the receiver gets all of what is transferred.

use spl_token_2022_interface::{
    extension::{BaseStateWithExtensions, PodStateWithExtensions, transfer_fee::TransferFeeConfig},
    pod::PodMint,
};
use x402_escrow_interface::address::TOKEN_2022_PROGRAM_ID;
use x402_escrow_wire::error_code::ErrorCode;

use crate::{
    cluster::Account,
    verify::{Rejection, require},
};

/// Refuses a mint of Token-2022 that withholds a fee from what is transferred, now or in the epoch to come.
///
/// # Errors
/// If it does, or is no mint.
pub fn check(mint: Option<&Account>) -> Result<(), Rejection> {
    let no_mint = || Rejection::new(ErrorCode::ExactMintMismatch, "paymentRequirements.asset: is no mint");
    let mint = mint.ok_or_else(no_mint)?;
    if mint.owner != TOKEN_2022_PROGRAM_ID {
        return Ok(());
    }
    let mint = PodStateWithExtensions::<PodMint>::unpack(&mint.data).map_err(|_| no_mint())?;
    let takes_fee = mint.get_extension::<TransferFeeConfig>().is_ok_and(|config| {
        [config.older_transfer_fee, config.newer_transfer_fee]
            .iter()
            .any(|fee| u16::from(fee.transfer_fee_basis_points) > 0 && u64::from(fee.maximum_fee) > 0)
    });
    require(!takes_fee, ErrorCode::ExactAmountMismatch, || {
        "paymentRequirements.asset: the mint withholds a fee from each transfer, so the receiver would not get the \
         exact amount"
            .to_owned()
    })
}
