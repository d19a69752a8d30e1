use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;
use solana_sdk::instruction::Instruction;
use x402_escrow_interface::{account::Escrow, address::associated_token, instruction as build};

use super::print;
use crate::{
    amount,
    owner::{Owner, Token},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create the escrow, and put tokens in
    Open {
        #[command(flatten)]
        owner: super::Owner,
        /// What to deposit, in tokens (1.50), out of the owner's token account
        #[arg(long)]
        amount: Option<String>,
        /// Time between the request of a withdrawal and its payout, as 15m, 1h, 2d; at most 30d.
        ///
        /// The longer it is, the more a merchant can rely on the balance before a payment is final.
        #[arg(long, default_value = "15m", value_name = "TIME")]
        withdraw_delay: humantime::Duration,
    },
    /// Put more tokens in
    Deposit {
        #[command(flatten)]
        owner: super::Owner,
        /// In tokens: 1.50
        amount: String,
    },
    /// Show what is in the escrow, what is held, and what is on its way out
    Status {
        #[command(flatten)]
        owner: super::Owner,
    },
    /// Take tokens out: requests the withdrawal, and pays it once its delay has passed
    ///
    /// Run it again when it is due. What is held for merchants stays until it is captured or released.
    Withdraw {
        #[command(flatten)]
        owner: super::Owner,
        /// In tokens: 1.50; everything if not given
        amount: Option<String>,
        /// Take the request back instead
        #[arg(long, conflicts_with = "amount")]
        cancel: bool,
    },
}

pub(super) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Open { owner, amount, withdraw_delay } => {
            open(&owner.connect()?, amount.as_deref(), withdraw_delay.as_secs(), json).await
        }
        Command::Deposit { owner, amount } => deposit(&owner.connect()?, &amount, json).await,
        Command::Status { owner } => status(&owner.connect()?, None, json).await,
        Command::Withdraw { owner, amount, cancel } => {
            withdraw(&owner.connect()?, amount.as_deref(), cancel, json).await
        }
    }
}

async fn open(owner: &Owner, deposit: Option<&str>, delay_seconds: u64, json: bool) -> Result<()> {
    let token = owner.token().await?;
    let amount = deposit.map(|text| amount::parse(text, token.decimals)).transpose()?;
    let delay_seconds = u32::try_from(delay_seconds).context("--withdraw-delay must be at most 30d")?;
    if owner.find_escrow().await?.is_some() {
        bail!("the escrow {} is open already: agent escrow deposit AMOUNT", owner.escrow_address());
    }
    let payer = owner.address();
    let mut instructions = build::open_escrow(&payer, &payer, &owner.mint, &token.program, delay_seconds);
    if let Some(amount) = amount.filter(|amount| *amount > 0) {
        let escrow = planned_escrow(owner, &token);
        instructions.push(deposit_instruction(owner, &escrow, amount).await?);
    }
    let signature = owner.send("Opening the escrow", &instructions).await?;
    status(owner, Some(signature.to_string()), json).await
}

/// The addresses that a deposit needs, before the account that has them exists.
fn planned_escrow(owner: &Owner, token: &Token) -> Escrow {
    Escrow {
        payer: owner.address(),
        mint: owner.mint,
        token_program: token.program,
        vault: associated_token(&owner.escrow_address(), &owner.mint, &token.program),
        rent_payer: owner.address(),
        balance: 0,
        held: 0,
        pending_withdrawal: 0,
        withdrawable_at: 0,
        withdraw_delay_seconds: 0,
        open_sessions: 0,
        decimals: token.decimals,
        bump: 0,
        reserved: [0; 6],
    }
}

async fn deposit_instruction(owner: &Owner, escrow: &Escrow, amount: u64) -> Result<Instruction> {
    let source = owner.token_address(&escrow.token_program);
    let balance = owner.token_balance(&source).await?;
    if balance < amount {
        bail!(
            "the owner's token account {source} has {}, and {} are to be deposited",
            amount::format(balance, escrow.decimals),
            amount::format(amount, escrow.decimals)
        );
    }
    Ok(build::deposit(&owner.address(), &source, &owner.escrow_address(), escrow, amount))
}

