//! Has an intent's amount held.

use tokio::time::Instant;
use x402_escrow_domain::{
    claim::{self, Standing},
    facts::Facts,
    identifier::Binding,
    payment::{HoldTerms, Payment},
    report::Progress,
    verify::intent::{self, Proposal},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::auth_capture::Level;

use super::{Wanted, accepted, voucher, wait};
use crate::{
    engine::{
        app::App,
        budget,
        check::{CheckedHold, FoundHold, already_settled},
        limits::Caller,
        not_accepted::NotAccepted,
    },
    store::{Accepted, NewHold},
};

pub(super) async fn settle(
    app: &App,
    caller: &Caller,
    checked: CheckedHold,
) -> Result<Progress, NotAccepted> {
    let CheckedHold { signed, asset, binding, claim, found, .. } = checked;
    let (payment_id, extra, first_voucher) = (signed.intent.digest(), signed.extra, signed.first_voucher);
    let mut claimed = matches!(&found, FoundHold::Before { standing: Standing::Asking, .. });
    let (operation_id, is_new) = match found {
        FoundHold::Before { history, standing: Standing::Anothers, .. } => {
            return Err(already_settled(&history).into());
        }
        FoundHold::Before { operation_id, .. } => (operation_id, false),
        FoundHold::New { facts, escrow } => {
            let hold = HoldTerms {
                intent: signed.intent,
                signature: signed.signature,
                receiver_proof: signed.receiver_proof,
            };
            // Of all that the requirements ask, only how final the hold must be is up to each caller.
            let commitment = app.rules.policy.on_balance(hold.intent.amount, extra.commitment);
            let payment = Payment::held(hold.clone(), escrow.payer, escrow.mint, app.now());
            let payment = Payment { claim, ..payment };
            accept(app, &payment, &hold, &asset, &facts, binding.as_ref(), commitment.into()).await?
        }
    };
    let mut progress = wait(
        app,
        caller,
        Wanted {
            payment_id,
            operation_id,
            commitment_asked: extra.commitment,
            now: app.now(),
            repeated: !is_new,
            until: Instant::now() + app.settings.settle_timeout,
        },
    )
    .await?;
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
        progress.repeated = !voucher::accept_first(app, first_voucher, &extra, claim).await?;
        progress.claimed &= progress.repeated;
    }
    Ok(progress)
}

/// Stores the payment, unless what is known and promised by then speaks against it.
async fn accept(
    app: &App,
    payment: &Payment,
    hold: &HoldTerms,
    asset: &Address,
    facts: &Facts,
    binding: Option<&Binding>,
    commitment: Level,
) -> Result<(i64, bool), NotAccepted> {
    let proposal = Proposal { intent: &hold.intent, receiver_proof: &hold.receiver_proof, asset };
    let charge = budget::charge_hold(app, payment.payer, payment.receiver).await?;
    let new = NewHold { payment, hold, commitment, rent_lamports: charge.rent_lamports };
    let outcome = app
        .store
        .accept_hold(new, facts, binding, |promises| {
            intent::check(&proposal, facts, promises, &app.rules.policy).map(drop)
        })
        .await?;
    if !matches!(outcome, Accepted::New(_)) {
        charge.take_back(app);
    }
    accepted(app, &payment.id, outcome)
}
