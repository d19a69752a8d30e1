//! Accepts payments, and operations on them: decides and writes in one step.

use sqlx::AnyConnection;
use x402_escrow_domain::{
    decision::{Begin, Decision},
    exact::check::memo_used,
    facts::Facts,
    identifier::Binding,
    payment::{Action, Attempt, History, HoldTerms, Payment},
    promises::Promises,
    verify::{Rejection, intent::known_authorization},
};
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::{auth_capture::Level, payment_identifier::PaymentIdentifier};

use super::{
    Store, StoreError, attempts::insert_attempt, histories, identifiers, memos, operations, payments,
    promises, together::Written,
};

/// What became of something that was to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The verifier owes it from now on, by the operation with this id.
    New(i64),
    /// It was accepted before, as the operation with this id.
    Before(i64),
    /// It was refused, going by what is known now.
    Refused(Rejection),
    /// There is no such payment.
    UnknownPayment,
    /// Its id is another payment's of the same signer.
    IdentifierTaken(PaymentIdentifier),
    /// The payment takes no more operations now.
    Later {
        /// In how many seconds it takes one more.
        seconds: u64,
    },
}

/// A payment that is to be held or charged.
#[derive(Clone, Copy, Debug)]
pub struct NewIntent<'a> {
    /// The payment.
    pub payment: &'a Payment,
    /// Its terms.
    pub signed: &'a HoldTerms,
    /// By what it is settled.
    pub action: &'a Action,
    /// How sure that must be before the answer is yes.
    pub commitment: Level,
    /// The rent that was charged for it, in lamports.
    pub rent_lamports: u64,
}

/// A payment by a client's transaction.
#[derive(Clone, Debug)]
pub struct NewTransfer<'a> {
    /// The payment.
    pub payment: &'a Payment,
    /// The transaction that pays it.
    pub attempt: Attempt,
    /// How sure it must be before the answer is yes.
    pub commitment: Level,
    /// When to look at it again, unix seconds.
    pub review_at: i64,
    /// Hash of the memo that may pay only for this, if there is one.
    pub memo_hash: Option<&'a Digest>,
}

/// An operation that is asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The payment.
    pub payment_id: &'a Digest,
    /// What is to be done.
    pub action: &'a Action,
    /// Its only transaction, where somebody else signed it too.
    pub attempt: Option<Attempt>,
    /// When, unix seconds.
    pub now: i64,
}

impl Store {
    /// Accepts a payment that is held or charged, and binds its id, unless either is known or `check` (given all that is promised
    /// then) refuses it, in one step.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_intent(
        &self,
        new: NewIntent<'_>,
        facts: &Facts,
        binding: Option<&Binding>,
        check: impl FnOnce(&Promises) -> Result<(), Rejection> + Send + 'static,
    ) -> Result<Accepted, StoreError> {
        let NewIntent { payment, signed, action, commitment, rent_lamports } = new;
        let (payment, signed, action) = (payment.clone(), signed.clone(), *action);
        let (facts, binding) = (facts.clone(), binding.cloned());
        self.write_together(move |connection| {
            Box::pin(async move {
                let (payment, signed, action) = (&payment, &signed, &action);
                let new = NewIntent { payment, signed, action, commitment, rent_lamports };
                accept_intent(connection, new, &facts, binding.as_ref(), check).await.map(written)
            })
        })
        .await
    }

    /// Accepts a payment by a client's transaction, and binds its id and its memo, unless one of them is known.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_transfer(
        &self,
        new: NewTransfer<'_>,
        binding: Option<&Binding>,
    ) -> Result<Accepted, StoreError> {
        let NewTransfer { payment, attempt, commitment, review_at, memo_hash } = new;
        let (payment, memo_hash, binding) = (payment.clone(), memo_hash.copied(), binding.cloned());
        self.write_together(move |connection| {
            Box::pin(async move {
                let memo_hash = memo_hash.as_ref();
                let new = NewTransfer { payment: &payment, attempt, commitment, review_at, memo_hash };
                accept_transfer(connection, new, binding.as_ref()).await.map(written)
            })
        })
        .await
    }

    /// Accepts an operation on a known payment, together with its only transaction if somebody else signed that too, unless
    /// `decide` (given all that is known then) refuses it or knows it, in one step.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn accept_operation(
        &self,
        asked: Asked<'_>,
        commitment: impl FnOnce(&History) -> Level + Send + 'static,
        decide: impl FnOnce(&History) -> Result<Decision, Rejection> + Send + 'static,
    ) -> Result<Accepted, StoreError> {
        let Asked { payment_id, action, attempt, now } = asked;
        let (payment_id, action) = (*payment_id, *action);
        self.write_together(move |connection| {
            Box::pin(async move {
                let asked = Asked { payment_id: &payment_id, action: &action, attempt, now };
                accept_operation(connection, asked, commitment, decide).await.map(written)
            })
        })
        .await
    }
}

