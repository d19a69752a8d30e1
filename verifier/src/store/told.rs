//! Takes the yes of a transfer, which one caller is told. All callers that ask while a commit is being made durable share
//! the next.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use tokio::sync::oneshot;
use x402_escrow_interface::message::Digest;
use x402_escrow_wire::text::Hex32;

use super::{
    Store, StoreError,
    many::{Statements, batches, statements},
    row,
};

/// A transfer whose yes somebody waits for.
pub(super) type ToTell = (Digest, oneshot::Sender<Result<bool, StoreError>>);

static TELL: LazyLock<Statements> = LazyLock::new(|| {
    statements::<1>(|places| {
        format!("UPDATE payments SET told = 1 WHERE id IN ({places}) AND told = 0 RETURNING id")
    })
});

impl Store {
    /// Takes the one yes that a transfer has. Returns whether it was still there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tell_transfer(&self, id: &Digest) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        if self.to_tell.push((*id, answer)) {
            // A task of its own: a client that hangs up must not take those with it that are told together.
            let store = self.clone();
            tokio::spawn(async move { store.tell_all().await });
        }
        answered.await.unwrap_or(Err(StoreError::Left))
    }

    async fn tell_all(&self) {
        let turn = self.turns.wait_for_all().await;
        let mut waiting = self.to_tell.take_all();
        // Who has hung up would never hear its yes: it is kept for who asks next.
        waiting.retain(|(_, answer)| !answer.is_closed());
        if waiting.is_empty() {
            return;
        }
        let (ids, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let told = async {
            let mut transaction = turn.begin(&self.database, &self.pool).await?;
            let mut told = HashSet::with_capacity(ids.len());
            for (text, ids) in batches(&TELL, &ids) {
                let query = ids.fold(sqlx::query(text), |query, id| query.bind(Hex32(*id).to_string()));
                for row in &query.fetch_all(&mut *transaction).await? {
                    told.insert(row::parse::<Hex32>(row, "id")?.0);
                }
            }
            transaction.commit().await?;
            Ok::<_, StoreError>(told)
        };
        let mut told = told.await.map_err(Arc::new);
        for (id, answer) in ids.iter().zip(answers) {
            // Of several who ask for one transfer, the first has it.
            _ = answer.send(match &mut told {
                Ok(told) => Ok(told.remove(id)),
                Err(error) => Err(StoreError::Together(Arc::clone(error))),
            });
        }
    }
}
