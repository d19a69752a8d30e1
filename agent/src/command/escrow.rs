mod fund;
mod guardian;
mod list;
pub(super) mod reclaim;
mod status;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::history::{self, History};
use crate::owner::{Carried, Owner};
use status::status;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create the escrow, and put tokens in
    Open {
        #[command(flatten)]
        sender: super::Sender,
        /// What to deposit, in tokens (1.50), out of the owner's token account
        #[arg(long)]
        amount: Option<String>,
    },
    /// Show all escrows of the owner
    List {
        #[command(flatten)]
        owner: super::Owner,
    },
    /// Show the escrow's balance, the held part, and the vault for plain transfers
    #[command(visible_alias = "show")]
    Status {
        #[command(flatten)]
        owner: super::Owner,
    },
    /// Put more tokens in, and credit what arrived by plain transfer
    Deposit {
        #[command(flatten)]
        sender: super::Sender,
        /// In tokens: 1.50
        amount: String,
    },
    /// Credit what arrived at the vault by plain transfer
    Sync {
        #[command(flatten)]
        sender: super::Sender,
    },
    /// Take free tokens out, at once
    ///
    /// What is held for merchants stays until it is captured or released.
    Withdraw {
        #[command(flatten)]
        sender: super::Sender,
        /// In tokens: 1.50 [default: all that is free]
        amount: Option<String>,
    },
    /// Take back what merchants did not capture in time, from all sessions
    Reclaim {
        #[command(flatten)]
        sender: super::Sender,
    },
    /// Close an escrow without sessions: all its tokens and its rent go back
    Close {
        #[command(flatten)]
        sender: super::Sender,
    },
    /// Name a key that can stop sessions, as the owner can, and do nothing else
    #[command(subcommand)]
    Guardian(guardian::Command),
    /// Show what happened to the escrow, from the chain
    History(EscrowHistory),
}

#[derive(Args)]
pub(super) struct EscrowHistory {
    #[command(flatten)]
    owner: super::Owner,
    #[command(flatten)]
    history: History,
}

pub(super) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Open { sender, amount } => {
            fund::open(&sender.connect().await?, amount.as_deref(), json).await
        }
        Command::List { owner } => list::list(&owner.connect().await?, json).await,
        Command::Status { owner } => status(&owner.connect().await?, None, json).await,
        Command::Deposit { sender, amount } => fund::deposit(&sender.connect().await?, &amount, json).await,
        Command::Sync { sender } => fund::sync(&sender.connect().await?, json).await,
        Command::Withdraw { sender, amount } => {
            fund::withdraw(&sender.connect().await?, amount.as_deref(), json).await
        }
        Command::Reclaim { sender } => reclaim::reclaim(&sender.connect().await?, json).await,
        Command::Close { sender } => fund::close(&sender.connect().await?, json).await,
        Command::Guardian(command) => guardian::run(command, json).await,
        Command::History(EscrowHistory { owner, history }) => {
            let owner = owner.connect().await?;
            let escrow = owner.escrow().await?;
            history::show(&owner, &owner.escrow_address(), escrow.decimals, history, json).await
        }
    }
}

/// Prints the escrow after what was sent, or what was not sent.
async fn status_after(owner: &Owner, carried: Carried, json: bool) -> Result<()> {
    match super::sent_or_shown(carried, json) {
        Some(sent) => status(owner, Some(sent), json).await,
        None => Ok(()),
    }
}
