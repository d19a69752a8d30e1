//! What somebody types into a search field.

use x402_escrow_interface::{Address, instruction::Signature, message::Digest};
use x402_escrow_wire::text::{Base58, Hex32, Key};

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// A payment with this id, or payments with this resource hash.
    Hash(Digest),
    /// The payments in this transaction.
    Transaction(Signature),
    /// What this address paid.
    Payer(Address),
    /// What has this in its URL or product.
    Text(String),
}

impl Search {
    /// Reads what was typed; `None` if that is nothing.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if let Ok(hash) = text.to_lowercase().parse::<Hex32>() {
            return Some(Self::Hash(hash.0));
        }
        if let Ok(signature) = text.parse::<Base58<64>>() {
            return Some(Self::Transaction(signature.0));
        }
        match text.parse::<Key>() {
            Ok(key) => Some(Self::Payer(key.into())),
            Err(_) => Some(Self::Text(text.chars().take(100).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_told_by_its_form() {
        assert_eq!(Search::read("  "), None);
        assert_eq!(Search::read(&"AB".repeat(32)), Some(Search::Hash([0xab; 32])));
        let signature = Base58([7; 64]).to_string();
        assert_eq!(Search::read(&signature), Some(Search::Transaction([7; 64])));
        let payer = Address::new_from_array([7; 32]);
        assert_eq!(Search::read(&payer.to_string()), Some(Search::Payer(payer)));
        assert_eq!(Search::read(" report "), Some(Search::Text("report".to_owned())));
    }
}
