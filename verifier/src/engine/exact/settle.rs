//! Settles: signs, stores, and waits until the transaction is as final as it must be and was read back. Equal requests,
//! also at the same time, have one transaction and one outcome, but only one caller is told yes: a server that has never
//! heard of its neighbour must not serve for what paid the neighbour. Those that keep purchases apart by their ids are
//! told again.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use super::assess;
use crate::clock::unix_now;
use crate::{
    engine::{app::App, assess::NotAccepted},
    store::AcceptedExact,
};
use x402_escrow_domain::exact::{
    check::{self, Checked},
    report::Settled,
};
use x402_escrow_domain::exact::{payment::Payment, receipt, requirements::Request, transaction};
use x402_escrow_domain::{payment::AttemptState, verify::Rejection};

/// Most blocks for which a blockhash is valid. The transaction's is older than now, so none can take it above that.
const BLOCKHASH_BLOCKS: u64 = 150;

/// How long to wait before asking again for a transaction that the node has in a block but does not tell yet.
const RECEIPT_PAUSE: Duration = Duration::from_millis(250);

/// Settles what the request asks for.
///
/// # Errors
/// If nothing was signed, or the store failed.
pub async fn settle(app: &App, request: &Request) -> Result<Settled, NotAccepted> {
    let checked = check::check(request, &app.facilitator)?;
    let (id, payer) = (checked.id, checked.payer);
    assess::told_before(app, request, &payer, &id).await?;
    let commitment = required(app, request);
    let is_new = match app.store.exact_payment(&id).await? {
        Some(_) => false,
        None => {
            app.limits.count_exact_payment(payer).map_err(NotAccepted::TooMany)?;
            assess::assess(app, request, &checked).await?;
            accept(app, request, checked).await?
        }
    };
    let tell_again = assess::told_before(app, request, &payer, &id).await?;
    let (payment, told) = wait(app, &id, commitment, tell_again).await?;
    let (repeated, problem) = match told {
        Ok(told_before) => (told_before, None),
        Err(problem) => (!is_new, Some(problem)),
    };
    Ok(Settled { payment, asked: request.asked.extra.commitment, commitment, repeated, problem })
}

/// How final the payment must be for this caller.
pub fn required(app: &App, request: &Request) -> Commitment {
    let asked = request.asked.extra.commitment;
    // What is only processed is told by no node what it did.
    app.facilitator.policy.on_balance(request.asked.amount, asked).max(Commitment::Confirmed)
}

/// Signs the transaction and has it sent. Returns whether nobody else did meanwhile.
async fn accept(app: &App, request: &Request, checked: Checked) -> Result<bool, NotAccepted> {
    let last_valid_block_height = app.chain.block_height().await?.saturating_add(BLOCKHASH_BLOCKS);
    let purchase = check::purchase(request, &checked, unix_now());
    let Checked { id, payer, transfer, transaction } = checked;
    let signed = transaction::sign(transaction, &app.fee_payer)?;
    let payment = Payment {
        id,
        payer,
        mint: request.asked.mint,
        receiver: request.asked.receiver,
        destination: transfer.destination,
        amount: request.asked.amount,
        signature: signed.signature,
        transaction: signed.bytes,
        last_valid_block_height,
        accepted_at: unix_now(),
        state: AttemptState::Sent,
        closed: false,
        claimed: false,
    };
    match app.store.accept_exact(&payment, purchase.as_ref()).await? {
        AcceptedExact::New => {
            app.work.notify_one();
            Ok(true)
        }
        AcceptedExact::Before => Ok(false),
        AcceptedExact::IdentifierTaken(id) => Err(NotAccepted::IdentifierTaken(id)),
    }
}

/// Waits until the payment is paid as finally as it must be, came to nothing, or the time is over. Returns whether
/// somebody was told yes before, or why the answer is not yes.
async fn wait(
    app: &App,
    id: &Digest,
    commitment: Commitment,
    tell_again: bool,
) -> Result<(Payment, Result<bool, Rejection>), NotAccepted> {
    let deadline = Instant::now() + app.settings.settle_timeout;
    let mut progress = app.progress.subscribe();
    loop {
        progress.borrow_and_update();
        let payment = load(app, id).await?;
        if payment.came_to_nothing() {
            let problem = check::came_to_nothing(&payment);
            return Ok((payment, Err(problem)));
        }
        let mut changed = true;
        if payment.has_reached(commitment) {
            if let Some(verdict) = read_back(app, &payment, commitment).await {
                let told = match verdict {
                    Err(rejection) => Err(rejection),
                    Ok(()) if app.store.claim_exact(id).await? => Ok(false),
                    Ok(()) if tell_again => Ok(true),
                    Ok(()) => Err(check::already_claimed()),
                };
                return Ok((payment, told));
            }
            changed = false;
        }
        let next = async {
            if changed {
                // Fails only if the service is gone.
                let _ = progress.changed().await;
            } else {
                sleep(RECEIPT_PAUSE).await;
            }
        };
        if timeout_at(deadline, next).await.is_err() {
            let problem = pending(&payment, commitment);
            return Ok((payment, Err(problem)));
        }
    }
}

/// Reads the transaction back from the chain. `None` where the node does not tell now.
async fn read_back(app: &App, payment: &Payment, commitment: Commitment) -> Option<Result<(), Rejection>> {
    match app.chain.executed(&payment.signature, commitment).await {
        Ok(executed) => executed.map(|executed| receipt::check(payment, &executed)),
        Err(error) => {
            tracing::warn!(%error, "can't read a transaction back");
            None
        }
    }
}

fn pending(payment: &Payment, commitment: Commitment) -> Rejection {
    let state = match &payment.state {
        AttemptState::Landed(landing) => landing.commitment.as_str(),
        AttemptState::Sent | AttemptState::Expired => "unsettled",
    };
    Rejection::new(
        ErrorCode::SettlementPending,
        format!(
            "the transaction was sent and is {state}, but must be {} and told by the node; settle again to learn what \
             became of it",
            commitment.as_str()
        ),
    )
}

async fn load(app: &App, id: &Digest) -> Result<Payment, NotAccepted> {
    let payment = app.store.exact_payment(id).await?;
    // Nothing is ever deleted, so this is a store that was exchanged under way.
    payment.ok_or_else(|| Rejection::new(ErrorCode::UnexpectedSettleError, "the payment vanished").into())
}
