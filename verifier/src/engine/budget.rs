//! Charges what a payment will cost at most when it is accepted, before anything is signed or sent. What follows from an
//! accepted payment is never refused for its cost.

use std::sync::{PoisonError, atomic::Ordering};

use x402_escrow_domain::{
    budget::{
        self, Budget, Cost, Kind, Ledger, Limits, Owner, Period, UsedUp, Verdict, capture, failed, hold,
        refund, revocation, transfer,
    },
    payment::Payment,
    priority_fee,
};
use x402_escrow_interface::{
    Address,
    message::{Intent, PaymentFlow},
};

use crate::{
    chain::{ChainError, facts},
    engine::{app::App, not_accepted::NotAccepted},
    store::StoreError,
};

/// Each round asks the store for what was missing then; others can spend it in between, though not for ever.
const ROUNDS: usize = 8;

/// A charge. It stays unless it is taken back: whoever breaks off leaves nothing that was accepted uncharged.
#[derive(Debug)]
pub struct Charge {
    charges: Vec<(Budget, u64)>,
    /// When, unix seconds.
    at: i64,
    /// Rent that is locked, in lamports.
    pub rent_lamports: u64,
}

impl Charge {
    /// What it was for was not accepted.
    pub fn take_back(self, app: &App) {
        ledger(app, |ledger| ledger.take_back(&self.charges, self.at, app.now()));
    }
}

/// Charges a payment that is to be held, or paid at once.
///
/// # Errors
/// If a budget is used up, or the store failed.
pub async fn charge_intent(app: &App, intent: &Intent, payer: Address) -> Result<Charge, NotAccepted> {
    let price = *app.settings.compute_unit_prices_micro_lamports.end();
    let cost = match intent.flow {
        PaymentFlow::Escrow => hold(price, hold_rent(app).await?),
        PaymentFlow::Authorization => budget::charge(price),
    };
    charge(app, &[Owner::Payer(payer), Owner::Receiver(intent.receiver), Owner::Overall], cost).await
}

/// Charges a client's transfer that offers so much priority fee, in lamports.
///
/// # Errors
/// If a budget is used up, or the store failed.
pub async fn charge_transfer(
    app: &App,
    payer: Address,
    receiver: Address,
    priority_fee_lamports: u64,
) -> Result<Charge, NotAccepted> {
    let owners = [Owner::Payer(payer), Owner::Receiver(receiver), Owner::Overall];
    charge(app, &owners, transfer(priority_fee_lamports)).await
}

/// Charges a refund, which only its receiver asks for.
///
/// # Errors
/// If a budget is used up, or the store failed.
pub async fn charge_refund(app: &App, receiver: Address) -> Result<Charge, NotAccepted> {
    let cost = refund(priority_fee::fixed_price(&app.settings.compute_unit_prices_micro_lamports));
    charge(app, &[Owner::Receiver(receiver), Owner::Overall], cost).await
}

/// Charges a revocation that is relayed for these: a payer, or nobody in particular.
///
/// # Errors
/// If a budget is used up, or the store failed.
pub async fn charge_revocation(app: &App, payer: Option<Address>) -> Result<Charge, NotAccepted> {
    let cost = revocation(*app.settings.compute_unit_prices_micro_lamports.end());
    let owners: Vec<Owner> = payer.map(Owner::Payer).into_iter().chain([Owner::Overall]).collect();
    charge(app, &owners, cost).await
}

/// Charges an operation on a hold besides the one that was charged with it. It was accepted whatever it costs: where a
/// budget is used up, only new payments are refused.
pub async fn charge_more(app: &App, payment: &Payment) {
    let cost = capture(*app.settings.compute_unit_prices_micro_lamports.end());
    let owners = [Owner::Payer(payment.payer), Owner::Receiver(payment.receiver), Owner::Overall];
    charge_besides(app, &owners, cost).await;
}

/// Charges a payment for a transaction that carried others too and failed for it: not its payer where that `is_of_receiver`.
pub async fn charge_failed(app: &App, payment: &Payment, transaction: &[u8], is_of_receiver: bool) {
    let payer = (!is_of_receiver).then_some(Owner::Payer(payment.payer));
    let others = [Owner::Receiver(payment.receiver), Owner::Overall];
    let owners: Vec<Owner> = payer.into_iter().chain(others).collect();
    charge_besides(app, &owners, failed(transaction)).await;
}

async fn charge_besides(app: &App, owners: &[Owner], cost: Cost) {
    if let Err(reason) = try_charge(app, owners, cost).await {
        tracing::debug!(%reason, "an operation is not charged");
    }
}

