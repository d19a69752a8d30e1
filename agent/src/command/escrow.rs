mod status;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{
    Address,
    account::{Escrow, VERSION},
    address::associated_token,
    instruction as build,
};
use x402_escrow_wire::{amount, text::Key};

use super::print;
use crate::{chain::Token, owner::Owner};
use status::status;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create the escrow, and put tokens in
    Open {
        #[command(flatten)]
        owner: super::Owner,
        /// What to deposit, in tokens (1.50), out of the owner's token account
        #[arg(long)]
        amount: Option<String>,
    },
    /// Put more tokens in
    Deposit {
        #[command(flatten)]
        owner: super::Owner,
        /// In tokens: 1.50
        amount: String,
    },
    /// Show what is in the escrow, and what of it is held
    Status {
        #[command(flatten)]
        owner: super::Owner,
    },
    /// Take free tokens out, at once
    ///
    /// What is held for merchants stays until it is captured or released.
    Withdraw {
        #[command(flatten)]
        owner: super::Owner,
        /// In tokens: 1.50; all that is free if not given
        amount: Option<String>,
    },
    /// Close an escrow without sessions: all its tokens and its rent go back
    Close {
        #[command(flatten)]
        owner: super::Owner,
    },
    /// Name a key that can stop sessions, as the owner can, and do nothing else
    #[command(subcommand)]
    Guardian(Guardian),
}

#[derive(Subcommand)]
pub(super) enum Guardian {
    /// Name the guardian, in place of the one before
    Set(SetGuardian),
    /// Have none
    Remove {
        #[command(flatten)]
        owner: super::Owner,
    },
}

#[derive(Args)]
pub(super) struct SetGuardian {
    #[command(flatten)]
    owner: super::Owner,
    /// The guardian's public key
    address: Key,
}

pub(super) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Open { owner, amount } => open(&owner.connect().await?, amount.as_deref(), json).await,
        Command::Deposit { owner, amount } => deposit(&owner.connect().await?, &amount, json).await,
        Command::Status { owner } => status(&owner.connect().await?, None, json).await,
        Command::Withdraw { owner, amount } => {
            withdraw(&owner.connect().await?, amount.as_deref(), json).await
        }
        Command::Close { owner } => close(&owner.connect().await?, json).await,
        Command::Guardian(Guardian::Set(SetGuardian { owner, address })) => {
            set_guardian(&owner.connect().await?, &address.into(), json).await
        }
        Command::Guardian(Guardian::Remove { owner }) => {
            set_guardian(&owner.connect().await?, &Address::default(), json).await
        }
    }
}

async fn open(owner: &Owner, deposit: Option<&str>, json: bool) -> Result<()> {
    let token = owner.chain.token(&owner.mint).await?;
    let amount = deposit.map(|text| amount::parse(text, token.decimals)).transpose()?;
    if owner.chain.escrow(&owner.escrow_address()).await?.is_some() {
        bail!("the escrow {} is open already: agent escrow deposit AMOUNT", owner.escrow_address());
    }
    let payer = owner.address();
    let mut instructions = build::open_escrow(&owner.program, &payer, &payer, &owner.mint, &token.program);
    if let Some(amount) = amount.filter(|amount| *amount > 0) {
        let escrow = planned_escrow(owner, &token);
        instructions.push(deposit_instruction(owner, &escrow, amount).await?);
    }
    let signature = owner.send("Opening the escrow", &instructions).await?;
    status(owner, Some(signature), json).await
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
        rent_payer: owner.address(),
        guardian: Address::default(),
        balance: 0,
        held: 0,
        revoked_before_slot: 0,
        spare: [0; 64],
    }
}

async fn deposit_instruction(owner: &Owner, escrow: &Escrow, amount: u64) -> Result<Instruction> {
    let source = owner.token_address(&escrow.token_program);
    let balance = owner.chain.token_balance(&source).await?;
    if balance < amount {
        bail!(
            "the owner's token account {source} has {}, and {} are to be deposited",
            amount::format(balance, escrow.decimals),
            amount::format(amount, escrow.decimals)
        );
    }
    let (program, address) = (&owner.program, owner.escrow_address());
    Ok(build::deposit(program, &owner.address(), &source, &address, escrow, amount))
}

async fn deposit(owner: &Owner, text: &str, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let amount = amount::parse(text, escrow.decimals)?;
    let instruction = deposit_instruction(owner, &escrow, amount).await?;
    let signature = owner.send("Depositing", &[instruction]).await?;
    status(owner, Some(signature), json).await
}

async fn withdraw(owner: &Owner, text: Option<&str>, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let tokens = |units| amount::format(units, escrow.decimals);
    let amount = text.map(|text| amount::parse(text, escrow.decimals)).transpose()?;
    let free = escrow.free();
    if free == 0 || amount.is_some_and(|amount| amount > free) {
        bail!(
            "{} of {} are free, and {} are held until they are captured or released: withdraw at most what is free",
            tokens(free),
            tokens(escrow.balance),
            tokens(escrow.held)
        );
    }
    let (create, destination) = own_token_account(owner, &escrow);
    let withdraw = build::withdraw(&owner.program, &owner.escrow_address(), &escrow, &destination, amount);
    let signature = owner.send("Withdrawing", &[create, withdraw]).await?;
    status(owner, Some(signature), json).await
}

async fn close(owner: &Owner, json: bool) -> Result<()> {
    let (address, escrow) = (owner.escrow_address(), owner.escrow().await?);
    if escrow.open_sessions > 0 {
        bail!(
            "the escrow {address} has {} sessions: close each with agent session close, then the escrow",
            escrow.open_sessions
        );
    }
    let returned = owner.chain.token_balance(&escrow.vault).await?;
    let (create, destination) = own_token_account(owner, &escrow);
    let close = build::close_escrow(&owner.program, &address, &escrow, &destination);
    let signature = owner.send("Closing the escrow", &[create, close]).await?.to_string();
    let object = json!({
        "escrow": address.to_string(),
        "state": "closed",
        "returned": returned.to_string(),
        "transaction": signature,
    });
    let returned = amount::format(returned, escrow.decimals);
    print(
        json,
        &object,
        &[
            ("escrow", format!("{address} is closed")),
            ("returned", format!("{returned} to {destination}")),
            ("transaction", signature),
        ],
    );
    Ok(())
}

/// The owner's token account, and the instruction that creates it unless it exists.
fn own_token_account(owner: &Owner, escrow: &Escrow) -> (Instruction, Address) {
    let (payer, token_program) = (owner.address(), escrow.token_program);
    let create = build::create_associated_token(&payer, &payer, &owner.mint, &token_program);
    (create, owner.token_address(&token_program))
}

async fn set_guardian(owner: &Owner, guardian: &Address, json: bool) -> Result<()> {
    owner.escrow().await?;
    let instruction =
        build::set_guardian(&owner.program, &owner.address(), &owner.escrow_address(), guardian);
    let title = if *guardian == Address::default() { "Removing the guardian" } else { "Naming the guardian" };
    let signature = owner.send(title, &[instruction]).await?;
    status(owner, Some(signature), json).await
}
