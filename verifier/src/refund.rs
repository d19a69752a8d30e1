//! Refunds. Only the receiver's signature over a transaction moves money back, so the verifier drafts the transaction,
//! the receiver signs it, and the verifier pays for it and follows it. Amounts are cumulative: a refund that is asked for
//! twice is made once.

use solana_sdk::message::Message;
use x402_escrow_interface::{instruction::Signature, message::Digest};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode, text::Hex32};

use crate::{
    app::{App, unix_now},
    assess::NotAccepted,
    chain::ChainError,
    facts,
    payment::{Action, Attempt, AttemptState, History},
    settle::{self, Settled, Wanted},
    signature,
    submit::{self, read_hold},
    transaction::{self, HoldState},
    verify::{Rejection, lifecycle::unknown_payment},
};

/// A refund to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The transaction's message, to be signed by the receiver.
    pub message: Vec<u8>,
    /// What it returns, in base units: what is asked for but not refunded yet.
    pub returns: u64,
}

/// Drafts the transaction after which `amount` base units of the payment are refunded.
///
/// # Errors
/// If that can't be, or the node doesn't answer.
pub async fn draft(app: &App, payment_id: &Digest, amount: u64) -> Result<Draft, NotAccepted> {
    let history = known(app, payment_id).await?;
    check(&history, amount, facts::cluster_time(app.chain.as_ref()).await?)?;
    let blockhash = app.chain.blockhash().await?;
    let (message, returns) = build(app, &history, amount, blockhash.hash).await?;
    Ok(Draft { message: message.serialize(), returns })
}

/// Sends a refund that [`draft`] drafted and the receiver signed, and waits until it is final enough.
///
/// # Errors
/// If it is not the one drafted, or not signed by the receiver.
pub async fn send(
    app: &App,
    payment_id: &Digest,
    amount: u64,
    message: &[u8],
    by_receiver: &Signature,
) -> Result<Settled, NotAccepted> {
    let (payment_id, now) = (*payment_id, unix_now());
    let wanted = |operation_id, repeated| Wanted { payment_id, operation_id, asked: None, now, repeated };
    let payment_id = &payment_id;
    if let Some(operation_id) = made_before(&known(app, payment_id).await?, amount) {
        return settle::wait(app, wanted(operation_id, true)).await;
    }
    match accept(app, payment_id, amount, message, by_receiver).await {
        Ok((operation_id, is_new)) => settle::wait(app, wanted(operation_id, !is_new)).await,
        // An equal one may have come in between, and even be on chain by now.
        Err(NotAccepted::Rejected(rejection)) => match made_before(&known(app, payment_id).await?, amount) {
            Some(operation_id) => settle::wait(app, wanted(operation_id, true)).await,
            None => Err(rejection.into()),
        },
        Err(other) => Err(other),
    }
}

/// The refund after which `amount` is refunded, unless it came to nothing.
fn made_before(history: &History, amount: u64) -> Option<i64> {
    let mut operations = history.operations.iter().map(|tracked| &tracked.operation);
    let equal =
        operations.find(|known| known.action == Action::Refund { amount } && !known.came_to_nothing())?;
    Some(equal.id)
}

