//! Has an intent's amount held or charged.

use tokio::time::Instant;
use x402_escrow_domain::{
    claim::{self, Standing},
    facts::Facts,
    identifier::Binding,
    payment::{History, HoldTerms, Operation, Payment},
    promises::Promises,
    report::Progress,
    verify::intent::{self, Proposal},
};
use x402_escrow_interface::Address;

use super::{
    Wanted, accepted, begin,
    voucher::{self, First},
    wait_from,
};
use crate::{
    engine::{
        app::App,
        budget,
        check::{CheckedHold, FoundHold, already_settled},
        limits::Caller,
        not_accepted::NotAccepted,
    },
    store::{Accepted, NewIntent},
};

pub(super) async fn settle(
    app: &App,
    caller: &Caller,
    checked: CheckedHold,
) -> Result<Progress, NotAccepted> {
    let CheckedHold { signed, action, asset, binding, claim, found, resource, .. } = checked;
    let (payment_id, extra, first_voucher) = (signed.intent.digest(), signed.extra, signed.first_voucher);
    // Before it is stored, so that nothing of it goes unheard.
    let changes = app.changes.of(payment_id);
    let mut begun = None;
    let mut claimed = matches!(&found, FoundHold::Before { standing: Standing::Asking, .. });
    let (operation_id, is_new) = match found {
        FoundHold::Before { history, standing: Standing::Anothers, .. } => {
            return Err(already_settled(&history).into());
        }
        FoundHold::Before { operation_id, .. } => (operation_id, false),
        FoundHold::New { facts, escrow, is_known } => {
            let hold = HoldTerms {
                intent: signed.intent,
                signature: signed.signature,
                receiver_proof: signed.receiver_proof,
            };
            // Of all that the requirements ask, only how final the hold must be is up to each caller.
            let commitment = app.policy().on_balance(hold.intent.amount, extra.commitment);
            let payment = Payment::signed(hold.clone(), escrow.payer, escrow.mint, app.now());
            let payment = Payment { claim, resource, ..payment };
            let new = NewIntent {
                payment: &payment,
                signed: &hold,
                action: &action,
                commitment: commitment.into(),
                rent_lamports: 0,
            };
            let (operation_id, is_new) = accept(app, new, &asset, &facts, binding.as_ref()).await?;
            if is_new && !is_known {
                let operation = Operation::accepted(
                    operation_id,
                    payment_id,
                    action,
                    commitment.into(),
                    payment.accepted_at,
                );
                begun = Some(History::begun(payment, operation, Vec::new()));
            }
            (operation_id, is_new)
        }
    };
    let wanted = Wanted {
        payment_id,
        operation_id,
        commitment_asked: extra.commitment,
        now: app.now(),
        repeated: !is_new,
        until: Instant::now() + app.settings.settle_timeout,
    };
    let progress = begin(app, wanted, begun).await?;
    let mut progress = wait_from(app, caller, changes, wanted, progress).await?;
    // An equal request at the same time may have been faster, and another's.
    if !is_new && !claimed {
        match claim::standing(progress.history.payment.claim, claim, &progress.history, app.now()) {
            Standing::Nobodys => {}
            Standing::Asking => claimed = true,
            Standing::Anothers => return Err(already_settled(&progress.history).into()),
        }
    }
    progress.claimed = claimed;
    if let Some(first_voucher) = &first_voucher
        && progress.is_sure_enough()
    {
        // Whoever settles again because the hold took its time has bought nothing yet.
        match voucher::accept_first(app, first_voucher, &extra, claim).await? {
            First::New => (progress.repeated, progress.claimed) = (false, false),
            First::Before { is_claimed } => {
                progress.repeated = true;
                progress.claimed &= is_claimed;
            }
            First::Anothers => return Err(already_settled(&progress.history).into()),
        }
    }
    Ok(progress)
}

/// Stores the payment, unless what is known and promised by then speaks against it.
async fn accept(
    app: &App,
    new: NewIntent<'_>,
    asset: &Address,
    facts: &Facts,
    binding: Option<&Binding>,
) -> Result<(i64, bool), NotAccepted> {
    let NewIntent { payment, signed, .. } = new;
    let charge = budget::charge_intent(app, &signed.intent, payment.payer).await?;
    let new = NewIntent { rent_lamports: charge.rent_lamports, ..new };
    let (terms, asset, known, policy) = (signed.clone(), *asset, facts.clone(), app.rules.policy.clone());
    let check = move |promises: &Promises| {
        let HoldTerms { intent, receiver_proof, .. } = &terms;
        let proposal = Proposal { intent, receiver_proof, asset: &asset };
        intent::check(&proposal, &known, promises, &policy).map(drop)
    };
    let outcome = app.store.accept_intent(new, facts, binding, check).await?;
    if !matches!(outcome, Accepted::New(_)) {
        charge.take_back(app);
    }
    accepted(app, &payment.id, outcome)
}
