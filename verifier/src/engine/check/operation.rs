//! Whether a capture or a release that a merchant signed would be carried out.

use x402_escrow_domain::{
    assurance::{Assurance, Observed},
    decision::Decision,
    payment::{Action, History},
    policy::Policy,
    verify::{Rejection, lifecycle, requirements},
};
use x402_escrow_interface::Address;
use x402_escrow_wire::{
    auth_capture::{Level, LifecyclePayload},
    facilitator::FacilitatorRequest,
};

use crate::{
    chain::facts,
    engine::{app::App, not_accepted::NotAccepted},
};

/// A capture or a release that is sound.
#[derive(Clone, Debug)]
pub struct CheckedOperation {
    /// The payment.
    pub history: History,
    /// What is to be done.
    pub action: Action,
    /// What the merchant asked for.
    pub commitment_asked: Option<Level>,
    /// Whether it is done, or under way.
    pub decision: Decision,
    /// The cluster's time, unix seconds.
    pub now: i64,
}

pub(super) async fn check(
    app: &App,
    request: &FacilitatorRequest,
    payload: &LifecyclePayload,
) -> Result<CheckedOperation, NotAccepted> {
    let asked = &request.payment_requirements;
    requirements::check_network(asked, &app.rules)?;
    let id = payload.payment_id();
    let history = app.store.history(&id.0).await?.ok_or_else(|| lifecycle::unknown_payment(id))?;
    lifecycle::hold(&history)?;
    requirements::check_asset(asked, &history.payment.mint)?;
    requirements::check_receiver(asked, &history.payment.receiver)?;
    lifecycle::check_signature(payload, &history)?;
    let action = lifecycle::action(payload, &history)?;
    let commitment_asked = requirements::read_commitment(asked)?;
    let now = facts::cluster_time(app.chain.as_ref()).await?;
    let decision = lifecycle::decide(&action, &history, now)?;
    let decision = app.rules.policy.in_number(decision, &action, &history, app.now());
    if let Decision::Later { seconds } = decision {
        return Err(NotAccepted::TooMany(app.limits.too_many_operations(seconds)));
    }
    Ok(CheckedOperation { history, action, commitment_asked, decision, now })
}

impl CheckedOperation {
    pub(super) fn verdict(&self, policy: &Policy) -> Result<(Address, Assurance), Rejection> {
        let Self { history, action, commitment_asked, decision, now } = self;
        // One that failed and may still succeed is not made anew meanwhile.
        if let Decision::Before(id) = decision
            && let Some(failure) = history.failure_of(*id)
        {
            return Err(failure.into());
        }
        let assurance = Assurance {
            rests_on: history.rests_on(action),
            commitment_asked: *commitment_asked,
            commitment_required: policy.required(history, action, *commitment_asked, *now),
            observed: Observed::of_hold(history),
        };
        Ok((history.payment.payer, assurance))
    }
}
