//! Keeps all vouchers that wait, in one transaction: those of holds that are known by one compare-and-set, the others on
//! what is read in the same transaction.

use std::collections::BTreeMap;

use sqlx::AnyConnection;
use x402_escrow_interface::message::Digest;

use super::{
    AcceptedVoucher, KeptBeside, Offered, Store, StoreError,
    claims::{self, NewClaim},
    known::Known,
    rows::{self, Swap},
};
use crate::store::{identifiers, payments, write::Turn};

/// What becomes of the vouchers, by their places in the queue.
#[derive(Default)]
struct Outcome {
    accepted: BTreeMap<usize, AcceptedVoucher>,
    claims: Vec<NewClaim>,
    known: Vec<Known>,
}

/// The vouchers of one hold, judged one after the other by what is known of it.
struct Judged {
    swap: Swap,
    claims: Vec<NewClaim>,
    accepted: Vec<(usize, AcceptedVoucher)>,
}

impl Store {
    /// Each on what those before it changed, in the order in which they came; returned once all are on disk.
    pub(super) async fn keep_all(
        &self,
        turn: Turn,
        offered: &[Offered],
    ) -> Result<Vec<AcceptedVoucher>, StoreError> {
        // In key order, so that rows are locked in the same order by all.
        let mut holds: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (place, one) in offered.iter().enumerate() {
            holds.entry(one.payment_id).or_default().push(place);
        }
        let mut transaction = turn.begin(&self.database, &self.pool).await?;
        let mut outcome = Outcome::default();
        let mut judged = BTreeMap::new();
        for (id, places) in &holds {
            if let Some(one) = self.streams.get(id).and_then(|known| judge(known, places, offered)) {
                judged.insert(*id, one);
            }
        }
        let swaps: Vec<_> = judged.values().map(|judged| &judged.swap).collect();
        let swapped = rows::swap(&mut transaction, &swaps).await?;
        for (id, places) in &holds {
            match judged.remove(id) {
                Some(one) if swapped.contains(&*one.swap.known.id) => outcome.take(one),
                // Something else was done with the payment, or nothing is known of it.
                _ => {
                    let cached = self.streams.get(id);
                    keep_reading(&mut transaction, cached, id, places, offered, &mut outcome).await?;
                }
            }
        }
        claims::keep(&mut transaction, &outcome.claims, &mut outcome.known).await?;
        // Before the turn ends: whoever has it next judges by this.
        for known in outcome.known {
            self.streams.put(known);
        }
        if let Err(error) = transaction.commit().await {
            holds.keys().for_each(|id| self.streams.forget(id));
            return Err(error.into());
        }
        // Each voucher has its outcome, in the order of the queue.
        Ok(outcome.accepted.into_values().collect())
    }
}

impl Outcome {
    fn take(&mut self, judged: Judged) {
        let Judged { swap, claims, accepted } = judged;
        self.accepted.extend(accepted);
        self.claims.extend(claims);
        self.known.push(swap.known);
    }
}

/// Judges a hold's vouchers by what is known of it; `None` if more must be read: no "no" rests on what may be out of date.
fn judge(mut known: Known, places: &[usize], offered: &[Offered]) -> Option<Judged> {
    let (version, before) = (known.version?, known.standing.last?);
    let (mut claims, mut accepted, mut last) = (Vec::new(), Vec::new(), None);
    for &place in places {
        let one = &offered[place];
        let KeptBeside { increment, binding: None, claim } = (one.decide)(&known.standing).ok()? else {
            return None;
        };
        let stream = known.standing.stream.clone();
        accepted.push((place, AcceptedVoucher::New { stream, increment }));
        claims.extend(NewClaim::of(&mut known, one.voucher.amount, increment, claim));
        known.standing.last = Some(one.voucher.amount);
        last = Some(one.voucher);
    }
    Some(Judged { swap: Swap { known, version, before, voucher: last? }, claims, accepted })
}

/// Judges a hold's vouchers by what is read now, and writes what is to be kept.
async fn keep_reading(
    connection: &mut AnyConnection,
    cached: Option<Known>,
    id: &Digest,
    places: &[usize],
    offered: &[Offered],
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    let Some(mut known) = rows::read(connection, id, cached).await? else {
        outcome.accepted.extend(places.iter().map(|place| (*place, AcceptedVoucher::UnknownPayment)));
        return Ok(());
    };
    let is_first = known.standing.last.is_none();
    let mut last = None;
    for &place in places {
        let one = &offered[place];
        let accepted = match (one.decide)(&known.standing) {
            Err(rejection) => AcceptedVoucher::Refused(rejection),
            Ok(KeptBeside { binding: Some(binding), .. })
                if !identifiers::bind(connection, &binding).await? =>
            {
                AcceptedVoucher::IdentifierTaken(binding.id)
            }
            Ok(KeptBeside { increment, claim, .. }) => {
                outcome.claims.extend(NewClaim::of(&mut known, one.voucher.amount, increment, claim));
                known.standing.last = Some(one.voucher.amount);
                last = Some(one);
                AcceptedVoucher::New { stream: known.standing.stream.clone(), increment }
            }
        };
        outcome.accepted.insert(place, accepted);
    }
    if let Some(one) = last {
        known.version = Some(rows::put(connection, &known.id, &one.voucher).await?);
        if is_first {
            let deadline = known.standing.stream.intent.capture_deadline;
            payments::set_review(connection, id, Some(deadline.saturating_sub(one.margin_seconds))).await?;
        }
    }
    outcome.known.push(known);
    Ok(())
}
