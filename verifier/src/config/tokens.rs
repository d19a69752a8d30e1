//! The tokens that are served, and what people call them.

use x402_escrow_domain::tokens::Tokens;
use x402_escrow_interface::Address;

use super::keys::TokenKey;

/// The longest symbol.
const LONGEST_SYMBOL: usize = 12;

/// What the key `tokens` lists.
pub(super) fn tokens(listed: Vec<TokenKey>) -> Result<Tokens, String> {
    let symbols: Vec<(Address, String)> =
        listed.iter().filter_map(|token| Some((token.mint.into(), token.symbol.clone()?))).collect();
    let is_symbol = |symbol: &str| {
        (1..=LONGEST_SYMBOL).contains(&symbol.len()) && symbol.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if let Some((mint, symbol)) = symbols.iter().find(|(_, symbol)| !is_symbol(symbol)) {
        return Err(format!(
            "the symbol of {mint} must have 1 to {LONGEST_SYMBOL} letters of ASCII without spaces, is {symbol:?}"
        ));
    }
    let tokens = listed.into_iter().map(|token| (token.mint.into(), token.minimum.0));
    let tokens = Tokens::new(tokens).map_err(|error| error.to_string())?;
    Ok(symbols.into_iter().fold(tokens, |tokens, (mint, symbol)| tokens.with_symbol(&mint, symbol)))
}
