//! Which mints an escrow can be opened for.

use anchor_lang::{prelude::*, programs::Token2022};
use spl_token_2022_interface::{
    extension::{BaseStateWithExtensions, ExtensionType, PodStateWithExtensions},
    pod::PodMint,
};

use crate::error::EscrowError;

/// Refuses mints of Token-2022 whose extensions would break the accounting.
///
/// Once is enough: of those that pass, a mint can only gain metadata and groups later, and none can be closed and made
/// again.
pub(crate) fn require_plain_mint(mint: &AccountView) -> Result<()> {
    if !mint.owned_by(&Token2022::id()) {
        return Ok(());
    }
    let data = mint.try_borrow()?;
    let mint = PodStateWithExtensions::<PodMint>::unpack(&data)?;
    // The library fails where it does not know an extension.
    let extensions = mint.get_extension_types().map_err(|_| EscrowError::UnsupportedMintExtension)?;
    for extension in extensions {
        let refusal = match extension {
            ExtensionType::MetadataPointer
            | ExtensionType::TokenMetadata
            | ExtensionType::GroupPointer
            | ExtensionType::TokenGroup
            | ExtensionType::GroupMemberPointer
            | ExtensionType::TokenGroupMember
            // These two change what wallets show, not what is transferred.
            | ExtensionType::InterestBearingConfig
            | ExtensionType::ScaledUiAmount => continue,
            ExtensionType::TransferFeeConfig => EscrowError::MintHasTransferFee,
            ExtensionType::TransferHook => EscrowError::MintHasTransferHook,
            ExtensionType::PermanentDelegate => EscrowError::MintHasPermanentDelegate,
            ExtensionType::DefaultAccountState => EscrowError::MintFreezesNewAccounts,
            ExtensionType::NonTransferable => EscrowError::MintIsNonTransferable,
            ExtensionType::ConfidentialTransferMint
            | ExtensionType::ConfidentialTransferFeeConfig
            | ExtensionType::ConfidentialMintBurn => EscrowError::MintIsConfidential,
            ExtensionType::MintCloseAuthority => EscrowError::MintCanBeClosed,
            ExtensionType::Pausable => EscrowError::MintIsPausable,
            _ => EscrowError::UnsupportedMintExtension,
        };
        return Err(refusal.into());
    }
    Ok(())
}
