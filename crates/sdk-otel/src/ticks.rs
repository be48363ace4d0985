//! The time of spans: it always goes on, so that what came first is first, whatever the clock does and however coarse it
//! is.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::limits::TICK;

/// Times of which none is given twice.
pub(crate) struct Ticks(Mutex<SystemTime>);

impl Ticks {
    /// Returns the time `now`, or the next one after the last if it is later.
    pub(crate) fn at(&self, now: SystemTime) -> SystemTime {
        let mut last = self.0.lock().expect("nothing panics here");
        *last = now.max(*last + TICK);
        *last
    }
}

impl Default for Ticks {
    fn default() -> Self {
        Self(Mutex::new(UNIX_EPOCH))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_on_when_the_clock_stands_still_or_goes_back() {
        let ticks = Ticks::default();
        let times = [5, 5, 3, 9].map(|micros| {
            let time = ticks.at(UNIX_EPOCH + Duration::from_micros(micros));
            time.duration_since(UNIX_EPOCH).unwrap().as_micros()
        });
        assert_eq!(times, [5, 6, 7, 9]);
    }
}
