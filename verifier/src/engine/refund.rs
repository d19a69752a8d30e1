//! Refunds: deposits of the receiver that name the payment. Only the receiver's signature over a transaction moves its
//! money, so the verifier drafts the transaction, the receiver signs it, and the verifier pays for it and follows it.
//! Amounts are cumulative: a refund that is asked for twice is made once.

use solana_sdk::{message::Message, signer::Signer};
use tokio::time::Instant;
use x402_escrow_domain::{
    decision::{Begin, Decision},
    payment::{Action, Attempt, History, HoldTerms},
    priority_fee,
    report::Progress,
    signature, transaction,
    verify::{Rejection, lifecycle::unknown_payment},
};
use x402_escrow_interface::{Address, account::Escrow, instruction::Signature, message::Digest};
use x402_escrow_wire::{auth_capture::Commitment, error_code::ErrorCode, text::Hex32};

use crate::{
    chain::{ChainError, views::Views},
    engine::{
        app::App,
        budget,
        limits::Caller,
        not_accepted::NotAccepted,
        settle::{self, Wanted, accepted},
        submit,
    },
    store::{Accepted, Asked},
};

/// A refund to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The transaction's message, to be signed by the receiver.
    pub message: Vec<u8>,
    /// What it returns, in base units: what is asked for, less what is refunded already or on its way.
    pub returns: u64,
}

/// Drafts the transaction after which `amount` base units of the payment are refunded.
///
/// # Errors
/// If that can't be, or the node doesn't answer.
pub async fn draft(app: &App, payment_id: &Digest, amount: u64) -> Result<Draft, NotAccepted> {
    let history = known(app, payment_id).await?;
    let returns = returns(&history, amount)?;
    let signed = intent(&history)?;
    let blockhash = app.chain.blockhash().await?;
    let message = build(app, &app.rules.fee_payer, signed, returns, blockhash.hash).await?;
    Ok(Draft { message: message.serialize(), returns })
}

/// Sends a refund that [`draft`] drafted and the receiver signed, and waits until it is final enough.
///
/// # Errors
/// If it is not the one drafted, or not signed by the receiver.
pub async fn send(
    app: &App,
    caller: &Caller,
    payment_id: &Digest,
    amount: u64,
    message: &[u8],
    by_receiver: &Signature,
) -> Result<Progress, NotAccepted> {
    let (payment_id, now) = (*payment_id, app.now());
    let until = Instant::now() + app.settings.settle_timeout;
    let wanted = |operation_id, repeated| Wanted {
        payment_id,
        operation_id,
        commitment_asked: None,
        now,
        repeated,
        until,
    };
    let payment_id = &payment_id;
    if let Some(operation_id) = made_before(&known(app, payment_id).await?, amount) {
        return settle::wait(app, caller, wanted(operation_id, true)).await;
    }
    match accept(app, payment_id, amount, message, by_receiver).await {
        Ok((operation_id, is_new)) => settle::wait(app, caller, wanted(operation_id, !is_new)).await,
        // An equal one may have come in between, and even be on chain by now.
        Err(NotAccepted::Rejected(rejection)) => match made_before(&known(app, payment_id).await?, amount) {
            Some(operation_id) => settle::wait(app, caller, wanted(operation_id, true)).await,
            None => Err(rejection.into()),
        },
        Err(other) => Err(other),
    }
}

