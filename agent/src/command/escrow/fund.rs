//! Opens an escrow, moves tokens in and out, and closes it.

use anyhow::Result;
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, VERSION},
    address::associated_token,
    instruction as build,
};
use x402_escrow_wire::amount;

use super::status_after;
use crate::{
    chain::{TOKEN_ACCOUNT_BYTES, Token},
    command::{add_sent, print, sent_or_shown, tokens},
    owner::{Owner, Plan},
    problem::{Code, Problem},
};

pub(super) async fn open(owner: &Owner, deposit: Option<&str>, json: bool) -> Result<()> {
    let token = owner.chain.token(&owner.mint).await?;
    let amount = deposit.map(|text| tokens("--amount", text, token.decimals)).transpose()?;
    let address = owner.escrow_address();
    if owner.chain.exists(&address).await? {
        let message = format!("the escrow {address} is open already");
        return Err(Problem::new(Code::EscrowExists, message)
            .of("--mint")
            .remedy("put tokens in with agent escrow deposit AMOUNT")
            .into());
    }
    let (rent_payer, payer) = (owner.fee_payer().address(), owner.address());
    let escrow = planned_escrow(owner, &token);
    let mut instructions =
        build::open_escrow(&owner.program, &rent_payer, &payer, &owner.mint, &token.program);
    if let Some(amount) = amount.filter(|amount| *amount > 0) {
        instructions.extend(deposit_instructions(owner, &escrow, amount).await?);
    }
    let mut plan = Plan::new("Opening the escrow", instructions).making(Escrow::ACCOUNT_BYTES);
    // A stranger may have made the vault before.
    if !owner.chain.exists(&escrow.vault).await? {
        plan = plan.making(TOKEN_ACCOUNT_BYTES);
    }
    status_after(owner, owner.carry_out(plan).await?, json).await
}

/// The addresses that a deposit needs, before the account that has them exists.
fn planned_escrow(owner: &Owner, token: &Token) -> Escrow {
    Escrow {
        version: VERSION,
        bump: 0,
        decimals: token.decimals,
        padding: 0,
        open_sessions: 0,
        payer: owner.address(),
        mint: owner.mint,
        token_program: token.program,
        vault: associated_token(&owner.escrow_address(), &owner.mint, &token.program),
        rent_payer: owner.fee_payer().address(),
        guardian: Address::default(),
        balance: 0,
        held: 0,
        revoked_before_slot: 0,
        spare: [0; 64],
    }
}

/// A deposit, which also credits what arrived by plain transfer.
async fn deposit_instructions(owner: &Owner, escrow: &Escrow, amount: u64) -> Result<[Instruction; 2]> {
    let source = owner.token_address(&escrow.token_program);
    let balance = owner.chain.token_balance(&source).await?;
    if balance.unwrap_or(0) < amount {
        let has = match balance {
            Some(balance) => format!("has {}", amount::format(balance, escrow.decimals)),
            None => "does not exist".into(),
        };
        let wanted = amount::format(amount, escrow.decimals);
        let message = format!("the owner's token account {source} {has}, and the deposit is {wanted}");
        return Err(Problem::new(Code::InsufficientFunds, message)
            .of("--amount")
            .remedy(format!(
                "send tokens of {} to {}, or to the vault {} and then run agent escrow sync",
                owner.mint,
                owner.address(),
                escrow.vault
            ))
            .into());
    }
    let (program, address) = (&owner.program, owner.escrow_address());
    Ok([
        build::deposit(program, &owner.address(), &source, &address, escrow, amount),
        build::sync(program, &address, escrow),
    ])
}

pub(super) async fn deposit(owner: &Owner, text: &str, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let amount = tokens("AMOUNT", text, escrow.decimals)?;
    if amount == 0 {
        return Err(Problem::argument("AMOUNT", "is 0")
            .remedy("credit what arrived by plain transfer with agent escrow sync")
            .into());
    }
    let instructions = deposit_instructions(owner, &escrow, amount).await?;
    let carried = owner.carry_out(Plan::new("Depositing", instructions.into())).await?;
    status_after(owner, carried, json).await
}

pub(super) async fn sync(owner: &Owner, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let instruction = build::sync(&owner.program, &owner.escrow_address(), &escrow);
    let carried = owner.carry_out(Plan::new("Crediting plain transfers", vec![instruction])).await?;
    status_after(owner, carried, json).await
}

pub(super) async fn withdraw(owner: &Owner, text: Option<&str>, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let shown = |units| amount::format(units, escrow.decimals);
    let amount = text.map(|text| tokens("AMOUNT", text, escrow.decimals)).transpose()?;
    let free = escrow.free();
    if free == 0 || amount.is_some_and(|amount| amount > free) {
        let message = format!(
            "{} of {} are free, and {} are held until they are captured or released",
            shown(free),
            shown(escrow.balance),
            shown(escrow.held)
        );
        return Err(Problem::new(Code::InsufficientFunds, message)
            .of("AMOUNT")
            .remedy("withdraw at most what is free; agent session list shows the holds and their deadlines")
            .into());
    }
    let (plan, destination) = paying_out("Withdrawing", owner, &escrow).await?;
    let withdraw = build::withdraw(&owner.program, &owner.escrow_address(), &escrow, &destination, amount);
    let carried = owner.carry_out(plan(withdraw)).await?;
    status_after(owner, carried, json).await
}

pub(super) async fn close(owner: &Owner, json: bool) -> Result<()> {
    let (address, escrow) = (owner.escrow_address(), owner.escrow().await?);
    if escrow.open_sessions > 0 {
        let message = format!("the escrow {address} has {} sessions", escrow.open_sessions);
        return Err(Problem::new(Code::EscrowHasSessions, message)
            .remedy("close them with agent session close --all, which names what prevents it; then close the escrow")
            .into());
    }
    let returned = owner.chain.token_balance(&escrow.vault).await?.unwrap_or(0);
    let (plan, destination) = paying_out("Closing the escrow", owner, &escrow).await?;
    let close = build::close_escrow(&owner.program, &address, &escrow, &destination);
    let Some(sent) = sent_or_shown(owner.carry_out(plan(close)).await?, json) else { return Ok(()) };
    let mut object =
        json!({ "escrow": address.to_string(), "state": "closed", "returned": returned.to_string() });
    let returned = amount::format(returned, escrow.decimals);
    let mut lines = vec![
        ("escrow", format!("{address} is closed")),
        ("returned", format!("{returned} to {destination}")),
    ];
    add_sent(&mut object, &mut lines, &sent);
    print(json, &object, &lines);
    Ok(())
}

/// A plan that makes the owner's token account, unless it exists, before it pays there; and that account.
async fn paying_out(
    title: &'static str,
    owner: &Owner,
    escrow: &Escrow,
) -> Result<(impl FnOnce(Instruction) -> Plan, Address)> {
    let token_program = escrow.token_program;
    let rent_payer = owner.fee_payer().address();
    let create = build::create_associated_token(&rent_payer, &owner.address(), &owner.mint, &token_program);
    let destination = owner.token_address(&token_program);
    let is_there = owner.chain.exists(&destination).await?;
    let plan = move |instruction| match is_there {
        true => Plan::new(title, vec![instruction]),
        false => Plan::new(title, vec![create, instruction]).making(TOKEN_ACCOUNT_BYTES),
    };
    Ok((plan, destination))
}
