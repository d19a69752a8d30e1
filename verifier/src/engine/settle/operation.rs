//! Has a capture or a release carried out.

use tokio::time::Instant;
use x402_escrow_domain::{decision::Decision, payment::History, report::Progress, verify::lifecycle};

use super::{Wanted, accepted, wait};
use crate::{
    engine::{app::App, budget, check::CheckedOperation, limits::Caller, not_accepted::NotAccepted},
    store::Asked,
};

pub(super) async fn settle(
    app: &App,
    caller: &Caller,
    checked: CheckedOperation,
) -> Result<Progress, NotAccepted> {
    let CheckedOperation { history, action, commitment_asked, decision, now } = checked;
    let payment_id = history.payment.id;
    let (operation_id, is_new) = match decision {
        // Whoever asks again for what is known takes no lock.
        Decision::Before(id) => (id, false),
        _ => {
            let policy = app.policy().clone();
            let required = {
                let policy = policy.clone();
                move |history: &History| policy.required(history, &action, commitment_asked, now)
            };
            let accepted_at = app.now();
            let asked = Asked { payment_id: &payment_id, action: &action, attempt: None, now: accepted_at };
            let decide = move |history: &History| {
                let decision = lifecycle::decide(&action, history, now)?;
                Ok(policy.in_number(decision, &action, history, accepted_at))
            };
            let outcome = app.store.accept_operation(asked, required, decide).await?;
            accepted(app, &payment_id, outcome)?
        }
    };
    // The first was charged with the hold, and one that took the place of another with that one.
    let took_a_place = || {
        let mut operations = history.operations.iter().map(|tracked| &tracked.operation);
        operations.any(|known| known.id == operation_id && !known.came_to_nothing())
    };
    if is_new && history.operations.len() > 1 && !took_a_place() {
        budget::charge_more(app, &history.payment).await;
    }
    let until = Instant::now() + app.settings.settle_timeout;
    wait(app, caller, Wanted { payment_id, operation_id, commitment_asked, now, repeated: !is_new, until })
        .await
}
