//! Keeps the lookup tables of the leader's transactions: makes, extends and closes them, and says which can be used. A
//! table is on disk before anything is sent that makes it; what is in it is read from final blocks.

use std::{collections::HashSet, convert::Infallible, sync::Arc};

use tokio::time::sleep;
use x402_escrow_domain::{
    advance::EXPIRY_MARGIN_BLOCKS,
    facts::RENT_ID,
    lookup_tables::{Change, ChangeKind, OwnTable, Plan, Situation, TableRent, TableState, plan},
    priority_fee::{self, Urgency},
    transaction::Terms,
};
use x402_escrow_wire::{auth_capture::Commitment, text::Base58};

use crate::{
    chain::{ChainError, SendError, views::Views},
    engine::{app::App, submit::SubmitError},
};

/// A change that was sent. Lost in a crash, it is decided again.
struct UnderWay {
    change: Change,
    transaction: Vec<u8>,
    last_valid_block_height: u64,
}

/// Keeps the tables as they should be, for ever.
pub async fn run(app: Arc<App>) -> Infallible {
    let mut under_way = Vec::new();
    loop {
        match tend(&app, &mut under_way).await {
            Ok(0) if app.settings.lookup_tables == 0 => return std::future::pending().await,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "can't look after the lookup tables"),
        }
        sleep(app.settings.review_interval).await;
    }
}

/// Looks at all tables once, and does what is to be done. Returns how many there are.
async fn tend(app: &App, under_way: &mut Vec<UnderWay>) -> Result<usize, SubmitError> {
    let own = app.store.lookup_tables().await?;
    let mut maximum = if app.cluster.takes_version_1() { 0 } else { app.settings.lookup_tables };
    let traffic = app.tables.traffic();
    if own.is_empty() && (maximum == 0 || traffic.worth_adding(&HashSet::new()).is_empty()) {
        // Another leader may have closed what this one used.
        app.tables.use_only(Vec::new());
        return Ok(0);
    }
    let seen = Seen::read(app, own).await?;
    under_way.retain(|sent| {
        let mut tables = seen.tables.iter();
        let table = tables.find(|(own, _)| own.address == sent.change.table);
        let is_over = seen.block_height > sent.last_valid_block_height.saturating_add(EXPIRY_MARGIN_BLOCKS);
        table.is_some_and(|(_, state)| !is_over && !sent.change.is_done(state.as_ref()))
    });
    for sent in under_way.iter() {
        if let Err(error) = app.chain.send(&sent.transaction, false).await {
            tracing::debug!(%error, "repetition not sent");
        }
    }
    let least_lamports = app.settings.minimum_fee_payer_lamports;
    if seen.lamports.is_some_and(|lamports| lamports < least_lamports) {
        // Their rent is needed.
        maximum = 0;
    }
    let changes: Vec<_> = under_way.iter().map(|sent| sent.change.clone()).collect();
    let rules = &app.rules;
    let keys = [&[rules.fee_payer][..], &rules.former_fee_payers.retiring[..]].concat();
    let Plan { usable, forget, changes } = plan(&Situation {
        tables: &seen.tables,
        under_way: &changes,
        traffic: &traffic,
        fee_payer: rules.fee_payer,
        keys: &keys,
        maximum,
        now: app.now(),
        slot: seen.slot,
        block_height: seen.block_height,
        // As much again is left for holds.
        lamports_to_spare: seen.lamports.unwrap_or(0).saturating_sub(least_lamports.saturating_mul(2)),
        rent: seen.rent,
    });
    // Before anything is sent that ends one of the others.
    app.tables.use_only(usable);
    for address in &forget {
        app.store.forget_lookup_table(address).await?;
        tracing::info!(table = %Base58(address.to_bytes()), "the lookup table is gone");
    }
    for change in changes {
        under_way.extend(send(app, change).await?);
    }
    Ok(seen.tables.len())
}

/// Signs and sends a change. None if it failed: it is decided again.
async fn send(app: &App, change: Change) -> Result<Option<UnderWay>, SubmitError> {
    let Some(authority) = app.fee_payer_with(&change.authority) else { return Ok(None) };
    let blockhash = app.chain.blockhash().await?;
    let recent = app.recent.prices(app.chain.as_ref()).await.ok();
    let prices = &app.settings.compute_unit_prices_micro_lamports;
    let terms = Terms {
        fee_payer: &app.fee_payer,
        compute_unit_price_micro_lamports: priority_fee::price(recent, prices, Urgency::Usual),
        blockhash,
    };
    let signed = change.sign(terms, authority)?;
    let last_valid_block_height = blockhash.last_valid_block_height;
    if let ChangeKind::Create { .. } = change.kind {
        let table = OwnTable {
            address: change.table,
            authority: change.authority,
            created_at: app.now(),
            last_valid_block_height,
        };
        app.store.add_lookup_table(&table).await?;
    }
    let (name, table) = (change.name(), Base58(change.table.to_bytes()));
    let sent = UnderWay { change, transaction: signed.bytes, last_valid_block_height };
    match app.chain.send(&sent.transaction, true).await {
        Ok(()) => {
            let signature = Base58(signed.signature);
            tracing::info!(change = name, %table, %signature, "lookup table");
        }
        Err(SendError::Unknown(error)) => {
            tracing::warn!(change = name, %table, %error, "not known whether the lookup table's transaction was sent");
        }
        // Where slots are skipped, a table can be closed later than it seems.
        Err(SendError::Simulation(error)) if sent.change.kind == ChangeKind::Close => {
            tracing::debug!(%table, %error, "the lookup table can't be closed yet");
            return Ok(None);
        }
        Err(SendError::Simulation(error)) => {
            // Of several nodes one that did not answer may have sent it: a new table stays known until it can't come.
            tracing::warn!(change = name, %table, %error, "a lookup table's simulation failed");
            return Ok(None);
        }
    }
    Ok(Some(sent))
}

/// What final blocks have.
struct Seen {
    tables: Vec<(OwnTable, Option<TableState>)>,
    slot: u64,
    /// At most the height of the block in that slot.
    block_height: u64,
    /// What the fee payer has, if the nodes agree.
    lamports: Option<u64>,
    rent: TableRent,
}

impl Seen {
    async fn read(app: &App, own: Vec<OwnTable>) -> Result<Self, ChainError> {
        let tip = app.chain.tip().await?;
        let first = [RENT_ID, app.rules.fee_payer];
        let addresses: Vec<_> = first.into_iter().chain(own.iter().map(|table| table.address)).collect();
        let views = Views::read(app.chain.as_ref(), &addresses, Commitment::Finalized).await?;
        let (slot, (rent, states)) = views.agreed(|accounts| {
            let rent = accounts.first().and_then(|account| TableRent::read(account.as_ref()?));
            let tables = accounts.iter().skip(first.len());
            let state = |account: &Option<_>| account.as_ref().and_then(TableState::read);
            (rent, tables.map(state).collect::<Vec<_>>())
        })?;
        let lamports = views.reached(|accounts| {
            let lamports = accounts.get(1)?.as_ref().map_or(0, |account| account.lamports);
            Some(i64::try_from(lamports).unwrap_or(i64::MAX))
        });
        Ok(Self {
            tables: own.into_iter().zip(states).collect(),
            slot,
            // Between the two are no more blocks than slots.
            block_height: tip.block_height.saturating_sub(tip.slot.saturating_sub(slot)),
            lamports: lamports.and_then(|lamports| u64::try_from(lamports).ok()),
            rent: rent
                .ok_or_else(|| ChainError::answer("getMultipleAccounts", "the rent sysvar is missing"))?,
        })
    }
}
