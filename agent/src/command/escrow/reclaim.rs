use anyhow::Result;
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{account::Escrow, instruction as build, instruction::HoldAccounts};
use x402_escrow_wire::amount;

use crate::{
    chain::OpenHold,
    command::{print, sent_or_shown, terminal::time},
    owner::{Owner, Plan},
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
    let (mut transactions, mut rest) = (Vec::new(), late.as_slice());
    while !rest.is_empty() {
        let instructions = rest.iter().map(|open| instruction(owner, &escrow, open));
        let (plan, fit) = Plan::filled("Reclaiming", instructions, None, &owner.fee_payer().address());
        rest = &rest[fit..];
        match sent_or_shown(owner.carry_out(plan).await?, json) {
            Some(sent) => transactions.push(sent.signature.to_string()),
            None => return Ok(()),
        }
    }
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
