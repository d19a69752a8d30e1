//! What is sold, as servers declare it: offered by a payment, and listed once that is paid.

use sqlx::AnyConnection;
use x402_escrow_domain::discovery::Offer;
use x402_escrow_interface::{Address, message::Digest};
use x402_escrow_wire::{bazaar::DiscoveryResource, text::Hex32};

use super::{Store, StoreError, row};

/// For how long an offer waits for its payment before another takes its place, in seconds.
const OFFER_SECONDS: i64 = 86_400;

/// Those that are wanted: paid for since $1, of the kind $2, the receiver $3 and the scheme $4, where these are not empty.
macro_rules! wanted {
    () => {
        "FROM resources WHERE listed_at >= $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR receiver = $3)
         AND ($4 = '' OR scheme = $4)"
    };
}

/// Which of the resources are wanted. `None` for any.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `http` or `mcp`.
    pub kind: Option<String>,
    /// Who is paid.
    pub receiver: Option<Address>,
    /// By which scheme.
    pub scheme: Option<String>,
    /// Paid for at or after this, unix seconds.
    pub since: i64,
}

/// How many resources there may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Of one receiver.
    pub per_receiver: u64,
    /// Of all.
    pub overall: u64,
}

/// An offer whose payment is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The resource.
    pub key: Hex32,
    /// The payment.
    pub payment: Hex32,
}

impl Store {
    /// Keeps an offer at `now` (unix seconds) until its payment is made, unless another waits or there is no room.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn offer_resource(
        &self,
        offer: &Offer,
        payment: &Digest,
        room: Room,
        now: i64,
    ) -> Result<(), StoreError> {
        let (key, entry) = (Hex32(offer.key).to_string(), serde_json::json!(offer.resource).to_string());
        let mut transaction = self.begin_write().await?;
        let is_known = sqlx::query("SELECT 1 FROM resources WHERE key = $1")
            .bind(&key)
            .fetch_optional(&mut *transaction)
            .await?
            .is_some();
        if is_known {
            sqlx::query(
                "UPDATE resources SET offered = $1, offered_by = $2, offered_at = $3
                 WHERE key = $4 AND (offered_at IS NULL OR offered_at < $5)",
            )
            .bind(entry)
            .bind(Hex32(*payment).to_string())
            .bind(now)
            .bind(key)
            .bind(now.saturating_sub(OFFER_SECONDS))
            .execute(&mut *transaction)
            .await?;
        } else if has_room(&mut transaction, &offer.receiver, room).await? {
            sqlx::query(
                "INSERT INTO resources (key, receiver, kind, scheme, offered, offered_by, offered_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(key)
            .bind(offer.receiver.to_string())
            .bind(offer.kind)
            .bind(&offer.scheme)
            .bind(entry)
            .bind(Hex32(*payment).to_string())
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// At most `count` offers after `after`, by their keys.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn offered_resources(
        &self,
        after: Option<&Hex32>,
        count: u32,
    ) -> Result<Vec<Offered>, StoreError> {
        let rows = sqlx::query(
            "SELECT key, offered_by FROM resources WHERE offered IS NOT NULL AND key > $1 ORDER BY key LIMIT $2",
        )
        .bind(after.map(Hex32::to_string).unwrap_or_default())
        .bind(i64::from(count))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        let offered =
            |found| Ok(Offered { key: row::parse(found, "key")?, payment: row::parse(found, "offered_by")? });
        rows.iter().map(offered).collect()
    }

    /// Lists at `now` (unix seconds) what was `paid` for, and forgets what was `not_paid`.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn decide_offers(
        &self,
        paid: &[Offered],
        not_paid: &[Offered],
        now: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        for Offered { key, payment } in paid {
            sqlx::query(
                "UPDATE resources SET entry = offered, listed_at = $1, offered = NULL, offered_by = NULL, offered_at = NULL
                 WHERE key = $2 AND offered_by = $3",
            )
            .bind(now)
            .bind(key.to_string())
            .bind(payment.to_string())
            .execute(&mut *transaction)
            .await?;
        }
        for Offered { key, payment } in not_paid {
            sqlx::query(
                "UPDATE resources SET offered = NULL, offered_by = NULL, offered_at = NULL
                 WHERE key = $1 AND offered_by = $2",
            )
            .bind(key.to_string())
            .bind(payment.to_string())
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets what nobody has paid for since `since`, unix seconds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_resources(&self, since: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin_leader_write().await?;
        sqlx::query("DELETE FROM resources WHERE offered IS NULL AND (listed_at IS NULL OR listed_at < $1)")
            .bind(since)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// At most `limit` listed resources after `offset` of those that are wanted, the one that was paid for last first, each with
    /// when that was (unix seconds); and how many there are.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn resources(
        &self,
        wanted: &Wanted,
        limit: u32,
        offset: u32,
    ) -> Result<(Vec<(DiscoveryResource, i64)>, u64), StoreError> {
        let receiver = wanted.receiver.map(|receiver| receiver.to_string()).unwrap_or_default();
        let (kind, scheme) =
            (wanted.kind.clone().unwrap_or_default(), wanted.scheme.clone().unwrap_or_default());
        let mut connection = self.pool.acquire().await?;
        let counted = sqlx::query(concat!("SELECT count(*) AS total ", wanted!()))
            .bind(wanted.since)
            .bind(&kind)
            .bind(&receiver)
            .bind(&scheme)
            .fetch_one(&mut *connection)
            .await?;
        let page = concat!(
            "SELECT entry, listed_at ",
            wanted!(),
            " ORDER BY listed_at DESC, key LIMIT $5 OFFSET $6"
        );
        let rows = sqlx::query(page)
            .bind(wanted.since)
            .bind(&kind)
            .bind(&receiver)
            .bind(&scheme)
            .bind(i64::from(limit))
            .bind(i64::from(offset))
            .fetch_all(&mut *connection)
            .await?;
        let mut resources = Vec::new();
        for found in &rows {
            let read = serde_json::from_str(row::get::<&str>(found, "entry")?);
            let resource = read.map_err(|error| row::unreadable("entry", error.to_string()))?;
            resources.push((resource, row::get(found, "listed_at")?));
        }
        Ok((resources, row::get_u64(&counted, "total")?))
    }
}

async fn has_room(
    connection: &mut AnyConnection,
    receiver: &Address,
    room: Room,
) -> Result<bool, StoreError> {
    let count = sqlx::query(
        "SELECT count(*) AS overall, (SELECT count(*) FROM resources WHERE receiver = $1) AS of_receiver FROM resources",
    )
    .bind(receiver.to_string())
    .fetch_one(connection)
    .await?;
    Ok(row::get_u64(&count, "overall")? < room.overall
        && row::get_u64(&count, "of_receiver")? < room.per_receiver)
}
