//! The time of an invocation's spans: it always goes on, so that what came first is first, whatever the system's clock
//! does and however coarse it is.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::limits::CLOCK_STEP;

/// Tells the time.
pub(crate) type Source = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A clock that never shows the same time twice.
pub(crate) struct Clock {
    source: Source,
    last: Mutex<SystemTime>,
}

impl Clock {
    /// Makes a clock whose times are all later than `start`.
    pub(crate) fn starting_at(start: SystemTime, source: Source) -> Self {
        Self { source, last: Mutex::new(start) }
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> SystemTime {
        let mut last = self.last.lock().expect("nothing panics here");
        *last = (self.source)().max(*last + CLOCK_STEP);
        *last
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn time_goes_on_when_the_clock_stands_still_or_goes_back() {
        let shown = Arc::new(Mutex::new(vec![5, 5, 3, 9_u64]));
        let source = Arc::new(move || UNIX_EPOCH + Duration::from_micros(shown.lock().unwrap().remove(0)));
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_micros(4), source);
        let times = [(); 4].map(|()| clock.now().duration_since(UNIX_EPOCH).unwrap().as_micros());
        assert_eq!(times, [5, 6, 7, 9]);
    }
}
