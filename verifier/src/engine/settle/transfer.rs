//! Signs a client's transfer, has it sent, and reads back what it did. Equal requests, also at the same time, have one
//! transaction and one outcome, but only one caller is told yes: a server that has never heard of its neighbour must not
//! serve for what paid the neighbour. Those that keep payments apart by their ids are told again.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use x402_escrow_domain::{
    exact::{
        check::{SoundTransfer, already_told, bind, memo_hash},
        receipt,
        requirements::Request,
        transaction,
    },
    payment::{Action, Attempt, History, Operation, Payment, Terms, TransferTerms},
    report::Progress,
    verify::Rejection,
};
use x402_escrow_interface::Address;
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode};

use super::{Wanted, accepted, begin, wait, wait_from};
use crate::{
    chain::recent::TIP_MAY_LACK_BLOCKS,
    engine::{
        app::App,
        budget,
        check::{self, CheckedTransfer},
        limits::Caller,
        not_accepted::NotAccepted,
        submit,
    },
    store::{Accepted, NewTransfer},
};

/// Most blocks for which a blockhash is valid. The transaction's is older than now, so none can take it above that.
const BLOCKHASH_BLOCKS: u64 = 150 + TIP_MAY_LACK_BLOCKS;

/// When to look again at a transfer that nobody heard of any more: it is over long before.
const REVIEW_SECONDS: i64 = 600;

/// How long to wait before asking again for a transaction that the node has in a block but does not tell yet.
const RECEIPT_PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn settle(
    app: &App,
    caller: &Caller,
    checked: CheckedTransfer,
) -> Result<Progress, NotAccepted> {
    let until = Instant::now() + app.settings.settle_timeout;
    let CheckedTransfer { request, transfer, known, mut is_told_again } = checked;
    let (payment_id, commitment_asked) = (transfer.id, request.requirements.extra.commitment);
    // Before it is stored, so that nothing of it goes unheard.
    let changes = app.changes.of(payment_id);
    let known = known.as_ref().and_then(|history| history.operations.first());
    let (operation_id, begun) = match known {
        Some(known) => (known.operation.id, None),
        None => {
            let accepted = accept(app, &request, &transfer).await?;
            is_told_again = match &accepted {
                // Its id was stored with it.
                (_, Some(_)) => {
                    request.identifier.as_ref().is_some_and(|identifier| identifier.is_told_again)
                }
                (_, None) => check::is_told_again(app, &request, &transfer).await?,
            };
            accepted
        }
    };
    let repeated = begun.is_none();
    let wanted = Wanted { payment_id, operation_id, commitment_asked, now: app.now(), repeated, until };
    let progress = begin(app, wanted, begun).await?;
    let mut progress = wait_from(app, caller, changes, wanted, progress).await?;
    loop {
        if !progress.is_sure_enough() {
            return Ok(progress);
        }
        match read_back(app, &progress).await {
            Some(Err(rejection)) => progress.objection = Some(rejection),
            Some(Ok(())) if app.store.tell_transfer(&payment_id).await? => progress.repeated = false,
            Some(Ok(())) if is_told_again => progress.repeated = true,
            Some(Ok(())) => progress.objection = Some(already_told()),
            None if Instant::now() < until => {
                sleep(RECEIPT_PAUSE).await;
                progress = wait(app, caller, wanted).await?;
                continue;
            }
            None => progress.objection = Some(not_told(&progress)),
        }
        return Ok(progress);
    }
}

/// Signs the transaction, stores and sends it, unless somebody else did meanwhile. Returns the payment as it begins, if
/// it is new.
async fn accept(
    app: &App,
    request: &Request,
    transfer: &SoundTransfer,
) -> Result<(i64, Option<History>), NotAccepted> {
    let last_valid_block_height =
        app.recent.tip(app.chain.as_ref()).await?.block_height.saturating_add(BLOCKHASH_BLOCKS);
    let now = app.now();
    let binding = bind(request, transfer, now);
    let requirements = &request.requirements;
    let named = Address::from(requirements.extra.fee_payer);
    let fee_payer = app.fee_payer_with(&named).ok_or_else(|| cut_off(&named))?;
    let signed = transaction::sign(transfer.transaction.clone(), fee_payer)?;
    let payment = Payment {
        id: transfer.id,
        terms: Terms::Transfer(TransferTerms { destination: transfer.transfer.destination, is_told: false }),
        payer: transfer.payer,
        mint: requirements.mint,
        receiver: requirements.receiver,
        amount: requirements.amount,
        accepted_at: now,
        claim: None,
        resource: request.resource.clone(),
    };
    let attempt = Attempt::only(signed.signature, signed.bytes, last_valid_block_height);
    let commitment = app.policy().on_transfer(requirements.amount, requirements.extra.commitment);
    let review_at = now.saturating_add(REVIEW_SECONDS);
    let memo_hash = memo_hash(requirements, &app.rules);
    let new = NewTransfer {
        payment: &payment,
        attempt: attempt.clone(),
        commitment: commitment.into(),
        review_at,
        memo_hash: memo_hash.as_ref(),
    };
    let priority_fee = transfer.priority_fee_lamports;
    // Last, so that nothing is charged for what can't be stored.
    let charge = budget::charge_transfer(app, transfer.payer, requirements.receiver, priority_fee).await?;
    let outcome = app.store.accept_transfer(new, binding.as_ref()).await?;
    let Accepted::New(operation_id) = outcome else {
        charge.take_back(app);
        return accepted(app, &payment.id, outcome).map(|(known, _)| (known, None));
    };
    let action = Action::Transfer;
    submit::send_signed(app, payment.id, &action, &attempt).await;
    let operation = Operation::accepted(operation_id, payment.id, action, commitment.into(), now);
    let attempts = vec![Attempt { operation_id, ..attempt }];
    Ok((operation_id, Some(History::begun(payment, operation, attempts))))
}

fn cut_off(fee_payer: &Address) -> Rejection {
    let message = format!("paymentRequirements.extra.feePayer: {fee_payer} signs nothing any more");
    Rejection::new(ErrorCode::ExactFeePayerNotManaged, message)
}

/// Reads the transaction back from the chain. `None` where the node does not tell now.
async fn read_back(app: &App, progress: &Progress) -> Option<Result<(), Rejection>> {
    let payment = &progress.history.payment;
    let transfer = payment.transfer()?;
    let signature = progress.tracked.decisive_attempt()?.signature;
    let commitment = progress.commitment_required.on_chain().unwrap_or(Commitment::Finalized);
    match app.chain.executed(&signature, commitment).await {
        Ok(executed) => executed.map(|executed| receipt::check(payment, transfer, &executed)),
        Err(error) => {
            tracing::warn!(%error, "can't read a transaction back");
            None
        }
    }
}

fn not_told(progress: &Progress) -> Rejection {
    Rejection::new(
        ErrorCode::SettlementPending,
        format!(
            "the transaction is {}, but the node does not tell yet what it did; settle again to learn what became of it",
            progress.tracked.operation.state.as_str()
        ),
    )
}
