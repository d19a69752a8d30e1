//! The store, seen and changed from outside.

use std::time::Duration;

use x402_escrow_wire::text::Hex32;

use super::World;

impl World {
    /// Writes a copy of the store, as `docs/operations.md` says, while the verifier runs.
    pub(crate) async fn back_up(&self, to: &std::path::Path) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path("verifier.sqlite"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("VACUUM INTO ?").bind(to.to_str().unwrap()).execute(&pool).await.unwrap();
        pool.close().await;
    }
    /// Everything that a request could have changed: balances, which transactions were sent, and the number of rows in the store.
    pub(crate) async fn everything(&self) -> (u64, u64, u64, usize, [i64; 4]) {
        let escrow = self.escrow_account();
        let sent = self.cluster.distinct_sent();
        (escrow.balance, escrow.held, self.received(), sent, self.rows().await)
    }

    /// Number of payments, operations, transactions and nonces in the store.
    pub(crate) async fn rows(&self) -> [i64; 4] {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let mut rows = [0; 4];
        let queries = [
            "SELECT count(*) FROM payments",
            "SELECT count(*) FROM operations",
            "SELECT count(*) FROM transactions",
            "SELECT count(*) FROM nonces",
        ];
        for (count, query) in rows.iter_mut().zip(queries) {
            *count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        }
        pool.close().await;
        rows
    }

    /// Number of payments of the scheme `exact` in the store.
    pub(crate) async fn exact_rows(&self) -> i64 {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let count = sqlx::query_scalar("SELECT count(*) FROM exact_payments").fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Waits until the store has that many of each.
    pub(crate) async fn until_rows(&self, wanted: [i64; 4]) {
        while self.rows().await != wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes a state into the store that the verifier doesn't know.
    pub(crate) async fn spoil_state(&self, id: Hex32, state: &str) {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE operations SET state = ? WHERE payment_id = ?")
            .bind(state)
            .bind(id.to_string())
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }

    /// Makes every operation look as if it had been accepted earlier.
    pub(crate) async fn backdate_operations(&self, seconds: i64) {
        let path = self.directory.path().join("verifier.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE operations SET accepted_at = accepted_at - ?")
            .bind(seconds)
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    }
}
