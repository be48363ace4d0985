//! How long to wait before the next attempt; chance is an argument.

use std::time::Duration;

use crate::limits::RETRY_DELAY_SECONDS_MAX;

/// How much of a delay is left to chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing.
    None,
    /// All of it: anything up to the delay.
    #[default]
    Full,
    /// Half of it: from half the delay up to all of it.
    Half,
}

/// Delays that grow with each attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Backoff {
    /// How many attempts are made in all.
    pub(crate) attempts: u32,
    /// The delay before the second attempt.
    pub(crate) first: Duration,
    /// By what it grows.
    pub(crate) factor: f64,
    /// What it never exceeds.
    pub(crate) cap: Duration,
    /// How much of it is left to chance.
    pub(crate) jitter: Jitter,
}

impl Default for Backoff {
    /// AWS's defaults for steps.
    fn default() -> Self {
        let (first, cap) = (Duration::from_secs(5), Duration::from_secs(60));
        Self { attempts: 6, first, factor: 2.0, cap, jitter: Jitter::Full }
    }
}

impl Backoff {
    /// Returns the whole seconds until the attempt after `attempt`, from 1, or `None` if there is none. `chance` is
    /// from 0 to 1.
    pub(crate) fn delay_seconds(&self, attempt: u32, chance: f64) -> Option<u64> {
        if attempt >= self.attempts {
            return None;
        }
        let growth = self.factor.powi(i32::try_from(attempt - 1).unwrap_or(i32::MAX));
        let delay = (self.first.as_secs_f64() * growth).min(self.cap.as_secs_f64());
        let delay = match self.jitter {
            Jitter::None => delay,
            Jitter::Full => delay * chance,
            Jitter::Half => delay * (0.5 + chance / 2.0),
        };
        Some(delay_seconds(Duration::try_from_secs_f64(delay).unwrap_or(self.cap)))
    }
}

/// Returns a delay as the service takes it: whole seconds, rounded up, at least one.
pub(crate) fn delay_seconds(delay: Duration) -> u64 {
    whole_seconds(delay).max(1)
}

/// Returns why the service does not wait so long for the next attempt, if it does not.
pub(crate) fn too_long(delay_seconds: u64) -> Option<String> {
    (delay_seconds > RETRY_DELAY_SECONDS_MAX).then(|| {
        format!("a delay of {delay_seconds} seconds until the next attempt is longer than {RETRY_DELAY_SECONDS_MAX}")
    })
}

/// Returns whole seconds, rounded up.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_cap_and_end() {
        let check = |backoff: Backoff, chance: f64, expected: &[u64]| {
            let delays: Vec<u64> = (1..).map_while(|attempt| backoff.delay_seconds(attempt, chance)).collect();
            assert_eq!(delays, expected);
        };
        let seconds = Duration::from_secs;
        let default = Backoff::default();
        check(default, 1.0, &[5, 10, 20, 40, 60]);
        check(default, 0.0, &[1, 1, 1, 1, 1]);
        check(Backoff { jitter: Jitter::Half, ..default }, 0.0, &[3, 5, 10, 20, 30]);
        check(Backoff { attempts: 3, first: seconds(2), factor: 3.0, jitter: Jitter::None, ..default }, 0.0, &[2, 6]);
        check(Backoff { attempts: 1, ..default }, 1.0, &[]);
        check(Backoff { attempts: 0, ..default }, 1.0, &[]);
        check(Backoff { attempts: 2, factor: f64::INFINITY, ..default }, 1.0, &[5]);
    }

    #[test]
    fn delays_are_whole_seconds_and_at_least_one() {
        assert_eq!(delay_seconds(Duration::MAX), u64::MAX);
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(delay_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
