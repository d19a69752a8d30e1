//! Verifies a payment: by itself, and against the chain. Changes nothing.

use x402_escrow_domain::exact::check::{Checked, already_claimed, came_to_nothing, check};
use x402_escrow_interface::{Address, address::TOKEN_2022_PROGRAM_ID, message::Digest};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use crate::{
    chain::SendError,
    engine::{app::App, assess::NotAccepted},
};
use x402_escrow_domain::exact::{lifecycle, mint, requirements::Request, transaction};
use x402_escrow_domain::{
    identifier::{self},
    verify::Rejection,
};

/// Whether a payment was accepted under the id that it has here, and the server is to be told again what became of it.
///
/// # Errors
/// If the payer has another purchase of this id, or the store failed.
pub async fn told_before(
    app: &App,
    request: &Request,
    payer: &Address,
    payment_id: &Digest,
) -> Result<bool, NotAccepted> {
    let Some(identifier) = &request.identifier else { return Ok(false) };
    let signed = identifier::signed(&[payment_id]);
    Ok(crate::engine::identifier::find_to_tell(app, identifier, payer, &signed).await?.is_some())
}

/// Checks a payment that was not settled here yet against the chain, by simulation.
///
/// # Errors
/// If it would fail, or can't be judged now.
pub async fn assess(app: &App, request: &Request, checked: &Checked) -> Result<(), NotAccepted> {
    if checked.transfer.token_program == TOKEN_2022_PROGRAM_ID {
        let snapshot = app.chain.accounts(&[request.asked.mint], Commitment::Confirmed).await?;
        mint::check(snapshot.accounts.into_iter().next().flatten().as_ref())?;
    }
    let bytes = transaction::serialize(&checked.transaction)?;
    match app.chain.simulate(&bytes).await {
        Ok(()) => Ok(()),
        Err(SendError::Unknown(error)) => Err(error.into()),
        Err(SendError::Simulation(error)) if lifecycle::is_fee_payer_empty(&error) => {
            Err(NotAccepted::Rejected(Rejection::new(
                ErrorCode::UnexpectedVerifyError,
                "the verifier's fee payer has not enough SOL for the transaction",
            )))
        }
        Err(SendError::Simulation(error)) => {
            let problem = lifecycle::simulation_failure(&error);
            Err(Rejection::new(problem.code, problem.message).into())
        }
    }
}

/// Whether the payment would settle. A payment that was signed here is settled once more only while nobody was told
/// that it is paid.
///
/// # Errors
/// If it would not, or can't be judged now.
pub async fn verify(app: &App, request: &Request) -> Result<Address, NotAccepted> {
    let checked = check(request, &app.facilitator)?;
    let told = told_before(app, request, &checked.payer, &checked.id).await?;
    match app.store.exact_payment(&checked.id).await? {
        None => assess(app, request, &checked).await?,
        Some(known) if known.claimed && !told => return Err(already_claimed().into()),
        Some(known) if known.came_to_nothing() => return Err(came_to_nothing(&known).into()),
        Some(_) => {}
    }
    Ok(checked.payer)
}