/// Stores and sends the refund, if it may be. Returns its operation, and whether that is new.
async fn accept(
    app: &App,
    payment_id: &Digest,
    amount: u64,
    message: &[u8],
    by_receiver: &Signature,
) -> Result<(i64, bool), NotAccepted> {
    let history = known(app, payment_id).await?;
    let now = facts::cluster_time(app.chain.as_ref()).await?;
    check(&history, amount, now)?;
    let signed: Message = bincode::deserialize(message)
        .map_err(|error| invalid(format!("message: can't be read as a transaction's message: {error}")))?;
    let (drafted, _) = build(app, &history, amount, signed.recent_blockhash.to_bytes()).await?;
    if drafted.serialize() != message {
        return Err(invalid(
            "message: is not what POST /refunds drafted; ask for a new one, and change nothing",
        )
        .into());
    }
    let receiver = &history.payment.intent.receiver;
    if !signature::is_valid(receiver, message, by_receiver) {
        return Err(
            invalid(format!("signature: is not an Ed25519 signature of the message by {receiver}")).into()
        );
    }
    let transaction = transaction::sign_refund(&app.fee_payer, drafted, *by_receiver)
        .map_err(|error| ChainError { request: "sendTransaction", message: error.to_string() })?;
    // The message's own blockhash dies no later than the newest.
    let last_valid_block_height = app.chain.blockhash().await?.last_valid_block_height;
    let action = Action::Refund { amount };
    let attempt = |operation_id| Attempt {
        signature: transaction.signature,
        operation_id,
        position: None,
        transaction: transaction.bytes.clone(),
        last_valid_block_height,
        state: AttemptState::Sent,
        is_blameless: false,
    };
    let (operation_id, is_new) = app
        .store
        .accept_signed(
            payment_id,
            &action,
            |history| app.facilitator.policy.required(history, &action, None, now),
            unix_now(),
            attempt,
            |history| check(history, amount, now),
        )
        .await?
        .ok_or_else(|| unknown_payment(Hex32(*payment_id)))??;
    if is_new {
        submit::send_refund(app, *payment_id, &attempt(operation_id)).await;
        app.work.notify_one();
    }
    Ok((operation_id, is_new))
}

async fn known(app: &App, payment_id: &Digest) -> Result<History, NotAccepted> {
    Ok(app.store.history(payment_id).await?.ok_or_else(|| unknown_payment(Hex32(*payment_id)))?)
}

/// The transaction's message and what it returns. What is refunded already is read off the chain: an earlier transaction
/// that the verifier has given up may have landed after all.
async fn build(
    app: &App,
    history: &History,
    amount: u64,
    blockhash: [u8; 32],
) -> Result<(Message, u64), NotAccepted> {
    let state = hold(app, history).await?;
    let known = history.settled_sums().refunded;
    if state.hold.refunded < known {
        let message =
            format!("the hold shows {} refunded of {known}: the node lags behind", state.hold.refunded);
        return Err(ChainError { request: "getMultipleAccounts", message }.into());
    }
    let returns = amount.saturating_sub(state.hold.refunded);
    if returns == 0 {
        return Err(invalid(format!(
            "amount: {} is refunded already; the amount is cumulative",
            state.hold.refunded
        ))
        .into());
    }
    let message = transaction::refund(
        &app.facilitator.fee_payer,
        *app.settings.compute_unit_prices_micro_lamports.start(),
        blockhash,
        &history.payment,
        &state,
        returns,
    );
    Ok((message, returns))
}

async fn hold(app: &App, history: &History) -> Result<HoldState, NotAccepted> {
    let (_, state) = read_hold(app, &history.payment, Commitment::Confirmed).await?;
    Ok(state.ok_or_else(|| invalid("paymentId: the hold is not on chain, or not confirmed yet"))?)
}

/// Whether `amount` can be refunded at `now`, the cluster's time in unix seconds.
fn check(history: &History, amount: u64, now: i64) -> Result<(), Rejection> {
    let deadline = history.payment.intent.refund_deadline;
    if deadline == 0 {
        return Err(invalid("paymentId: the payment's terms allow no refunds"));
    }
    if now > deadline {
        return Err(invalid(format!(
            "paymentId: the refund deadline, {deadline} (unix seconds), has passed"
        )));
    }
    let sums = history.settled_sums();
    if amount > sums.captured {
        return Err(invalid(format!("amount: {amount} is above the {} that are captured", sums.captured)));
    }
    if amount <= sums.refunded {
        return Err(invalid(format!(
            "amount: {} is refunded already; the amount is cumulative",
            sums.refunded
        )));
    }
    // What a refund returns is counted from what is refunded as of the newest confirmed block.
    let under_way = history.operations.iter().map(|tracked| &tracked.operation).find(|operation| {
        matches!(operation.action, Action::Refund { .. })
            && !operation.came_to_nothing()
            && !operation.state.has_reached(Commitment::Confirmed)
    });
    match under_way {
        Some(_) => {
            Err(invalid("paymentId: another refund is under way; wait until it is confirmed or given up"))
        }
        None => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(ErrorCode::RefundInvalid, message)
}
