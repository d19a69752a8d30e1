//! Remembers which payments and vouchers bought something, and which were told to come again. No
//! I/O; time is an argument.
//!
//! A missing verdict never turns what was served into something that can buy again.

use std::collections::{BTreeSet, HashMap};

use x402_escrow_wire::text::Hex32;

/// How many payments without a verdict are remembered: of more, those that come later are asked for
/// a new payment.
const MOST_UNSERVED: usize = 65_536;

/// How often payments that are over are looked for, in seconds.
const FORGET_EVERY: i64 = 60;

/// How many vouchers of one hold may be told to come again.
const MOST_VOUCHERS: usize = 64;

/// What is known of all payments.
#[derive(Default)]
pub(crate) struct Sold {
    payments: HashMap<Hex32, Payment>,
    /// How many of them bought nothing.
    unserved: usize,
    /// When payments that were over were looked for last, unix seconds.
    looked_at: i64,
}

/// What is known of one payment.
#[derive(Default)]
struct Payment {
    /// Whether its hold bought something, or opened a stream.
    is_served: bool,
    /// Whether the request that brought the hold was told to come again.
    comes_again: bool,
    /// The highest voucher that bought something, in base units. Vouchers are cumulative: one below
    /// it is spent too, unless it is one of those that come again.
    spent: u64,
    /// Vouchers that bought nothing yet, in base units.
    vouchers: BTreeSet<u64>,
    /// Until when it is remembered, unix seconds.
    until: i64,
}

impl Payment {
    fn bought_something(&self) -> bool {
        self.is_served || self.spent > 0
    }
}

impl Sold {
    /// Notes that a payment was told to come again, unless it bought something.
    pub(crate) fn come_again(&mut self, id: Hex32, until: i64) {
        if let Some(payment) = self.remember(id, until) {
            payment.comes_again = !payment.is_served;
        }
    }

    /// Whether the payment was told to come again and bought nothing.
    pub(crate) fn comes_again(&self, id: &Hex32) -> bool {
        self.payments.get(id).is_some_and(|payment| payment.comes_again && !payment.is_served)
    }

    /// Notes that a payment is being served: from now on it buys nothing more.
    pub(crate) fn serve(&mut self, id: Hex32, until: i64) {
        self.buy(id, until).is_served = true;
    }

    /// Notes that a voucher was told to come again, unless it bought something.
    pub(crate) fn voucher_come_again(&mut self, id: Hex32, amount: u64, until: i64) {
        if let Some(payment) = self.remember(id, until)
            && amount > payment.spent
            && payment.vouchers.len() < MOST_VOUCHERS
        {
            payment.vouchers.insert(amount);
        }
    }

    /// Whether the voucher was told to come again and bought nothing.
    pub(crate) fn voucher_comes_again(&self, id: &Hex32, amount: u64) -> bool {
        self.payments.get(id).is_some_and(|payment| payment.vouchers.contains(&amount))
    }

    /// Whether the voucher bought something.
    pub(crate) fn is_spent(&self, id: &Hex32, amount: u64) -> bool {
        self.payments
            .get(id)
            .is_some_and(|payment| amount <= payment.spent && !payment.vouchers.contains(&amount))
    }

    /// Notes that a voucher is being served: from now on it buys nothing more.
    pub(crate) fn spend(&mut self, id: Hex32, amount: u64, until: i64) {
        let payment = self.buy(id, until);
        payment.vouchers.remove(&amount);
        payment.spent = payment.spent.max(amount);
    }

    /// Notes that a voucher's request was not served after all: it may pay for another.
    pub(crate) fn give_back(&mut self, id: Hex32, amount: u64) {
        if let Some(payment) = self.payments.get_mut(&id) {
            payment.vouchers.insert(amount);
        }
    }

    /// Notes that a hold takes no vouchers any more.
    pub(crate) fn close(&mut self, id: &Hex32) {
        if let Some(payment) = self.payments.get_mut(id) {
            payment.vouchers.clear();
        }
    }

    /// Forgets payments that are over at `now`, once in a while.
    pub(crate) fn forget_before(&mut self, now: i64) {
        if now < self.looked_at.saturating_add(FORGET_EVERY) {
            return;
        }
        self.looked_at = now;
        self.payments.retain(|_, payment| payment.until >= now);
        self.unserved = self.payments.values().filter(|payment| !payment.bought_something()).count();
    }

    /// The payment, which buys something now, remembered until then at least.
    fn buy(&mut self, id: Hex32, until: i64) -> &mut Payment {
        let payment = self.payments.entry(id).or_insert_with(|| {
            self.unserved += 1;
            Payment::default()
        });
        if !payment.bought_something() {
            self.unserved = self.unserved.saturating_sub(1);
        }
        payment.until = payment.until.max(until);
        payment
    }

    /// The payment, remembered until then at least; `None` if too many are remembered that bought
    /// nothing.
    fn remember(&mut self, id: Hex32, until: i64) -> Option<&mut Payment> {
        if !self.payments.contains_key(&id) {
            if self.unserved >= MOST_UNSERVED {
                return None;
            }
            self.unserved += 1;
        }
        let payment = self.payments.entry(id).or_default();
        payment.until = payment.until.max(until);
        Some(payment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Hex32 = Hex32([1; 32]);

    #[test]
    fn what_was_served_never_comes_again() {
        let mut sold = Sold::default();
        sold.come_again(ID, 100);
        assert!(sold.comes_again(&ID));
        sold.serve(ID, 100);
        sold.come_again(ID, 100);
        assert!(!sold.comes_again(&ID));
    }

    #[test]
    fn a_voucher_that_was_served_and_those_below_it_never_come_again() {
        let mut sold = Sold::default();
        sold.voucher_come_again(ID, 5, 100);
        assert!(sold.voucher_comes_again(&ID, 5) && !sold.is_spent(&ID, 5));
        sold.spend(ID, 5, 100);
        for amount in [4, 5] {
            sold.voucher_come_again(ID, amount, 100);
            assert!(sold.is_spent(&ID, amount) && !sold.voucher_comes_again(&ID, amount));
        }
        sold.give_back(ID, 5);
        assert!(sold.voucher_comes_again(&ID, 5) && !sold.is_spent(&ID, 5));
        sold.close(&ID);
        assert!(sold.is_spent(&ID, 5));
    }

    #[test]
    fn payments_are_forgotten_when_they_are_over() {
        let mut sold = Sold::default();
        sold.serve(ID, 100);
        sold.come_again(Hex32([2; 32]), 200);
        sold.forget_before(100);
        assert_eq!((sold.payments.len(), sold.unserved), (2, 1));
        sold.forget_before(101 + FORGET_EVERY);
        assert_eq!((sold.payments.len(), sold.unserved), (1, 1));
        sold.forget_before(201 + 2 * FORGET_EVERY);
        assert_eq!((sold.payments.len(), sold.unserved), (0, 0));
    }

    #[test]
    fn junk_takes_no_more_room_than_there_is() {
        let mut sold = Sold::default();
        let id = |number: u32| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            Hex32(id)
        };
        (0..70_000).for_each(|number| sold.come_again(id(number), 100));
        assert_eq!(sold.payments.len(), MOST_UNSERVED);
        sold.serve(id(70_001), 100);
        sold.serve(id(0), 100);
        sold.spend(id(0), 5, 100);
        assert_eq!((sold.payments.len(), sold.unserved), (MOST_UNSERVED + 1, MOST_UNSERVED - 1));
    }
}
