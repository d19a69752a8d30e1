use anyhow::Result;
use clap::Subcommand;
use x402_escrow_interface::{Address, instruction as build};
use x402_escrow_wire::text::Key;

use super::status_after;
use crate::{
    command::Sender,
    owner::{Owner, Plan},
};

#[derive(Subcommand)]
pub(in crate::command) enum Command {
    /// Set or replace the guardian
    Set {
        #[command(flatten)]
        sender: Sender,
        /// The guardian's public key
        address: Key,
    },
    /// Remove the guardian
    Remove {
        #[command(flatten)]
        sender: Sender,
    },
}

pub(super) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Set { sender, address } => set(&sender.connect().await?, &address.into(), json).await,
        Command::Remove { sender } => set(&sender.connect().await?, &Address::default(), json).await,
    }
}

async fn set(owner: &Owner, guardian: &Address, json: bool) -> Result<()> {
    owner.escrow().await?;
    let instruction =
        build::set_guardian(&owner.program, &owner.address(), &owner.escrow_address(), guardian);
    let title = if *guardian == Address::default() { "Removing the guardian" } else { "Naming the guardian" };
    let carried = owner.carry_out(Plan::new(title, vec![instruction])).await?;
    status_after(owner, carried, json).await
}
