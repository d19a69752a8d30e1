//! Who made transactions fail that others shared, and whose authorizations and charges therefore go alone for an hour. Kept
//! in memory, since forgetting one costs no more than another such transaction.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use x402_escrow_domain::{
    failure,
    payment::{Action, ListedOperation, Payment, Problem},
};
use x402_escrow_interface::Address;

/// For how long its authorizations and charges go alone.
const ALONE: Duration = Duration::from_secs(3600);

/// Of how many it is known. Each made a transaction fail: whoever has more escrows pays to have the oldest forgotten.
const MOST: usize = 10_000;

/// With how many receivers an escrow's charges must fail before the escrow is suspect too. A payer can't help it if a
/// receiver closes its token account. But keys cost nothing: with a new receiver each time, a payer would never go alone.
const RECEIVERS: u8 = 3;

/// The escrows, and the receivers, whose authorizations and charges go alone.
#[derive(Debug, Default)]
pub struct Suspects(Mutex<HashMap<Address, Suspicion>>);

#[derive(Debug)]
struct Suspicion {
    /// From [`RECEIVERS`] on its own go alone.
    weight: u8,
    until: Instant,
}

impl Suspects {
    /// A transaction that others shared failed for this payment's authorization or charge, by `problem`.
    pub fn note(&self, payment: &Payment, action: &Action, problem: &Problem) {
        let Some(signed) = payment.intent().filter(|_| action.settles_intent()) else { return };
        if failure::is_of_receiver(action, problem) {
            self.note_receiver(payment.receiver, signed.intent.escrow);
        } else {
            self.add(signed.intent.escrow, RECEIVERS);
        }
    }

    /// It failed for the receiver's token account.
    fn note_receiver(&self, receiver: Address, escrow: Address) {
        // Several charges of one receiver can be on their way when the first fails.
        if !self.contains(&receiver) {
            self.add(receiver, RECEIVERS);
            self.add(escrow, 1);
        }
    }

    fn add(&self, address: Address, weight: u8) {
        let (mut known, now) = (self.known(), Instant::now());
        if known.len() >= MOST {
            known.retain(|_, suspicion| suspicion.until > now);
        }
        if known.len() >= MOST
            && let Some(oldest) =
                known.iter().min_by_key(|(_, suspicion)| suspicion.until).map(|(address, _)| *address)
        {
            known.remove(&oldest);
        }
        let before = known.get(&address).filter(|suspicion| suspicion.until > now);
        let weight = before.map_or(weight, |before| before.weight.saturating_add(weight));
        known.insert(address, Suspicion { weight, until: now + ALONE });
    }

    /// Whether the operation goes alone: an authorization or a charge by a suspect escrow, or a charge for a suspect
    /// receiver. Captures never do: no payer makes one fail.
    pub fn concern(&self, open: &ListedOperation) -> bool {
        let is_of_escrow = || open.escrow.is_some_and(|escrow| self.contains(&escrow));
        match open.operation.action {
            Action::Authorize => is_of_escrow(),
            Action::Charge { .. } => is_of_escrow() || self.contains(&open.receiver),
            _ => false,
        }
    }

    /// Whether this escrow or receiver is suspect.
    pub fn contains(&self, address: &Address) -> bool {
        let known = self.known();
        known
            .get(address)
            .is_some_and(|suspicion| suspicion.weight >= RECEIVERS && suspicion.until > Instant::now())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Address, Suspicion>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const ESCROW: Address = Address::new_from_array([1; 32]);

    fn receiver(number: u8) -> Address {
        Address::new_from_array([100 + number; 32])
    }

    #[tokio::test(start_paused = true)]
    async fn one_receiver_makes_no_payer_suspect_and_three_in_an_hour_do() {
        let suspects = Suspects::default();
        for number in [0, 0, 0, 1, 1] {
            suspects.note_receiver(receiver(number), ESCROW);
            assert!(suspects.contains(&receiver(number)));
            assert!(!suspects.contains(&ESCROW), "receiver {number}");
        }
        suspects.note_receiver(receiver(2), ESCROW);
        assert!(suspects.contains(&ESCROW));
        advance(ALONE).await;
        for address in [ESCROW, receiver(2)] {
            assert!(!suspects.contains(&address));
        }
        suspects.note_receiver(receiver(3), ESCROW);
        assert!(!suspects.contains(&ESCROW), "what was before the hour counts no more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_forgotten_where_there_are_too_many() {
        let suspects = Suspects::default();
        suspects.add(ESCROW, RECEIVERS);
        advance(Duration::from_secs(1)).await;
        for number in 0..u32::try_from(MOST).unwrap() {
            let mut address = [0; 32];
            address[..4].copy_from_slice(&number.to_le_bytes());
            suspects.add(Address::new_from_array(address), RECEIVERS);
        }
        assert!(!suspects.contains(&ESCROW));
        assert_eq!(suspects.known().len(), MOST);
    }
}
