//! Figures: one number each, with its unit.

use std::time::Duration;

use serde::Serialize;

use crate::aims::{self, Verdict};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Things a second.
    #[serde(rename = "/s")]
    PerSecond,
    /// Microseconds.
    #[serde(rename = "µs")]
    Micros,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Bytes.
    #[serde(rename = "B")]
    Bytes,
    /// 1024 × 1024 bytes.
    #[serde(rename = "MiB")]
    Mebibytes,
    /// Nothing: a ratio or a count.
    #[serde(rename = "")]
    Plain,
}

/// One number.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// By which the aims find it; it stays the same from run to run.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
    /// What it should be, and whether it is.
    pub verdict: Option<Verdict>,
}

/// The figures of one measure.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    /// The figures, in the order in which they were found.
    pub figures: Vec<Figure>,
    /// What must be said to them.
    pub notes: Vec<String>,
}

impl Figures {
    /// Adds a figure, and looks up its aim.
    pub fn add(&mut self, id: impl Into<String>, title: impl Into<String>, value: f64, unit: Unit) {
        let (id, title) = (id.into(), title.into());
        let verdict = aims::verdict(&id, value, &self.figures);
        self.figures.push(Figure { id, title, value, unit, verdict });
    }

    /// Adds median and 99th percentile of durations.
    pub fn add_latency(&mut self, id: &str, title: &str, taken: &Distribution) {
        for percent in [50, 99] {
            let millis = taken.percentile(percent).as_secs_f64() * 1e3;
            self.add(format!("{id}/p{percent}"), format!("{title}, p{percent}"), millis, Unit::Millis);
        }
    }

    /// Says something to the figures.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// Durations, sorted.
#[derive(Debug)]
pub struct Distribution(Vec<Duration>);

impl Distribution {
    /// Sorts durations.
    ///
    /// # Panics
    /// If there are none: whoever measures has measured something.
    pub fn of(mut taken: Vec<Duration>) -> Self {
        assert!(!taken.is_empty(), "nothing was measured");
        taken.sort_unstable();
        Self(taken)
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the smallest that so many in a hundred do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let taken = |count: u64| Distribution::of((1..=count).rev().map(Duration::from_millis).collect());
        for (count, percent, expected) in
            [(1, 50, 1), (1, 99, 1), (2, 50, 1), (100, 50, 50), (100, 99, 99), (200, 99, 198)]
        {
            assert_eq!(taken(count).percentile(percent), Duration::from_millis(expected), "{percent} of {count}");
        }
    }
}
