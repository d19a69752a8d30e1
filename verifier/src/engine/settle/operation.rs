//! Has a capture or a release carried out.

use tokio::time::Instant;
use x402_escrow_domain::{payment::History, report::Progress, verify::lifecycle};

use super::{Wanted, accepted, wait};
use crate::{
    engine::{app::App, budget, check::CheckedOperation, not_accepted::NotAccepted},
    store::Asked,
};

pub(super) async fn settle(app: &App, checked: CheckedOperation) -> Result<Progress, NotAccepted> {
    let CheckedOperation { history, action, commitment_asked, now, .. } = checked;
    let payment_id = history.payment.id;
    let asked = Asked { payment_id: &payment_id, action: &action, attempt: None, now: app.now() };
    let required = |history: &History| app.rules.policy.required(history, &action, commitment_asked, now);
    let decide = |history: &History| lifecycle::decide(&action, history, now);
    let outcome = app.store.accept_operation(asked, required, decide).await?;
    let (operation_id, is_new) = accepted(app, &payment_id, outcome)?;
    // The one that ends it was charged with the hold.
    if is_new && history.operations.len() > 1 {
        budget::charge_more(app, &history.payment).await;
    }
    let until = Instant::now() + app.settings.settle_timeout;
    wait(app, Wanted { payment_id, operation_id, commitment_asked, now, repeated: !is_new, until }).await
}
