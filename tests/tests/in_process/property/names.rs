use std::collections::BTreeMap;

use x402_escrow_interface::{Address, address};
use x402_escrow_tests::program_id;

use super::cast::Cast;

impl Cast {
    /// `text` with names in place of addresses.
    pub(crate) fn name_addresses(&self, mut text: String) -> String {
        for (address, name) in self.names() {
            text = text.replace(&address.to_string(), &name);
        }
        text
    }

    fn names(&self) -> BTreeMap<Address, String> {
        let keys = [
            ("mint", &self.mints),
            ("receiver", &self.receivers),
            ("third party", &self.third_parties),
            ("fee recipient", &self.fee_recipients),
            ("guardian", &self.guardians),
            ("relay", &self.relays),
        ];
        let mut names = BTreeMap::from([(self.thief, "the thief".to_owned())]);
        for (kind, addresses) in keys {
            let named = addresses.iter().enumerate();
            names.extend(named.map(|(index, address)| (*address, format!("{kind} {index}"))));
        }
        for (index, place) in self.places.iter().enumerate() {
            names.insert(place.escrow, format!("escrow {index}"));
            names.insert(place.vault(), format!("vault {index}"));
            names.entry(place.payer).or_insert_with(|| format!("payer of escrow {index}"));
            for (number, agent) in place.agents.iter().enumerate() {
                let session = address::session(&program_id(), &place.escrow, agent);
                names.insert(session, format!("session {number} of escrow {index}"));
                names.entry(*agent).or_insert_with(|| format!("key of session {number} of escrow {index}"));
            }
        }
        for place in &self.places {
            for wallet in &self.wallets {
                let (owner, mint) = (&names[wallet], &names[&place.mint]);
                let name = format!("tokens of {mint} of {owner}");
                names.insert(place.tokens_of(wallet), name);
            }
        }
        names
    }
}
