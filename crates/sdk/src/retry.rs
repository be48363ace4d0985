//! Whether and when a step that failed is tried again.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
pub use crate::replay::retry::Jitter;
use crate::replay::retry::{Backoff, delay_seconds};

/// What a step does about an error.
///
/// AWS's default, and ours: 6 attempts, 5 seconds before the second, twice as long before each further one, never more
/// than 60, with full jitter.
///
/// The service waits for 366 days at most: a step that is to be tried again later fails with a `ValidationError`.
///
/// ```
/// # use std::time::Duration;
/// # use everstep::{Jitter, Retry};
/// # #[derive(Debug, thiserror::Error)] #[error("busy")] struct Busy;
/// let patient = Retry::exponential(10).first(Duration::from_secs(1)).factor(1.5).cap(Duration::from_secs(60));
/// let even = Retry::fixed(5, Duration::from_secs(5));
/// let picky = Retry::exponential(3).jitter(Jitter::Half).when(|error| error.is::<Busy>());
/// let own = Retry::custom(|_, attempt| (attempt < 3).then(|| Duration::from_secs(u64::from(attempt))));
/// ```
#[derive(Clone)]
pub struct Retry<'a> {
    plan: Plan<'a>,
    when: Option<Arc<Predicate<'a>>>,
}

type Predicate<'a> = dyn Fn(&Error) -> bool + Send + Sync + 'a;
type Custom<'a> = dyn Fn(&Error, u32) -> Option<Duration> + Send + Sync + 'a;

#[derive(Clone)]
enum Plan<'a> {
    Backoff(Backoff),
    Custom(Arc<Custom<'a>>),
}

impl Default for Retry<'_> {
    fn default() -> Self {
        Self::exponential(6)
    }
}

impl<'a> Retry<'a> {
    /// Never tries again.
    pub fn none() -> Self {
        Self::exponential(1)
    }

    /// Makes `attempts` attempts with the same delay between them, and no jitter.
    pub fn fixed(attempts: u32, delay: Duration) -> Self {
        Self::exponential(attempts).first(delay).factor(1.0).cap(delay).jitter(Jitter::None)
    }

    /// Makes `attempts` attempts: 5 seconds before the second, twice as long before each further one, never more than
    /// 60, with full jitter.
    pub fn exponential(attempts: u32) -> Self {
        Self { plan: Plan::Backoff(Backoff { attempts, ..Backoff::default() }), when: None }
    }

    /// Asks `decide` about each error and the number of the attempt that gave it, from 1: how long to wait before the
    /// next one, or `None` to give up.
    pub fn custom(decide: impl Fn(&Error, u32) -> Option<Duration> + Send + Sync + 'a) -> Self {
        Self { plan: Plan::Custom(Arc::new(decide)), when: None }
    }

    /// Sets the delay before the second attempt.
    #[must_use]
    pub fn first(self, delay: Duration) -> Self {
        self.with(|backoff| backoff.first = delay)
    }

    /// Sets by what the delay grows with each attempt.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        self.with(|backoff| backoff.factor = factor)
    }

    /// Sets what the delay never exceeds.
    #[must_use]
    pub fn cap(self, delay: Duration) -> Self {
        self.with(|backoff| backoff.cap = delay)
    }

    /// Sets how much of the delay is left to chance.
    #[must_use]
    pub fn jitter(self, jitter: Jitter) -> Self {
        self.with(|backoff| backoff.jitter = jitter)
    }

    /// Tries again only if `retryable` says so.
    #[must_use]
    pub fn when(mut self, retryable: impl Fn(&Error) -> bool + Send + Sync + 'a) -> Self {
        self.when = Some(Arc::new(retryable));
        self
    }

    /// Decides what to do about the error of an attempt, from 1: the seconds until the next one, or to give up.
    pub(crate) fn decide(&self, error: &Error, attempt: u32) -> Option<u64> {
        if self.when.as_ref().is_some_and(|retryable| !retryable(error)) {
            return None;
        }
        match &self.plan {
            Plan::Backoff(backoff) => backoff.delay_seconds(attempt, random()),
            Plan::Custom(decide) => decide(error, attempt).map(delay_seconds),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Backoff)) -> Self {
        match &mut self.plan {
            Plan::Backoff(backoff) => set(backoff),
            Plan::Custom(_) => {}
        }
        self
    }
}

impl fmt::Debug for Retry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plan {
            Plan::Backoff(backoff) => backoff.fmt(formatter),
            Plan::Custom(_) => formatter.write_str("Custom"),
        }
    }
}

/// Returns a number from 0 to 1: the hashes of the standard library are seeded at random.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    let fraction = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    fraction
}
