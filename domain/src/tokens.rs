//! Which tokens are served: a payment in any other would cost fees and rent for what anybody can make. Uses nothing of
//! this crate.

use std::collections::BTreeMap;

use x402_escrow_interface::Address;
use x402_escrow_wire::usdc;

/// The least transfer of USDC that is served, in base units: 0.001 USDC, what its two signatures cost while a SOL
/// costs 100 USDC.
pub const MINIMUM_USDC: u64 = 1000;

/// The tokens that are served, by mint, each with the least amount that is transferred of it, in base units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens(BTreeMap<Address, Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    minimum: u64,
    symbol: Option<String>,
}

/// Why tokens can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// Nothing could be paid.
    #[error("is empty: name at least one mint, or leave the key out for USDC")]
    Empty,
    /// A transfer of nothing costs a fee and pays nobody.
    #[error("the minimum of {0} is 0; it must be at least 1 base unit")]
    NoMinimum(Address),
    /// Two minimums for one token.
    #[error("names {0} twice")]
    Twice(Address),
}

/// Why there are no tokens to serve unless somebody names them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no USDC is known on {network}; name the mints to serve, as [{{ mint = \"…\", minimum = \"1000\" }}]"
)]
pub struct NoTokens {
    /// The cluster, as a CAIP-2 id.
    pub network: String,
}

impl Tokens {
    /// Serves these mints, each from an amount on.
    ///
    /// # Errors
    /// If there is none, one is there twice, or a minimum is 0.
    pub fn new(tokens: impl IntoIterator<Item = (Address, u64)>) -> Result<Self, TokensError> {
        let mut served = BTreeMap::new();
        for (mint, minimum) in tokens {
            if minimum == 0 {
                return Err(TokensError::NoMinimum(mint));
            }
            if served.insert(mint, Token { minimum, symbol: None }).is_some() {
                return Err(TokensError::Twice(mint));
            }
        }
        if served.is_empty() { Err(TokensError::Empty) } else { Ok(Self(served)) }
    }

    /// What is served on `network`, a CAIP-2 id, where nobody names anything: USDC.
    ///
    /// # Errors
    /// If the network has none.
    pub fn known(network: &str) -> Result<Self, NoTokens> {
        let mint = usdc::mint(network).and_then(|mint| mint.parse().ok());
        let mint: Address = mint.ok_or_else(|| NoTokens { network: network.to_owned() })?;
        let usdc = Token { minimum: MINIMUM_USDC, symbol: None };
        Ok(Self(BTreeMap::from([(mint, usdc)])))
    }

    /// With the symbol of a token that is served.
    #[must_use]
    pub fn with_symbol(mut self, mint: &Address, symbol: String) -> Self {
        if let Some(token) = self.0.get_mut(mint) {
            token.symbol = Some(symbol);
        }
        self
    }

    /// What people call the token with this mint on `network`, if that is known.
    pub fn symbol(&self, network: &str, mint: &Address) -> Option<&str> {
        let told = self.0.get(mint).and_then(|token| token.symbol.as_deref());
        told.or_else(|| usdc::mint(network).filter(|usdc| *usdc == mint.to_string()).map(|_| "USDC"))
    }

    /// The least amount that is transferred of `mint`; `None` if it is not served.
    pub fn minimum(&self, mint: &Address) -> Option<u64> {
        self.0.get(mint).map(|token| token.minimum)
    }

    /// Each mint with its minimum.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, u64)> {
        self.0.iter().map(|(mint, token)| (mint, token.minimum))
    }

    /// The mints, for people.
    pub fn list(&self) -> String {
        self.0.keys().map(Address::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mint_is_served_from_one_amount_on() {
        let [one, other] = [1, 2].map(|byte| Address::new_from_array([byte; 32]));
        let tokens = Tokens::new([(one, 5), (other, 7)]).unwrap();
        assert_eq!((tokens.minimum(&one), tokens.minimum(&other)), (Some(5), Some(7)));
        assert_eq!(tokens.minimum(&Address::new_from_array([3; 32])), None);
        assert_eq!(Tokens::new([]), Err(TokensError::Empty));
        assert_eq!(Tokens::new([(one, 0)]), Err(TokensError::NoMinimum(one)));
        assert_eq!(Tokens::new([(one, 5), (one, 7)]), Err(TokensError::Twice(one)));
    }

    #[test]
    fn usdc_is_served_where_it_is_known() {
        for network in ["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"]
        {
            let mint = usdc::mint(network).unwrap().parse().unwrap();
            assert_eq!(Tokens::known(network).unwrap().minimum(&mint), Some(MINIMUM_USDC));
        }
        let network = "solana:local".to_owned();
        let usdc: Address = usdc::MAINNET_MINT.parse().unwrap();
        let tokens = Tokens::new([(usdc, 1)]).unwrap();
        assert_eq!(tokens.symbol("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", &usdc), Some("USDC"));
        assert_eq!(tokens.symbol(&network, &usdc), None);
        let named = tokens.with_symbol(&usdc, "TEST".to_owned());
        assert_eq!(named.symbol(&network, &usdc), Some("TEST"));
        assert_eq!(Tokens::known(&network), Err(NoTokens { network }));
    }
}
