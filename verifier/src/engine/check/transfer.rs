//! Whether a client's transfer would pay: by itself, by what is known here, and by simulation.

use solana_sdk::transaction::TransactionError;
use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    exact::{
        account,
        check::{self, SoundTransfer, already_told},
        failure,
        instructions::Transfer,
        mint,
        requirements::{self, Request, Requirements},
        transaction,
    },
    facts::RENT_ID,
    payment::{History, Operation, RestsOn},
    policy::Policy,
    priority_fee,
    verify::Rejection,
};
use x402_escrow_interface::{Address, address::TOKEN_2022_PROGRAM_ID};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use super::Purpose;
use crate::{
    chain::{ChainError, SendError, views::Views},
    engine::{app::App, budget, identifier::find, not_accepted::NotAccepted, pause},
};

/// A transfer that is sound.
#[derive(Clone, Debug)]
pub struct CheckedTransfer {
    /// What the client sent.
    pub request: Request,
    /// What its transaction does.
    pub transfer: SoundTransfer,
    /// Whether it was accepted under its id, and the server is to be told again what became of it.
    pub is_told_again: bool,
    /// The payment, if it was accepted before.
    pub known: Option<History>,
}

pub(super) async fn check(
    app: &App,
    request: &Request,
    purpose: Purpose,
) -> Result<CheckedTransfer, NotAccepted> {
    let transfer = check::check(request, &app.rules)?;
    // First: its id is written with it, and one that is known by then is found by its id too.
    let known = app.store.history(&transfer.id).await?;
    let is_told_again = is_told_again(app, request, &transfer).await?;
    if known.is_none() {
        pause::check(app)?;
        requirements::check_fee_payer(&request.requirements, &app.rules)?;
        check::check_token(&request.requirements, &app.rules.tokens)?;
        check_memo(app, request, &transfer).await?;
        // Before the node is asked.
        if purpose == Purpose::Settle {
            app.limits.count_exact_payment(transfer.payer).map_err(NotAccepted::TooMany)?;
        }
        check_priority_fee(app, &transfer).await?;
        simulate(app, request, &transfer).await?;
        let Requirements { receiver, mint, .. } = request.requirements;
        app.deny_list.check(&app.metrics, transfer.payer, receiver, mint).await?;
        if purpose == Purpose::Settle {
            app.limits.count_sound(None, receiver).map_err(NotAccepted::TooMany)?;
        } else {
            let SoundTransfer { payer, priority_fee_lamports: priority_fee, .. } = transfer;
            budget::charge_transfer(app, payer, receiver, priority_fee).await?.take_back(app);
        }
    }
    Ok(CheckedTransfer { request: request.clone(), transfer, is_told_again, known })
}

/// Whether the payment was accepted under the id that it has here, and the server is to be told again what became of it.
///
/// # Errors
/// If the payer has another payment of this id, or the store failed.
pub async fn is_told_again(
    app: &App,
    request: &Request,
    transfer: &SoundTransfer,
) -> Result<bool, NotAccepted> {
    let Some(binding) = check::bind(request, transfer, app.now()) else { return Ok(false) };
    let is_accepted = find(app, &binding).await?.is_some();
    Ok(is_accepted && request.identifier.as_ref().is_some_and(|identifier| identifier.is_told_again))
}

/// Of two that come at once, the store decides.
async fn check_memo(app: &App, request: &Request, transfer: &SoundTransfer) -> Result<(), NotAccepted> {
    let Some(hash) = check::memo_hash(&request.requirements, &app.rules) else { return Ok(()) };
    let is_used = app.store.is_memo_used(&request.requirements.receiver, &hash, &transfer.id).await?;
    if is_used { Err(check::memo_used().into()) } else { Ok(()) }
}

/// The client sets the price, and the fee payer pays it: as much as is always paid, or as recent blocks needed.
async fn check_priority_fee(app: &App, transfer: &SoundTransfer) -> Result<(), NotAccepted> {
    let always = app.rules.policy.exact_fee_bounds.priority_fee_lamports;
    if transfer.priority_fee_lamports <= always {
        return Ok(());
    }
    let Transfer { source, destination, .. } = transfer.transfer;
    let recent = app.chain.recent_prices(&[source, destination]).await?;
    let bounds = &app.settings.compute_unit_prices_micro_lamports;
    let maximum = priority_fee::transfer_maximum(Some(recent), bounds, always);
    Ok(check::check_priority_fee(transfer, maximum)?)
}

async fn simulate(app: &App, request: &Request, transfer: &SoundTransfer) -> Result<(), NotAccepted> {
    if transfer.transfer.token_program == TOKEN_2022_PROGRAM_ID {
        let mint = [request.requirements.mint];
        let views = Views::read(app.chain.as_ref(), &mint, Commitment::Confirmed).await?;
        views.agreed(|accounts| mint::check(accounts.first().and_then(Option::as_ref)))?.1?;
    }
    let bytes = transaction::serialize(&transfer.transaction)?;
    match app.chain.simulate(&bytes).await {
        Ok(()) => Ok(()),
        Err(SendError::Unknown(error)) => Err(error.into()),
        Err(SendError::Simulation(error)) if failure::is_fee_payer_empty(&error) => {
            Err(NotAccepted::Rejected(Rejection::new(
                ErrorCode::UnexpectedVerifyError,
                "the verifier's fee payer has not enough SOL for the transaction",
            )))
        }
        Err(SendError::Simulation(error)) => Err(failed(app, request, transfer, &error).await?.into()),
    }
}

/// Why the simulation failed: with what can be done about it, where the receiver has no token account.
async fn failed(
    app: &App,
    request: &Request,
    transfer: &SoundTransfer,
    error: &TransactionError,
) -> Result<Rejection, ChainError> {
    let addresses = [transfer.transfer.destination, RENT_ID];
    let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Confirmed).await?;
    let (_, missing) = views.agreed(|accounts| account::missing(accounts, &transfer.transfer))?;
    Ok(match missing {
        Some(rent) => account::rejection(&request.requirements, &transfer.transfer, rent),
        None => failure::in_simulation(&transfer.transaction, error).into(),
    })
}

impl CheckedTransfer {
    pub(super) fn verdict(&self, policy: &Policy) -> Result<(Address, Assurance), Rejection> {
        if let Some(history) = &self.known {
            let is_told = history.payment.transfer().is_some_and(|transfer| transfer.is_told);
            if is_told && !self.is_told_again {
                return Err(already_told());
            }
            let operation = history.operations.first().map(|tracked| &tracked.operation);
            if let Some(failure) = operation.and_then(Operation::failure) {
                return Err(failure.into());
            }
        }
        let requirements = &self.request.requirements;
        let commitment_asked = requirements.extra.commitment;
        let assurance = Assurance {
            rests_on: RestsOn::Balance,
            commitment_asked,
            commitment_required: policy.on_transfer(requirements.amount, commitment_asked).into(),
            observed: Observed::default(),
        };
        Ok((self.transfer.payer, assurance))
    }
}