async fn charge(app: &App, owners: &[Owner], cost: Cost) -> Result<Charge, NotAccepted> {
    let charge = try_charge(app, owners, cost).await;
    if let Err(NotAccepted::UsedUp(used_up)) = &charge {
        app.metrics.count_used_up(&used_up.budget);
    }
    charge
}

async fn try_charge(app: &App, owners: &[Owner], cost: Cost) -> Result<Charge, NotAccepted> {
    let charges = app.settings.budgets.charges(owners, cost);
    let mut leasing = None;
    let mut missing = None;
    for _ in 0..ROUNDS {
        let at = app.now();
        let leases = match ledger(app, |ledger| ledger.charge(&charges, at)) {
            Verdict::Charged => return Ok(Charge { charges, at, rent_lamports: cost.rent }),
            Verdict::UsedUp(used_up) => return Err(NotAccepted::UsedUp(used_up)),
            Verdict::Lease(leases) => leases,
        };
        // One slice at a time: many that come at once would each take one.
        if leasing.is_none() {
            leasing = Some(app.leasing.lock().await);
            continue;
        }
        missing = leases.first().map(|lease| lease.wanted.budget);
        let granted = app.store.lease(&leases).await?;
        ledger(app, |ledger| {
            for (lease, granted) in leases.iter().zip(granted) {
                ledger.add(lease, granted, at);
            }
        });
    }
    // Others were faster each time, so there is something left.
    let budget = missing.unwrap_or(Budget { kind: Kind::Fees, owner: Owner::Overall, period: Period::Hour });
    Err(NotAccepted::UsedUp(UsedUp { budget, retry_after_seconds: 1 }))
}

/// The rent of a hold, in lamports: 0 while there is no budget of rent.
///
/// # Errors
/// If the node doesn't answer.
async fn hold_rent(app: &App) -> Result<u64, ChainError> {
    if app.settings.budgets.rent == Limits::default() {
        return Ok(0);
    }
    match app.hold_rent.load(Ordering::Relaxed) {
        0 => read_hold_rent(app).await,
        known => Ok(known),
    }
}

/// Reads the rent of a hold, which changes rarely, in lamports.
///
/// # Errors
/// If the node doesn't answer.
pub async fn read_hold_rent(app: &App) -> Result<u64, ChainError> {
    let rent = facts::hold_rent(app.chain.as_ref()).await?;
    app.hold_rent.store(rent, Ordering::Relaxed);
    Ok(rent)
}

/// Gives back slices that nobody used for a while.
///
/// # Errors
/// If the store failed: they are lost for the rest of their periods.
pub async fn give_back_idle(app: &App) -> Result<(), StoreError> {
    let now = app.now();
    let idle = ledger(app, |ledger| ledger.remove_idle(now));
    if idle.is_empty() { Ok(()) } else { app.store.give_back(&idle, now).await }
}

/// Gives back all slices: the process ends.
///
/// # Errors
/// If the store failed: they are lost for the rest of their periods.
pub async fn give_back_all(app: &App) -> Result<(), StoreError> {
    let now = app.now();
    let slices = ledger(app, Ledger::remove_all);
    app.store.give_back(&slices, now).await
}

/// How much of a budget of everybody's is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub budget: Budget,
    /// All of it, in lamports.
    pub limit: u64,
    /// What is left, in lamports, without what other processes have and did not spend.
    pub lamports: u64,
}

impl Left {
    /// Whether that is so little that somebody should know.
    pub fn is_little(&self) -> bool {
        self.lamports < self.limit / 5
    }
}

/// What is left of everybody's budgets.
///
/// # Errors
/// If the store failed.
pub async fn left(app: &App) -> Result<Vec<Left>, StoreError> {
    let now = app.now();
    let mut found = Vec::new();
    for kind in Kind::ALL {
        for period in Period::ALL {
            let budget = Budget { kind, owner: Owner::Overall, period };
            let Some(limit) = app.settings.budgets.limit(&budget) else { continue };
            let given_out = app.store.given_out(&budget, period.end(now)).await?;
            let own = ledger(app, |ledger| ledger.left(&budget, now));
            let lamports = limit.saturating_sub(given_out).saturating_add(own);
            found.push(Left { budget, limit, lamports });
        }
    }
    Ok(found)
}

fn ledger<T>(app: &App, work: impl FnOnce(&mut Ledger) -> T) -> T {
    work(&mut app.ledger.lock().unwrap_or_else(PoisonError::into_inner))
}