async fn deposit(owner: &Owner, text: &str, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let amount = amount::parse(text, escrow.decimals)?;
    let instruction = deposit_instruction(owner, &escrow, amount).await?;
    let signature = owner.send("Depositing", &[instruction]).await?;
    status(owner, Some(signature.to_string()), json).await
}

async fn status(owner: &Owner, transaction: Option<String>, json: bool) -> Result<()> {
    let escrow = owner.escrow().await?;
    let vault = owner.token_balance(&escrow.vault).await?;
    let tokens = |units| amount::format(units, escrow.decimals);
    let uncredited = vault.saturating_sub(escrow.balance);
    let object = json!({
        "escrow": owner.escrow_address().to_string(),
        "payer": escrow.payer.to_string(),
        "mint": escrow.mint.to_string(),
        "vault": escrow.vault.to_string(),
        "balance": escrow.balance.to_string(),
        "held": escrow.held.to_string(),
        "free": escrow.free().to_string(),
        "uncredited": uncredited.to_string(),
        "pendingWithdrawal": escrow.pending_withdrawal.to_string(),
        "withdrawableAt": escrow.withdrawable_at,
        "withdrawDelaySeconds": escrow.withdraw_delay_seconds,
        "openSessions": escrow.open_sessions,
        "decimals": escrow.decimals,
        "transaction": transaction,
    });
    let mut lines = vec![
        ("escrow", owner.escrow_address().to_string()),
        ("balance", tokens(escrow.balance)),
        ("held", tokens(escrow.held)),
        ("free", tokens(escrow.free())),
    ];
    if uncredited > 0 {
        lines.push((
            "uncredited",
            format!("{} arrived by plain transfer; anyone may sync it", tokens(uncredited)),
        ));
    }
    if escrow.pending_withdrawal > 0 {
        let due = format!("{}, due {}", tokens(escrow.pending_withdrawal), due(escrow.withdrawable_at));
        lines.push(("withdrawal", due));
    }
    lines.push(("sessions", escrow.open_sessions.to_string()));
    if let Some(transaction) = transaction {
        lines.push(("transaction", transaction));
    }
    print(json, &object, &lines);
    Ok(())
}

async fn withdraw(owner: &Owner, text: Option<&str>, cancel: bool, json: bool) -> Result<()> {
    let address = owner.escrow_address();
    let escrow = owner.escrow().await?;
    if cancel {
        let instruction = build::cancel_withdrawal(&address, &escrow);
        let signature = owner.send("Taking the withdrawal's request back", &[instruction]).await?;
        return status(owner, Some(signature.to_string()), json).await;
    }
    let wanted = match text {
        Some(text) => amount::parse(text, escrow.decimals)?,
        None => escrow.balance,
    };
    let requested = escrow.pending_withdrawal > 0 && (text.is_none() || escrow.pending_withdrawal == wanted);
    let mut instructions = Vec::new();
    if !requested {
        if wanted == 0 {
            bail!("the escrow is empty: there is nothing to withdraw");
        }
        instructions.push(build::request_withdrawal(&address, &escrow, wanted));
    }
    let payable =
        if requested { escrow.withdrawable_at <= unix_seconds() } else { escrow.withdraw_delay_seconds == 0 };
    if payable {
        let (payer, token_program) = (owner.address(), escrow.token_program);
        instructions.push(build::create_associated_token(&payer, &payer, &owner.mint, &token_program));
        instructions.push(build::withdraw(&address, &escrow, &owner.token_address(&token_program)));
    } else if requested {
        bail!("the withdrawal is due {}: run this again then, or --cancel", due(escrow.withdrawable_at));
    }
    let title = if payable { "Withdrawing" } else { "Requesting the withdrawal" };
    let signature = owner.send(title, &instructions).await?;
    status(owner, Some(signature.to_string()), json).await
}

/// A time, and how far off it is.
fn due(at: i64) -> String {
    let seconds = u64::try_from(at - unix_seconds()).unwrap_or(0);
    match seconds {
        0 => "now".into(),
        _ => format!("in {}", humantime::format_duration(std::time::Duration::from_secs(seconds))),
    }
}

fn unix_seconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
