//! The durable clock of a server: how far it was moved is kept in the catalog, because durable time never goes back.
//!
//! Only a server that was told so lets its clock be moved. One that was not still keeps what an earlier start moved.

use std::sync::Arc;
use std::time::Duration;

use everstep_engine::Clock;
use everstep_store::{Catalog, Error as StoreError, Kind};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::limits::CLOCK_AHEAD_MAX;

/// The key of the one document.
const KEY: &str = "durable";

/// A clock that outlives its server.
pub struct KeptClock {
    clock: Arc<Clock>,
    catalog: Arc<dyn Catalog>,
    movable: bool,
    /// Held by who moves the clock.
    moving: Mutex<()>,
}

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// The server was not told that it may.
    #[error("the clock of this server is not to be moved")]
    Fixed,
    /// It would be too far ahead.
    #[error("the clock would be too far ahead")]
    TooFar,
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Document {
    ahead_millis: u64,
}

impl KeptClock {
    /// Reads how far the clock was moved before.
    ///
    /// # Errors
    /// The store's, also if it holds something that cannot be read.
    pub async fn open(catalog: Arc<dyn Catalog>, movable: bool) -> Result<Self, StoreError> {
        let ahead = match catalog.get(Kind::Clock, KEY).await? {
            None => Duration::ZERO,
            Some(document) => {
                let Document { ahead_millis } =
                    serde_json::from_str(&document.body).map_err(|error| StoreError::Failed {
                        context: "the clock in the store cannot be read: restore it from a backup".into(),
                        source: Some(error.into()),
                    })?;
                Duration::from_millis(ahead_millis)
            }
        };
        Ok(Self { clock: Arc::new(Clock::ahead_of_system(ahead)), catalog, movable, moving: Mutex::new(()) })
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Tells whether it may be moved.
    pub fn is_movable(&self) -> bool {
        self.movable
    }

    /// Moves the clock forward. It is on disk before anything sees the new time.
    ///
    /// # Errors
    /// [`NotMoved`]; then the clock shows what it did.
    pub async fn advance(&self, by: Duration) -> Result<(), NotMoved> {
        if !self.movable {
            return Err(NotMoved::Fixed);
        }
        let _turn = self.moving.lock().await;
        let ahead = self.clock.ahead().checked_add(by).filter(|ahead| *ahead <= CLOCK_AHEAD_MAX);
        let ahead = ahead.ok_or(NotMoved::TooFar)?;
        let document = Document { ahead_millis: u64::try_from(ahead.as_millis()).expect("it is below the limit") };
        let body = serde_json::to_string(&document).expect("numbers serialise");
        // Looked up anew: a request that was cut off may have written without anybody's knowing.
        let seen = self.catalog.get(Kind::Clock, KEY).await?.map(|document| document.revision);
        self.catalog.put(Kind::Clock, KEY, seen, body).await?;
        self.clock.advance(by);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[tokio::test]
    async fn moved_clock_survives_a_restart_even_if_it_may_not_be_moved_any_more() {
        let catalog = Arc::new(Memory::new());
        let day = Duration::from_secs(86_400);
        let clock = KeptClock::open(catalog.clone(), true).await.unwrap();
        clock.advance(day).await.unwrap();
        clock.advance(day).await.unwrap();
        let again = KeptClock::open(catalog, false).await.unwrap();
        assert_eq!(again.clock().ahead(), 2 * day);
        assert!(matches!(again.advance(day).await, Err(NotMoved::Fixed)));
        assert_eq!(again.clock().ahead(), 2 * day);
    }

    #[tokio::test]
    async fn clock_goes_up_to_the_limit_and_not_past_it() {
        let clock = KeptClock::open(Arc::new(Memory::new()), true).await.unwrap();
        let past = CLOCK_AHEAD_MAX + Duration::from_millis(1);
        for by in [past, Duration::MAX] {
            assert!(matches!(clock.advance(by).await, Err(NotMoved::TooFar)));
        }
        assert_eq!(clock.clock().ahead(), Duration::ZERO);
        clock.advance(CLOCK_AHEAD_MAX).await.unwrap();
        assert!(matches!(clock.advance(Duration::from_millis(1)).await, Err(NotMoved::TooFar)));
    }

    #[tokio::test]
    async fn clock_that_cannot_be_read_is_an_error() {
        let catalog = Arc::new(Memory::new());
        catalog.put(Kind::Clock, KEY, None, "{}".into()).await.unwrap();
        assert!(KeptClock::open(catalog, true).await.is_err());
    }
}