/// What was refused has changed nothing.
fn written(accepted: Accepted) -> Written<Accepted> {
    match accepted {
        Accepted::New(_) | Accepted::Before(_) => Written::Kept(accepted),
        _ => Written::Dropped(accepted),
    }
}

async fn accept_intent(
    connection: &mut AnyConnection,
    new: NewIntent<'_>,
    facts: &Facts,
    binding: Option<&Binding>,
    check: impl FnOnce(&Promises) -> Result<(), Rejection> + Send,
) -> Result<Accepted, StoreError> {
    let NewIntent { payment, signed, action, commitment, rent_lamports } = new;
    let known = histories::history(connection, &payment.id).await?;
    if let Some(id) = known.as_ref().and_then(known_authorization) {
        return Ok(Accepted::Before(id));
    }
    let promises = promises::of_escrow(connection, &signed.intent.escrow, facts).await?;
    if let Err(rejection) = check(&promises) {
        return Ok(Accepted::Refused(rejection));
    }
    // One that came to nothing is taken up again.
    let again = known.and_then(|history| Some(history.operations.first()?.operation.id));
    if let Some(taken) = bind(connection, binding).await? {
        return Ok(taken);
    }
    match again {
        Some(_) => {
            payments::take_up(connection, payment, signed, rent_lamports).await?;
            // It may have vouchers, which are captured before the deadline: a review knows.
            let review_at = payment.hold().map_or(payment.review_at(), |_| payment.accepted_at);
            payments::set_review(connection, &payment.id, Some(review_at)).await?;
        }
        // It was not known a moment ago, and nobody else writes.
        None => _ = payments::insert(connection, payment, payment.review_at(), rent_lamports).await?,
    }
    let begin = again.map_or(Begin::New, Begin::Again);
    let id = operations::begin(connection, payment, action, begin, commitment, payment.accepted_at).await?;
    Ok(Accepted::New(id))
}

async fn accept_transfer(
    connection: &mut AnyConnection,
    new: NewTransfer<'_>,
    binding: Option<&Binding>,
) -> Result<Accepted, StoreError> {
    let NewTransfer { payment, attempt, commitment, review_at, memo_hash } = new;
    if !payments::insert(connection, payment, review_at, 0).await? {
        let known = histories::history(connection, &payment.id).await?;
        let known = known.as_ref().and_then(|history| history.operations.first());
        return Ok(known.map_or(Accepted::UnknownPayment, |known| Accepted::Before(known.operation.id)));
    }
    if let Some(taken) = bind(connection, binding).await? {
        return Ok(taken);
    }
    if let Some(memo_hash) = memo_hash
        && !memos::claim(connection, payment, memo_hash).await?
    {
        return Ok(Accepted::Refused(memo_used()));
    }
    let action = &Action::Transfer;
    let (begin, now) = (Begin::New, payment.accepted_at);
    let id = operations::begin(connection, payment, action, begin, commitment, now).await?;
    insert_attempt(connection, &Attempt { operation_id: id, ..attempt }).await?;
    Ok(Accepted::New(id))
}

async fn accept_operation(
    connection: &mut AnyConnection,
    asked: Asked<'_>,
    commitment: impl FnOnce(&History) -> Level + Send,
    decide: impl FnOnce(&History) -> Result<Decision, Rejection> + Send,
) -> Result<Accepted, StoreError> {
    let Asked { payment_id, action, attempt, now } = asked;
    let Some(history) = histories::history(connection, payment_id).await? else {
        return Ok(Accepted::UnknownPayment);
    };
    let accepted = match decide(&history) {
        Ok(Decision::Before(id)) => Accepted::Before(id),
        Ok(Decision::Begin(begin)) => {
            let (payment, commitment) = (&history.payment, commitment(&history));
            let id = operations::begin(connection, payment, action, begin, commitment, now).await?;
            if let Some(attempt) = attempt {
                insert_attempt(connection, &Attempt { operation_id: id, ..attempt }).await?;
            }
            Accepted::New(id)
        }
        Ok(Decision::Later { seconds }) => return Ok(Accepted::Later { seconds }),
        Err(rejection) => return Ok(Accepted::Refused(rejection)),
    };
    Ok(accepted)
}

/// Binds an id to its payment; where it is another's, says so.
async fn bind(
    connection: &mut AnyConnection,
    binding: Option<&Binding>,
) -> Result<Option<Accepted>, StoreError> {
    match binding {
        Some(binding) if !identifiers::bind(connection, binding).await? => {
            Ok(Some(Accepted::IdentifierTaken(binding.id.clone())))
        }
        _ => Ok(None),
    }
}
