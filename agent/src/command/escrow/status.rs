use anyhow::Result;
use serde_json::json;
use x402_escrow_interface::Address;
use x402_escrow_wire::amount;

use crate::{
    chain::Sent,
    command::{add_sent, print},
    owner::Owner,
};

/// Prints what is in the escrow, after a transaction if there was one.
pub(super) async fn status(owner: &Owner, sent: Option<Sent>, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let vault = owner.chain.token_balance(&escrow.vault).await?.unwrap_or(0);
    let tokens = |units| amount::format(units, escrow.decimals);
    let uncredited = vault.saturating_sub(escrow.balance);
    let guardian = (escrow.guardian != Address::default()).then(|| escrow.guardian.to_string());
    let mut object = json!({
        "escrow": owner.escrow_address().to_string(),
        "program": owner.program.to_string(),
        "payer": escrow.payer.to_string(),
        "mint": escrow.mint.to_string(),
        "vault": escrow.vault.to_string(),
        "balance": escrow.balance.to_string(),
        "held": escrow.held.to_string(),
        "free": escrow.free().to_string(),
        "uncredited": uncredited.to_string(),
        "openSessions": escrow.open_sessions,
        "guardian": guardian,
        "revokedBeforeSlot": escrow.revoked_before_slot,
        "decimals": escrow.decimals,
        "transaction": null,
    });
    let mut lines = vec![
        ("escrow", owner.escrow_address().to_string()),
        ("balance", tokens(escrow.balance)),
        ("held", tokens(escrow.held)),
        ("free", tokens(escrow.free())),
        ("vault", format!("{}: plain transfers of {} go here", escrow.vault, escrow.mint)),
    ];
    if uncredited > 0 {
        lines.push((
            "uncredited",
            format!("{} arrived by plain transfer: agent escrow sync credits them", tokens(uncredited)),
        ));
    }
    lines.push(("sessions", escrow.open_sessions.to_string()));
    if escrow.revoked_before_slot > 0 {
        lines.push(("revoked", format!("all sessions opened before slot {}", escrow.revoked_before_slot)));
    }
    lines.extend(guardian.map(|guardian| ("guardian", guardian)));
    if let Some(sent) = sent {
        add_sent(&mut object, &mut lines, &sent);
    }
    print(json, &object, &lines);
    Ok(())
}
