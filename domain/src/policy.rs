//! What the verifier accepts, and how sure an operation must be before the answer is yes. Uses `cluster`, `decision`,
//! `payment`.

mod consensus;
mod defaults;
mod finality;

use x402_escrow_wire::auth_capture::{Commitment, Level};

use crate::{
    decision::{Begin, Decision},
    payment::{Action, History, RestsOn},
};

pub use consensus::Policies;
pub use defaults::Defaults;
pub use finality::{Finality, FinalityError, Tier};

/// What the fee payer pays for at most of a client's transaction. A transfer with a memo takes about 20,000 compute units, each of Lighthouse's
/// assertions some thousands more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeBounds {
    /// Compute units.
    pub maximum_compute_units: u32,
    /// Priority fee that is paid at any time, in lamports. More is paid only while recent blocks needed more.
    pub priority_fee_lamports: u64,
}

/// Bounds that the verifier sets itself; the chain sets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How final what rests on a balance must be: an authorization, a charge, and a transfer of the scheme `exact`.
    pub finality: Finality<Commitment>,
    /// How sure what rests on a confirmed hold must be.
    pub finality_on_confirmed_hold: Finality<Level>,
    /// How sure what rests on a finalized hold must be.
    pub finality_on_finalized_hold: Finality<Level>,
    /// The least level at which no block is skipped any more.
    pub lasting: Commitment,
    /// The least time that an intent must leave to be put on chain.
    pub minimum_authorize_seconds: i64,
    /// The most time that `/intents` gives an intent to be put on chain.
    pub maximum_authorize_seconds: i64,
    /// The least time that a payment must leave for its capture.
    pub minimum_capture_seconds: i64,
    /// The most time that a payment may hold its amount, and the verifier's rent.
    pub maximum_capture_seconds: i64,
    /// How long before its capture deadline a streamed hold takes its last voucher, and that is captured; a capture that
    /// comes later is not answered before it is on chain.
    pub voucher_margin_seconds: i64,
    /// What is paid at most for a client's transaction of the scheme `exact`.
    pub exact_fee_bounds: FeeBounds,
    /// Whether a memo that a receiver asks for pays it once, by whatever transaction.
    pub exact_memo_once: bool,
    /// The least that may be held, in base units: each hold costs fees and rent.
    pub minimum_hold_amount: u64,
    /// The most payments of one escrow that are not over: each locks the verifier's rent.
    pub maximum_open_holds_per_escrow: u64,
    /// How many captures, how many releases and how many refunds a payment takes at any rate. Each is read whenever
    /// something is asked about it.
    pub maximum_operations_per_payment: u64,
}

/// How often a payment takes another operation that has had its number of them, in seconds: what a merchant has not
/// captured by then is not lost, and a month's payment comes to some hundreds more.
const NEXT_OPERATION_SECONDS: i64 = 3600;

impl Policy {
    /// The decision about `action` at `now` (unix seconds), unless the payment has had its number of such operations
    /// lately. Each signer has a number of its own: a payer whose session key signs captures keeps no merchant from
    /// ending the payment.
    #[must_use]
    pub fn in_number(&self, decision: Decision, action: &Action, history: &History, now: i64) -> Decision {
        let operations = history.operations.iter().map(|tracked| &tracked.operation);
        let accepted: Vec<i64> = operations
            .filter(|known| have_one_signer(&known.action, action))
            .map(|known| known.accepted_at)
            .collect();
        let count = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
        match (decision, accepted.into_iter().max()) {
            (Decision::Begin(Begin::New), Some(newest)) if count >= self.maximum_operations_per_payment => {
                let seconds = newest.saturating_add(NEXT_OPERATION_SECONDS).saturating_sub(now);
                match u64::try_from(seconds) {
                    Ok(seconds @ 1..) => Decision::Later { seconds },
                    _ => decision,
                }
            }
            _ => decision,
        }
    }

    /// How final a payment of `amount` base units must be that rests on a balance; `asked` by the merchant can only make
    /// it more.
    pub fn on_balance(&self, amount: u64, asked: Option<Level>) -> Commitment {
        let required = self.finality.required(amount);
        asked.and_then(Level::on_chain).map_or(required, |asked| asked.max(required))
    }

    /// The same of a transfer, which is read back: no node tells what a transaction did that is only processed.
    pub fn on_transfer(&self, amount: u64, asked: Option<Level>) -> Commitment {
        self.on_balance(amount, asked).max(self.lasting)
    }

    /// How sure `action` must be before the answer is yes; `asked` by the merchant can only make it more. `now` is the
    /// cluster's time in unix seconds.
    pub fn required(&self, history: &History, action: &Action, asked: Option<Level>, now: i64) -> Level {
        let payment = &history.payment;
        let on_hold = |amount| self.on_hold(history.rests_on(action), amount);
        let required = match *action {
            Action::Authorize | Action::Charge { .. } => self.on_balance(payment.amount, None).into(),
            Action::Transfer => self.on_transfer(payment.amount, None).into(),
            // Cumulative: the sum of many small captures is what is lost with the hold. One that was promised and not sent
            // is worth nothing after its deadline.
            Action::Capture { amount, .. } | Action::Close { amount, .. } => {
                let is_late = now > self.last_reserved_second(payment.capture_deadline());
                on_hold(amount).max(if is_late { self.lasting.into() } else { Level::Reserved })
            }
            Action::Void { amount, .. } => on_hold(payment.amount.saturating_sub(amount)),
            // One transaction, which only the receiver can sign anew.
            Action::Refund { amount, .. } => on_hold(amount).max(self.lasting.into()),
            Action::Reclaim => self.lasting.into(),
        };
        asked.map_or(required, |asked| asked.max(required))
    }

    fn on_hold(&self, rests_on: RestsOn, amount: u64) -> Level {
        match rests_on {
            // A fork can take a hold away that is only processed, and no capture follows without it.
            RestsOn::Balance | RestsOn::ProcessedHold => self.lasting.into(),
            RestsOn::ConfirmedHold => self.finality_on_confirmed_hold.required(amount),
            RestsOn::FinalizedHold => self.finality_on_finalized_hold.required(amount),
        }
    }

    /// The last second, unix, at which a capture is taken on trust: as a voucher, or answered before it is on chain.
    pub fn last_reserved_second(&self, capture_deadline: i64) -> i64 {
        capture_deadline.saturating_sub(self.voucher_margin_seconds)
    }
}

/// Whether both are asked for with the signature of one party: the capture authorizer, the receiver authorizer, or the
/// receiver.
fn have_one_signer(one: &Action, other: &Action) -> bool {
    matches!(
        (one, other),
        (Action::Capture { .. }, Action::Capture { .. })
            | (Action::Close { .. } | Action::Void { .. }, Action::Close { .. } | Action::Void { .. })
            | (Action::Refund { .. }, Action::Refund { .. })
    )
}
