//! Who waits for a payment is woken when that one got further, and by no other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use x402_escrow_domain::payment::Tracked;
use x402_escrow_interface::message::Digest;

/// Tells that payments got further.
#[derive(Debug, Default)]
pub struct Changes {
    of_any: watch::Sender<()>,
    of_each: Arc<Mutex<Waited>>,
}

/// The payments that somebody waits for, with what was heard last.
type Waited = HashMap<Digest, watch::Sender<Heard>>;

/// An operation as it is now; `None` where only the store tells.
pub type Heard = Option<Arc<Tracked>>;

/// Hears of one payment's changes.
#[derive(Debug)]
pub struct Subscription {
    payment_id: Digest,
    changed: watch::Receiver<Heard>,
    of_each: Arc<Mutex<Waited>>,
}

impl Changes {
    /// Says that a payment may have got further.
    pub fn tell(&self, payment_id: &Digest) {
        if let Some(sender) = lock(&self.of_each).get(payment_id) {
            sender.send_replace(None);
        }
        self.of_any.send_replace(());
    }

    /// Says how far an operation is, as the store has it.
    pub fn tell_operation(&self, tracked: &Tracked) {
        if let Some(sender) = lock(&self.of_each).get(&tracked.operation.payment_id) {
            sender.send_replace(Some(Arc::new(tracked.clone())));
        }
        self.of_any.send_replace(());
    }

    /// Says that any payment may have got further.
    pub fn tell_all(&self) {
        for sender in lock(&self.of_each).values() {
            sender.send_replace(None);
        }
        self.of_any.send_replace(());
    }

    /// Hears of every payment.
    pub fn of_any(&self) -> watch::Receiver<()> {
        self.of_any.subscribe()
    }

    /// Hears of one payment.
    pub fn of(&self, payment_id: Digest) -> Subscription {
        let changed = lock(&self.of_each).entry(payment_id).or_default().subscribe();
        Subscription { payment_id, changed, of_each: Arc::clone(&self.of_each) }
    }
}

impl Subscription {
    /// Forgets what it has heard so far.
    pub fn forget(&mut self) {
        self.changed.borrow_and_update();
    }

    /// Waits until it hears of something new, and returns what was told last.
    pub async fn changed(&mut self) -> Heard {
        // The sender is there as long as this is.
        _ = self.changed.changed().await;
        self.changed.borrow_and_update().clone()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut of_each = lock(&self.of_each);
        // With the lock: of two that go at the same time, the second must not count the first.
        drop(std::mem::replace(&mut self.changed, watch::channel(None).1));
        if of_each.get(&self.payment_id).is_some_and(|sender| sender.receiver_count() == 0) {
            of_each.remove(&self.payment_id);
        }
    }
}

fn lock(of_each: &Mutex<Waited>) -> MutexGuard<'_, Waited> {
    // Nothing that holds it can panic halfway.
    of_each.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_heard(subscription: &Subscription) -> bool {
        subscription.changed.has_changed().unwrap()
    }

    #[test]
    fn a_payment_wakes_those_who_wait_for_it_and_no_others() {
        let changes = Changes::default();
        let (mut one, other) = (changes.of([1; 32]), changes.of([2; 32]));
        let any = changes.of_any();
        changes.tell(&[1; 32]);
        assert!(has_heard(&one) && !has_heard(&other) && any.has_changed().unwrap());
        one.forget();
        assert!(!has_heard(&one));
        changes.tell_all();
        assert!(has_heard(&one) && has_heard(&other));
    }

    #[test]
    fn those_who_stop_waiting_at_the_same_time_leave_nothing_behind() {
        for _ in 0..200 {
            let changes = Changes::default();
            let subscriptions: Vec<_> = (0..4).map(|_| changes.of([1; 32])).collect();
            std::thread::scope(|scope| {
                for subscription in subscriptions {
                    scope.spawn(move || drop(subscription));
                }
            });
            assert!(lock(&changes.of_each).is_empty());
        }
    }

    #[test]
    fn a_payment_that_nobody_waits_for_is_forgotten() {
        let changes = Changes::default();
        let (one, again) = (changes.of([1; 32]), changes.of([1; 32]));
        drop(one);
        changes.tell(&[1; 32]);
        assert!(has_heard(&again));
        drop(again);
        assert!(lock(&changes.of_each).is_empty());
        changes.tell(&[1; 32]);
    }
}
