//! What accounts lock while they exist: measured on the clusters at hand, computed for the rates that mainnet goes through.

use anyhow::{Result, ensure};
use x402_escrow_interface::Address;
use x402_escrow_tests::svm::World;

use crate::{
    cast::Cluster,
    report::{AccountRent, ClusterRent},
};

/// Bytes that an account is charged for besides its own.
const OVERHEAD_BYTES: u64 = 128;

/// Lamports a byte on mainnet as others have published them: the step of SIMD-0437 that was active in November 2026, and
/// the three that are announced. None was measured here.
pub(crate) const PUBLISHED: [(u64, &str); 4] = [
    (5_080, "mainnet in November 2026: published, not measured"),
    (2_575, "mainnet, next step: announced, not measured"),
    (1_322, "mainnet, step after it: announced, not measured"),
    (696, "mainnet, last step: announced, not measured"),
];

/// The rent of an account of `bytes`, in lamports.
pub(crate) fn lamports(bytes: u64, lamports_per_byte: u64) -> u64 {
    (OVERHEAD_BYTES + bytes) * lamports_per_byte
}

/// The accounts of a payment, as they are on LiteSVM.
pub(crate) fn accounts() -> Vec<AccountRent> {
    let (world, intent) = World::with_hold();
    let accounts = [
        ("escrow", world.escrow),
        ("vault", world.escrow().vault),
        ("session", world.session),
        ("hold", world.hold_address(&intent)),
    ];
    let stored = |(account, address): (&str, Address)| AccountRent {
        account: account.to_owned(),
        bytes: world.chain.data(&address).expect("the payment is held").len() as u64,
        lamports: world.chain.lamports(&address),
    };
    accounts.map(stored).to_vec()
}

/// The rate of `cluster`.
///
/// # Errors
/// If what it asks is not proportional to the bytes, as the published rates are.
pub(crate) fn of<C: Cluster>(cluster: &C, accounts: &[AccountRent]) -> Result<ClusterRent> {
    let lamports_per_byte = cluster.rent(0)? / OVERHEAD_BYTES;
    for AccountRent { account, bytes, .. } in accounts {
        let (asked, computed) = (cluster.rent(*bytes)?, lamports(*bytes, lamports_per_byte));
        ensure!(asked == computed, "{} asks for {asked} lamports of the {account}, not {computed}", C::NAME);
    }
    Ok(ClusterRent { cluster: C::NAME.to_owned(), lamports_per_byte })
}
