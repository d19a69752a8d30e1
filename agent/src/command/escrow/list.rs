use anyhow::Result;
use serde_json::{Value, json};
use x402_escrow_wire::amount;

use crate::{command::print, owner::Owner};

/// Shows all escrows of the owner, whatever their mints.
pub(super) async fn list(owner: &Owner, json: bool) -> Result<()> {
    let mut escrows = owner.chain.escrows_of(&owner.program, &owner.address()).await?;
    escrows.sort_by_key(|(address, _)| *address);
    if json {
        let listed: Vec<Value> = escrows
            .iter()
            .map(|(address, escrow)| {
                json!({
                    "escrow": address.to_string(),
                    "mint": escrow.mint.to_string(),
                    "vault": escrow.vault.to_string(),
                    "decimals": escrow.decimals,
                    "balance": escrow.balance.to_string(),
                    "held": escrow.held.to_string(),
                    "free": escrow.free().to_string(),
                    "openSessions": escrow.open_sessions,
                })
            })
            .collect();
        print(true, &json!({ "payer": owner.address().to_string(), "escrows": listed }), &[]);
        return Ok(());
    }
    if escrows.is_empty() {
        println!("{} has no escrow: agent escrow open", owner.address());
    }
    for (address, escrow) in &escrows {
        let tokens = |units| amount::format(units, escrow.decimals);
        print(
            false,
            &Value::Null,
            &[
                ("escrow", address.to_string()),
                ("mint", escrow.mint.to_string()),
                ("balance", format!("{}, {} of it free", tokens(escrow.balance), tokens(escrow.free()))),
                ("sessions", escrow.open_sessions.to_string()),
            ],
        );
        println!();
    }
    Ok(())
}
