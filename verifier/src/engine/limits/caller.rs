//! Who asks, and the place in which it is worked on.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A client whose request is worked on. The place is free again once all clones are dropped.
#[derive(Clone, Debug)]
pub struct Caller {
    client: IpAddr,
    place: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Caller {
    pub(super) fn at(client: IpAddr, place: OwnedSemaphorePermit) -> Self {
        Self { client, place: Arc::new(Mutex::new(Some(place))) }
    }

    /// The client's address, or its network.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// Leaves the place to others while `waiting`: a place is for work.
    pub(super) async fn aside<T>(&self, places: &Arc<Semaphore>, waiting: impl Future<Output = T>) -> T {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let had_place = place.is_some();
        drop(place);
        let outcome = waiting.await;
        // Those who wait here go before those who are new.
        if had_place && let Ok(place) = Arc::clone(places).acquire_owned().await {
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        }
        outcome
    }
}
