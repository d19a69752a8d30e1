//! No lamport of the fee payer's stays locked once nothing is held, however a payment ended.

use x402_escrow_wire::{auth_capture::Commitment, text::Hex32};

use crate::world::World;

/// Less than the rent of one hold, and more than the fees of all transactions here.
const FEES: u64 = 300_000;

impl World {
    /// Whether the account of the payment's hold has anything.
    async fn has_rent(&self, id: Hex32) -> bool {
        let hold = self.payment(id).await["hold"].as_str().unwrap().parse().unwrap();
        self.cluster.state().svm.get_balance(&hold).unwrap_or(0) > 0
    }
}

#[tokio::test]
async fn no_rent_stays_locked_however_a_payment_ends() {
    let world = World::new().await;
    world.cluster.state().level = Commitment::Finalized;
    let before = world.fee_payer_lamports();
    let mut ids = Vec::new();
    for nonce in 1..=6 {
        ids.push(world.authorize(1000, nonce).await);
    }
    assert!(before - world.fee_payer_lamports() > 6 * FEES, "each hold locks rent");

    world.settled(&world.capture(ids[0], 1000, true)).await;
    // In steps, of which none says that it is the last.
    world.settled(&world.capture(ids[1], 400, false)).await;
    assert!(world.has_rent(ids[1]).await, "something is held");
    world.settled(&world.capture(ids[1], 1000, false)).await;
    world.settled(&world.void(ids[2], 0)).await;
    world.settled(&world.capture(ids[3], 300, false)).await;
    world.settled(&world.void(ids[3], 300)).await;
    world.settled(&world.void(ids[4], 500)).await;
    world.settled(&world.capture(ids[4], 500, false)).await;
    for id in &ids[..5] {
        assert!(!world.has_rent(*id).await, "{id}: its rent came back in the transaction that ended it");
    }

    // Nobody ends the last one: the verifier does, and gets its rent.
    assert!(world.has_rent(ids[5]).await);
    world.until_final(ids[5]).await;
    world.cluster.pass_seconds(601);
    world.until(ids[5], |payment| payment["state"] == "ended").await;
    assert!(!world.has_rent(ids[5]).await);
    let spent = before - world.fee_payer_lamports();
    assert!(spent < FEES, "{spent} lamports are fees, and nothing is rent");
}
