//! Looks up what was accepted under a client's id.

use x402_escrow_domain::identifier::{Identifier, Purchase};
use x402_escrow_interface::{Address, message::Digest};

use crate::{
    clock::unix_now,
    engine::{app::App, assess::NotAccepted},
};

/// What was accepted under this id, if it is the same: what `signer` signed.
///
/// # Errors
/// If the signer has another purchase of this id, or the store failed.
pub async fn find(
    app: &App,
    identifier: &Identifier,
    signer: &Address,
    signed: &Digest,
) -> Result<Option<Purchase>, NotAccepted> {
    match app.store.purchase(signer, &identifier.id, unix_now()).await? {
        Some(known) if known.signed != *signed => Err(NotAccepted::IdentifierTaken(identifier.id.clone())),
        known => Ok(known),
    }
}

/// Like [`find`], but nothing for a server that must not be told again.
///
/// # Errors
/// Like [`find`].
pub async fn find_to_tell(
    app: &App,
    identifier: &Identifier,
    signer: &Address,
    signed: &Digest,
) -> Result<Option<Purchase>, NotAccepted> {
    Ok(find(app, identifier, signer, signed).await?.filter(|_| identifier.is_told_again))
}