/// The refund after which `amount` is refunded, unless what was made comes to less.
fn made_before(history: &History, amount: u64) -> Option<i64> {
    let is_equal = |action| matches!(action, Action::Refund { amount: known, .. } if known == amount);
    let mut operations = history.operations.iter().map(|tracked| &tracked.operation);
    let equal = operations.rfind(|known| is_equal(known.action) && !known.came_to_nothing())?;
    (history.refunds_made() >= amount).then_some(equal.id)
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
    let signed: Message = bincode::deserialize(message)
        .map_err(|error| invalid(format!("message: can't be read as a transaction's message: {error}")))?;
    let receiver = &history.payment.receiver;
    if !signature::is_valid(receiver, message, by_receiver) {
        return Err(
            invalid(format!("signature: is not an Ed25519 signature of the message by {receiver}")).into()
        );
    }
    let returns = returns(&history, amount)?;
    let terms = intent(&history)?;
    // A draft that names the fee payer before this one is as good.
    let named = signed.account_keys.first().and_then(|named| app.fee_payer_with(named));
    let fee_payer = named.ok_or_else(not_drafted)?;
    let blockhash = signed.recent_blockhash.to_bytes();
    let drafted = build(app, &fee_payer.pubkey(), terms, returns, blockhash).await?;
    if drafted.serialize() != message {
        return Err(not_drafted().into());
    }
    let transaction = transaction::sign_refund(fee_payer, drafted, *by_receiver)
        .map_err(|error| ChainError::answer("sendTransaction", error.to_string()))?;
    // The message's own blockhash dies no later than the newest.
    let last_valid_block_height = app.chain.blockhash().await?.last_valid_block_height;
    let (action, now) = (Action::Refund { amount, returns }, app.now());
    let attempt = Attempt::only(transaction.signature, transaction.bytes, last_valid_block_height);
    let asked = Asked { payment_id, action: &action, attempt: Some(attempt.clone()), now };
    let (policy, limits) = (app.policy().clone(), app.rules.policy.clone());
    let required = move |history: &History| policy.required(history, &action, None, now);
    // Last, so that nothing is charged for what can't be stored.
    let charge = budget::charge_refund(app, *receiver).await?;
    // Another refund may have come in between.
    let decide = move |history: &History| match made_before(history, amount) {
        Some(operation_id) => Ok(Decision::Before(operation_id)),
        None if self::returns(history, amount)? == returns => {
            let equal = history.equal_to(&action);
            let decision = Decision::Begin(equal.map_or(Begin::New, |known| Begin::Again(known.id)));
            Ok(limits.in_number(decision, &action, history, now))
        }
        None => Err(not_drafted()),
    };
    let outcome = app.store.accept_operation(asked, required, decide).await?;
    if !matches!(outcome, Accepted::New(_)) {
        charge.take_back(app);
    }
    let (operation_id, is_new) = accepted(app, payment_id, outcome)?;
    if is_new {
        submit::send_signed(app, *payment_id, &action, &attempt).await;
    }
    Ok((operation_id, is_new))
}

async fn known(app: &App, payment_id: &Digest) -> Result<History, NotAccepted> {
    let history = app.store.history(payment_id).await?.filter(|history| history.intent().is_some());
    Ok(history.ok_or_else(|| unknown_payment(Hex32(*payment_id)))?)
}

/// What the payer signed of a payment that can be refunded here: one that came out of an escrow.
fn intent(history: &History) -> Result<&HoldTerms, Rejection> {
    history.intent().ok_or_else(|| unknown_payment(Hex32(history.payment.id)))
}

/// The transaction's message, out of the escrow that the payment came from as enough nodes have it.
async fn build(
    app: &App,
    fee_payer: &Address,
    terms: &HoldTerms,
    returns: u64,
    blockhash: [u8; 32],
) -> Result<Message, NotAccepted> {
    let price_micro_lamports = priority_fee::fixed_price(&app.settings.compute_unit_prices_micro_lamports);
    let views = Views::read(app.chain.as_ref(), &[terms.intent.escrow], Commitment::Confirmed).await?;
    let (_, message) = views.agreed(|accounts| {
        let escrow = Escrow::decode(&accounts.first()?.as_ref()?.data).ok()?;
        Some(transaction::refund(fee_payer, price_micro_lamports, blockhash, terms, &escrow, returns))
    })?;
    Ok(message.ok_or_else(|| {
        invalid("paymentId: the escrow that the payment came from is closed; pay the payer back directly")
    })?)
}

/// What a refund adds to those made before, after which `amount` is refunded.
fn returns(history: &History, amount: u64) -> Result<u64, Rejection> {
    let captured = history.sums_at(Commitment::Confirmed).captured;
    if amount > captured {
        let message = format!("amount: {amount} is above the {captured} that are captured and confirmed");
        return Err(invalid(message));
    }
    let made = history.refunds_made();
    if amount <= made {
        return Err(invalid(format!(
            "amount: {made} is refunded already, or on its way; the amount is cumulative"
        )));
    }
    Ok(amount - made)
}

fn not_drafted() -> Rejection {
    invalid(
        "message: is not what POST /refunds would draft now; ask for a new one, and change nothing but the signature",
    )
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(ErrorCode::RefundInvalid, message)
}
