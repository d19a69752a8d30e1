use anyhow::Result;
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{account::Escrow, instruction as build, instruction::HoldAccounts};
use x402_escrow_wire::amount;

use crate::{
    chain::OpenHold,
    command::{carry_out_all, print, terminal::time},
    owner::Owner,
};

/// Gives back what nobody captured before its deadline, in as few transactions as can be.
pub(super) async fn reclaim(owner: &Owner, json: bool) -> Result<()> {
    let (escrow, now) = (owner.escrow().await?, owner.chain.now().await?);
    let mut holds = Vec::new();
    for (address, session) in owner.chain.sessions_of(&owner.program, &owner.escrow_address()).await? {
        if session.open_holds > 0 {
            holds.extend(owner.chain.holds_of(&owner.program, &address).await?);
        }
    }
    let (late, early): (Vec<_>, Vec<_>) =
        holds.into_iter().partition(|open| now > open.hold.capture_deadline);
    let instructions: Vec<_> = late.iter().map(|open| instruction(owner, &escrow, open)).collect();
    let Some(transactions) = carry_out_all(owner, "Reclaiming", &instructions, json).await? else {
        return Ok(());
    };
    let reclaimed: u64 = late.iter().map(|open| open.hold.held()).sum();
    let next = early.iter().map(|open| open.hold.capture_deadline).min();
    let object = json!({
        "reclaimed": reclaimed.to_string(),
        "holds": late.len(),
        "stillHeld": early.iter().map(|open| open.hold.held()).sum::<u64>().to_string(),
        "nextDeadline": next,
        "transactions": transactions,
    });
    let reclaimed = amount::format(reclaimed, escrow.decimals);
    let mut lines = vec![("reclaimed", format!("{reclaimed} of {} holds", late.len()))];
    lines.extend(
        next.map(|next| ("still held", format!("{} holds, the next until {}", early.len(), time(next)))),
    );
    lines.extend(transactions.into_iter().map(|transaction| ("transaction", transaction)));
    print(json, &object, &lines);
    Ok(())
}

/// Ends a hold after its deadline.
pub(in crate::command) fn instruction(owner: &Owner, escrow: &Escrow, open: &OpenHold) -> Instruction {
    build::reclaim(HoldAccounts {
        program: owner.program,
        escrow_address: owner.escrow_address(),
        escrow,
        hold_address: open.address,
        hold: &open.hold,
    })
}
