//! Looks up what was accepted under a client's id.

use x402_escrow_domain::identifier::Binding;

use crate::engine::{app::App, not_accepted::NotAccepted};

/// What was accepted under the id of `binding`, if it is the same that was signed.
///
/// # Errors
/// If the signer has another payment of this id, or the store failed.
pub async fn find(app: &App, binding: &Binding) -> Result<Option<Binding>, NotAccepted> {
    match app.store.binding(&binding.signer, &binding.id, binding.accepted_at).await? {
        Some(known) if known.signed_hash != binding.signed_hash => {
            Err(NotAccepted::IdentifierTaken(binding.id.clone()))
        }
        known => Ok(known),
    }
}
