//! Tables that are no longer needed: each is given up and closed, and its rent comes back.

use solana_sdk::{account::Account, signer::Signer};
use x402_escrow_domain::facts::VERSION_1_FEATURE_ID;
use x402_escrow_interface::Address;

use super::{Bazaar, OPTIONS};
use crate::world::{FEE_PAYER, Options, keypair};

impl Bazaar {
    /// Runs the verifier until all tables are closed.
    async fn close_all(&self) {
        let is_given_up = async || {
            let tables = self.tables().await;
            tables.iter().all(|(_, state)| state.as_ref().is_none_or(|state| state.deactivated_at.is_some()))
        };
        self.run_until("they are given up", is_given_up).await;
        self.market.world.cluster.pass_slots(600);
        self.market.world.cluster.outlive_blockhash();
        self.run_until("they are closed", async || self.tables().await.is_empty()).await;
    }
}

#[tokio::test]
async fn a_table_is_closed_where_none_is_needed_and_its_rent_comes_back() {
    let mut bazaar = Bazaar::open().await;
    let before = bazaar.market.world.fee_payer_lamports();
    bazaar.learn().await;
    let none = Options { lookup_tables: 0, ..OPTIONS() };
    bazaar.market.world.restart(none).await;
    bazaar.market.world.crash().await;
    bazaar.close_all().await;
    let fees: u64 = bazaar.fees(|_| true).iter().sum();
    assert_eq!(fees, before - bazaar.market.world.fee_payer_lamports(), "nothing but fees");
}

#[tokio::test]
async fn tables_are_closed_once_the_cluster_takes_version_1() {
    let mut bazaar = Bazaar::open().await;
    bazaar.learn().await;
    {
        let owner = Address::from_str_const("Feature111111111111111111111111111111111111");
        let feature =
            Account { lamports: 1_000_000, data: vec![1; 9], owner, executable: false, rent_epoch: 0 };
        bazaar.market.world.cluster.state().svm.set_account(VERSION_1_FEATURE_ID, feature).unwrap();
    }
    bazaar.close_all().await;
    assert!(bazaar.usable().is_empty());
}

#[tokio::test]
async fn tables_of_a_retiring_fee_payer_are_closed_and_the_new_one_gets_their_rent() {
    const NEW: u8 = 40;
    let mut bazaar = Bazaar::open().await;
    bazaar.learn().await;
    let lamports = |bazaar: &Bazaar, seed: u8| {
        let state = bazaar.market.world.cluster.state();
        state.svm.get_balance(&keypair(seed).pubkey()).unwrap_or_default()
    };
    bazaar.market.world.cluster.state().svm.airdrop(&keypair(NEW).pubkey(), 10_000_000_000).unwrap();
    let options = Options { fee_payer: NEW, retiring: &[FEE_PAYER], ..OPTIONS() };
    bazaar.market.world.restart(options).await;
    bazaar.market.world.crash().await;
    let [old, new] = [FEE_PAYER, NEW].map(|seed| lamports(&bazaar, seed));
    bazaar.close_all().await;
    assert_eq!(lamports(&bazaar, FEE_PAYER), old);
    assert!(lamports(&bazaar, NEW) > new, "more than the fees came back");
}
