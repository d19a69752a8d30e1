//! Transactions for payments that share little: of several payers, tokens, receivers and fee recipients.

mod market;
mod tables;

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use market::{Ending, HOLD, Market};

/// How many each transaction carried, most first.
fn sizes(carried: BTreeMap<String, usize>) -> Vec<usize> {
    let mut sizes: Vec<_> = carried.into_values().collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    sizes
}

/// Has payments that share nothing end together, and returns how many each transaction carried.
async fn end_of_strangers(count: u8, ending: impl Fn(u64) -> Ending) -> Vec<usize> {
    let mut market = Market::open(count, count, count).await;
    for party in 0..usize::from(count) {
        market.hold(party, party, ending(100 + party as u64)).await;
    }
    let sent = market.world.sent();
    let sizes = sizes(market.end_all().await);
    println!("{sizes:?} endings of strangers a transaction, of at most {} bytes", market.longest(sent));
    market.assert_books();
    sizes
}

#[tokio::test]
async fn captures_of_strangers_share_transactions_as_far_as_their_accounts_fit() {
    assert_eq!(end_of_strangers(8, |amount| Ending::Captured { amount }).await, [3, 3, 2]);
}

#[tokio::test]
async fn the_longest_captures_of_strangers_share_transactions_too() {
    assert_eq!(end_of_strangers(5, |amount| Ending::Closed { amount, fee: amount / 10 }).await, [2, 2, 1]);
}

#[tokio::test]
async fn whatever_payments_end_together_every_transaction_fits_and_every_base_unit_arrives() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..2 {
        let mut market = Market::open(4, 3, 3).await;
        for _ in 0..24 {
            let (buyer, seller) = (random.random_range(0..4), random.random_range(0..3));
            let amount = random.random_range(1..=HOLD);
            let ending = match random.random_range(0..5) {
                0 | 1 => Ending::Captured { amount },
                // A voucher for all that is held leaves nothing to release.
                2 | 3 => Ending::Closed { amount, fee: random.random_range(0..=amount / 10) },
                _ => Ending::Voided,
            };
            market.hold(buyer, seller, ending).await;
        }
        let sent = market.world.sent();
        let sizes = sizes(market.end_all().await);
        println!("{sizes:?} endings a transaction, of at most {} bytes", market.longest(sent));
        assert!(sizes.len() <= 12, "two fit in the worst case: {sizes:?}");
        market.assert_books();
    }
}
