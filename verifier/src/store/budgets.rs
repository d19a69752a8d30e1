//! Budgets of lamports, out of which processes take slices.

use sqlx::AnyConnection;
use x402_escrow_domain::budget::{Budget, Kind, Lease, Owner, Period, Slice};
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::text::{Hex32, Key};

use super::{Store, StoreError, row};

impl Store {
    /// Takes slices out of their budgets. Returns how much was granted of each, in lamports: 0 where a budget has less left
    /// than is of use.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lease(&self, leases: &[Lease]) -> Result<Vec<u64>, StoreError> {
        let mut transaction = self.begin_write().await?;
        let mut granted = Vec::with_capacity(leases.len());
        for lease in leases {
            granted.push(take(&mut transaction, lease).await?);
        }
        transaction.commit().await?;
        Ok(granted)
    }

    /// Gives back what is left of slices, and forgets budgets whose period was over by `now`, unix seconds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn give_back(&self, slices: &[Slice], now: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin_write().await?;
        for slice in slices.iter().filter(|slice| slice.lamports > 0 && slice.ends_at > now) {
            put_back(&mut transaction, slice).await?;
        }
        sqlx::query("DELETE FROM budgets WHERE ends_at <= $1").bind(now).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// How much is given out of a budget in the period that ends at `ends_at` (unix seconds), in lamports.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn given_out(&self, budget: &Budget, ends_at: i64) -> Result<u64, StoreError> {
        leased(&mut *self.pool.acquire().await?, budget, ends_at).await
    }
}

/// Puts the rent of a payment back into its budgets if `operation_id` is its authorization, which came to nothing.
pub(super) async fn free_rent_of(
    connection: &mut AnyConnection,
    operation_id: i64,
) -> Result<(), StoreError> {
    let authorization = sqlx::query("SELECT payment_id FROM operations WHERE id = $1 AND kind = 'authorize'")
        .bind(operation_id)
        .fetch_optional(&mut *connection)
        .await?;
    match authorization {
        Some(row) => free_rent(connection, &row::parse::<Hex32>(&row, "payment_id")?.0).await,
        None => Ok(()),
    }
}

/// Puts the rent that a payment locked back into its budgets, as far as their periods are not over: nothing is held any
/// more. It was charged when the authorization was accepted, for the last time.
pub(super) async fn free_rent(connection: &mut AnyConnection, payment_id: &Digest) -> Result<(), StoreError> {
    let id = Hex32(*payment_id).to_string();
    let locked = sqlx::query(
        "SELECT payer, receiver, operations.accepted_at, locked_rent
         FROM payments JOIN operations ON payment_id = payments.id AND kind = 'authorize'
         WHERE payments.id = $1 AND locked_rent > 0",
    )
    .bind(&id)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(locked) = locked else { return Ok(()) };
    let address = |column| row::parse::<Key>(&locked, column).map(Address::from);
    let owners = [Owner::Payer(address("payer")?), Owner::Receiver(address("receiver")?), Owner::Overall];
    let (accepted_at, lamports) = (row::get(&locked, "accepted_at")?, row::get_u64(&locked, "locked_rent")?);
    for owner in owners {
        for period in Period::ALL {
            let budget = Budget { kind: Kind::Rent, owner, period };
            put_back(connection, &Slice { budget, ends_at: period.end(accepted_at), lamports }).await?;
        }
    }
    sqlx::query("UPDATE payments SET locked_rent = 0 WHERE id = $1").bind(&id).execute(connection).await?;
    Ok(())
}

async fn leased(connection: &mut AnyConnection, budget: &Budget, ends_at: i64) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT leased FROM budgets WHERE kind = $1 AND owner = $2 AND address = $3 AND period = $4 AND ends_at = $5",
    )
    .bind(budget.kind.as_str())
    .bind(budget.owner.as_str())
    .bind(address(&budget.owner))
    .bind(budget.period.as_str())
    .bind(ends_at)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map_or(Ok(0), |row| row::get_u64(row, "leased"))
}

/// One statement decides and takes, so that processes that ask at the same time can't take the same.
async fn take(connection: &mut AnyConnection, lease: &Lease) -> Result<u64, StoreError> {
    let Slice { budget, ends_at, lamports } = lease.wanted;
    let left = lease.limit.saturating_sub(leased(connection, &budget, ends_at).await?);
    let granted = lamports.min(left);
    if granted < lease.at_least {
        return Ok(0);
    }
    let taken = sqlx::query(
        "INSERT INTO budgets (kind, owner, address, period, ends_at, leased) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, owner, address, period, ends_at)
         DO UPDATE SET leased = budgets.leased + excluded.leased WHERE budgets.leased + excluded.leased <= $7",
    )
    .bind(budget.kind.as_str())
    .bind(budget.owner.as_str())
    .bind(address(&budget.owner))
    .bind(budget.period.as_str())
    .bind(ends_at)
    .bind(row::integer("leased", granted)?)
    .bind(row::integer("leased", lease.limit)?)
    .execute(connection)
    .await?;
    Ok(if taken.rows_affected() == 1 { granted } else { 0 })
}

async fn put_back(connection: &mut AnyConnection, slice: &Slice) -> Result<(), StoreError> {
    let Slice { budget, ends_at, lamports } = slice;
    sqlx::query(
        "UPDATE budgets SET leased = CASE WHEN leased > $1 THEN leased - $1 ELSE 0 END
         WHERE kind = $2 AND owner = $3 AND address = $4 AND period = $5 AND ends_at = $6",
    )
    .bind(row::integer("leased", *lamports)?)
    .bind(budget.kind.as_str())
    .bind(budget.owner.as_str())
    .bind(address(&budget.owner))
    .bind(budget.period.as_str())
    .bind(ends_at)
    .execute(connection)
    .await?;
    Ok(())
}

fn address(owner: &Owner) -> String {
    owner.address().map(|address| address.to_string()).unwrap_or_default()
}
