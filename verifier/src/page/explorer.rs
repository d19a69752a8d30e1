//! Links to Solana's explorer, for the clusters that it knows.

/// The address of a transaction's or an account's page. `kind` is `tx` or `address`.
pub(super) fn link(network: &str, kind: &str, name: &str) -> Option<String> {
    let cluster = match network {
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" => "",
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1" => "?cluster=devnet",
        "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" => "?cluster=testnet",
        _ => return None,
    };
    Some(format!("https://explorer.solana.com/{kind}/{name}{cluster}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_cluster_has_no_links() {
        let devnet = link("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "tx", "abc");
        assert_eq!(devnet.as_deref(), Some("https://explorer.solana.com/tx/abc?cluster=devnet"));
        assert_eq!(link("solana:local", "tx", "abc"), None);
    }
}
