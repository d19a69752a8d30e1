//! What the verifier's fee payer spent and locked, against what payments may cost it.

use solana_sdk::signer::Signer;

use crate::{cluster::Landed, setup::keypair};

/// What payments may cost the verifier, all together, in lamports.
#[derive(Clone, Copy, Debug)]
pub struct Budgets {
    /// In fees.
    pub fees: u64,
    /// In rent that is locked at one time.
    pub rent: u64,
}

/// A run is shorter than an hour, and starts on one.
pub(super) fn check(history: &[Landed], budgets: Budgets) -> Vec<String> {
    let fee_payer = keypair("fee payer").pubkey();
    let pays =
        |landed: &&Landed| landed.transaction.message.static_account_keys().first() == Some(&fee_payer);
    let fees: u64 = history.iter().filter(pays).map(|landed| landed.fee).sum();
    let (mut locked, mut most) = (0_u64, 0);
    for rent in
        history.iter().flat_map(|landed| &landed.holds).filter(|rent| rent.hold.rent_payer == fee_payer)
    {
        locked = if rent.is_new { locked + rent.lamports } else { locked.saturating_sub(rent.lamports) };
        most = locked.max(most);
    }
    let mut wrong = Vec::new();
    if fees > budgets.fees {
        wrong.push(format!("{fees} lamports went for fees, and only {} may", budgets.fees));
    }
    if most > budgets.rent {
        wrong.push(format!("{most} lamports of rent were locked, and only {} may be", budgets.rent));
    }
    if locked > 0 {
        wrong.push(format!("{locked} lamports of the verifier's rent are still locked"));
    }
    wrong
}
