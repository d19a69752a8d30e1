use std::collections::BTreeMap;

use x402_escrow_interface::Address;
use x402_escrow_tests::{model::Arguments, svm::Chain};

use crate::property::{cast::Cast, step::Step};

/// Who paid for which account, and must get it back.
pub(crate) struct Rents {
    /// Of every wallet, right before the step.
    lamports: BTreeMap<Address, u64>,
    /// By account: who paid, and how much.
    pub(crate) owed: BTreeMap<Address, (Address, u64)>,
}

impl Rents {
    pub(super) fn new(cast: &Cast, chain: &Chain) -> Self {
        let mut rents = Self { lamports: BTreeMap::new(), owed: BTreeMap::new() };
        rents.lamports.extend(cast.wallets.iter().map(|wallet| (*wallet, 0)));
        rents.look(chain);
        rents
    }

    /// Looks at everybody's lamports, right before a step.
    pub(crate) fn look(&mut self, chain: &Chain) {
        self.lamports.iter_mut().for_each(|(wallet, lamports)| *lamports = chain.lamports(wallet));
    }

    /// Somebody made a vault for an escrow that is still to be opened.
    pub(crate) fn note_vault(&mut self, vault: Address, payer: Address, chain: &Chain) {
        self.owed.entry(vault).or_insert((payer, chain.lamports(&vault)));
    }

    /// Nobody pays but a signer, and only for a new account; and who paid for an account that is
    /// gone has it back.
    pub(super) fn check(&mut self, step: &Step, succeeded: bool, chain: &Chain) {
        let metas = &step.instruction.accounts;
        let signs = |wallet: &Address| metas.iter().any(|meta| meta.pubkey == *wallet && meta.is_signer);
        let mut gained = BTreeMap::new();
        for (wallet, before) in &self.lamports {
            let now = chain.lamports(wallet);
            gained.insert(*wallet, now.saturating_sub(*before));
            if now < *before {
                assert!(signs(wallet), "{wallet} lost lamports without signing");
                let account = created(step).expect("lamports were spent on no new account");
                self.owed.insert(account, (*wallet, before - now));
            }
        }
        if succeeded && let Some(account) = created(step) {
            // Where lamports were sent before, its payer may have had to add none.
            self.owed.entry(account).or_insert((metas[0].pubkey, 0));
        }
        for meta in metas {
            if chain.lamports(&meta.pubkey) == 0
                && let Some((payer, lamports)) = self.owed.remove(&meta.pubkey)
            {
                let left = gained.get_mut(&payer).expect("every wallet is watched");
                assert!(*left >= lamports, "{payer} did not get the rent of {} back", meta.pubkey);
                *left -= lamports;
            }
        }
        // The rent of a vault that another made is a present to whoever opens the escrow.
        if succeeded && matches!(step.arguments, Arguments::OpenEscrow) {
            let (opener, vault) = (metas[0].pubkey, metas[4].pubkey);
            self.owed.retain(|account, (payer, _)| *account != vault || *payer == opener);
        }
    }
}

/// The account that a step may create.
fn created(step: &Step) -> Option<Address> {
    let slot = match step.arguments {
        Arguments::OpenEscrow | Arguments::Authorize { .. } => 3,
        Arguments::OpenSession { .. } => 4,
        _ => return None,
    };
    Some(step.instruction.accounts[slot].pubkey)
}
