//! Durable time: what timers and event timestamps go by. It can be moved forward, never back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everstep_core::Timestamp;
use tokio::sync::Notify;

/// The durable clock: the system's, plus what it was moved by; or one that only moves by hand.
#[derive(Debug)]
pub struct Clock {
    runs: bool,
    /// Milliseconds ahead of the system's clock, or since the epoch if it does not run.
    offset: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// Makes a clock that follows the system's.
    pub fn system() -> Self {
        Self { runs: true, offset: AtomicI64::new(0), moved: Notify::new() }
    }

    /// Makes a clock that is so far ahead of the system's, because it was moved before a restart.
    pub fn ahead_of_system(by: Duration) -> Self {
        let clock = Self::system();
        clock.advance(by);
        clock
    }

    /// Returns how far it was moved ahead of the system's clock.
    pub fn ahead(&self) -> Duration {
        let offset = if self.runs { self.offset.load(Ordering::Acquire) } else { 0 };
        Duration::from_millis(u64::try_from(offset).unwrap_or_default())
    }

    /// Makes a clock that stands at `at` until it is moved.
    pub fn standing(at: Timestamp) -> Self {
        Self { runs: false, offset: AtomicI64::new(at.as_millis()), moved: Notify::new() }
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Acquire);
        let base = if self.runs { system_millis() } else { 0 };
        Timestamp::from_millis(base + offset)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset.fetch_add(millis, Ordering::AcqRel);
        self.moved.notify_waiters();
    }

    /// Waits until the clock shows `at`, or the system's clock was set back: then whoever waits has to think again.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut seen = self.now();
        loop {
            let moved = self.moved.notified();
            let now = self.now();
            let left = at.millis_since(now);
            if left == 0 || now < seen {
                return;
            }
            seen = now;
            if self.runs {
                let _ = tokio::time::timeout(Duration::from_millis(left), moved).await;
            } else {
                moved.await;
            }
        }
    }
}

fn system_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("the system's clock is within a few hundred million years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sleeps_hears_that_the_clock_was_set_back() {
        let clock = Clock::standing(Timestamp::from_millis(10_000));
        let sleep = clock.sleep_until(Timestamp::from_millis(20_000));
        let set_back = async {
            clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
            clock.offset.store(5_000, Ordering::Release);
            clock.moved.notify_waiters();
        };
        let both = async { tokio::join!(sleep, set_back) };
        tokio::time::timeout(Duration::from_secs(60), both).await.expect("it does not sleep on");
        assert_eq!(clock.now(), Timestamp::from_millis(5_000));
    }
}
