//! Gathers what a verdict about an intent needs, and has it judged. Changes nothing.

use crate::chain::facts;
use std::collections::BTreeSet;
use x402_escrow_domain::verify::request::{SignedIntent, too_many_open_holds};

use x402_escrow_interface::account::Escrow;
use x402_escrow_wire::{payment::PaymentRequirements, payment_identifier::PaymentIdentifier};

use crate::{
    chain::ChainError,
    engine::{app::App, limits::TooMany},
    store::StoreError,
};
use x402_escrow_domain::{
    facts::{Facts, Subject, receiver_token_accounts},
    verify::{
        Rejection,
        intent::{self, Claim},
    },
};

/// Why something was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// The verdict is no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The node didn't answer: no verdict.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed: no verdict.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The payer pays too often: no verdict.
    #[error("this payer pays too often")]
    TooMany(TooMany),
    /// The payment's id is another's: no verdict.
    #[error("the id {0} is another payment's")]
    IdentifierTaken(PaymentIdentifier),
}

/// What the chain says about an intent that would be authorized.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// What it was judged by.
    pub facts: Facts,
    /// The escrow.
    pub escrow: Escrow,
}

/// Checks the intent against the chain, and against what is promised to others already.
///
/// # Errors
/// If it would not be authorized, or can't be judged now.
pub async fn assess(
    app: &App,
    signed: &SignedIntent,
    asked: &PaymentRequirements,
) -> Result<Assessed, NotAccepted> {
    let SignedIntent { intent, receiver_proof, .. } = signed;
    let asset = asked.asset.into();
    let token_accounts = BTreeSet::from(receiver_token_accounts(&intent.receiver, &asset));
    let subject = Subject {
        program: intent.program,
        escrow: intent.escrow,
        session_key: intent.session_key,
        nonce: Some(intent.nonce),
    };
    let facts = facts::read(app.chain.as_ref(), &subject, &token_accounts).await?;
    let reserved = app.store.promises(&intent.escrow, &facts).await?.reserved(&facts);
    let claim = Claim { intent, receiver_proof, asset: &asset };
    let escrow = intent::check(&claim, &facts, &reserved, &app.facilitator.policy)?;
    let open = app.store.open_holds(&intent.escrow).await?;
    if open >= app.facilitator.policy.maximum_open_holds_per_escrow {
        return Err(too_many_open_holds(&app.facilitator.policy).into());
    }
    Ok(Assessed { facts, escrow })
}
