//! What the figures should be on a machine with two cores: one table.

use serde::Serialize;

use crate::figure::Figure;

/// Where an aim lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

/// Under which circumstances an aim holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Always,
    /// A bare flush of the same run takes less than [`FAST_FLUSH_MILLIS`].
    FastDisk,
    /// A bare flush of the same run takes [`SLOW_FLUSH_MILLIS`] or more.
    SlowDisk,
}

/// A disk that flushes faster than this is a fast one, in milliseconds.
const FAST_FLUSH_MILLIS: f64 = 0.5;

/// A disk that takes this long to flush is a slow one, in milliseconds.
const SLOW_FLUSH_MILLIS: f64 = 2.0;

/// The figure that tells how fast the disk is.
pub const BARE_FLUSH: &str = "checkpoints/64/bare-flush";

/// Every aim, by the id of its figure.
const AIMS: &[(&str, When, Aim)] = &[
    ("checkpoints/64/rate", When::Always, Aim::AtLeast(7_500.0)),
    ("checkpoints/64/cpu", When::Always, Aim::AtMost(130.0)),
    ("checkpoints/1/flushes", When::Always, Aim::AtMost(1.05)),
    ("checkpoints/64/flushes", When::FastDisk, Aim::AtMost(0.5)),
    ("checkpoints/64/flushes", When::SlowDisk, Aim::AtMost(0.1)),
    ("checkpoints/64/written", When::FastDisk, Aim::AtMost(6.0 * 1024.0)),
    ("checkpoints/64/written", When::SlowDisk, Aim::AtMost(3.0 * 1024.0)),
    ("workflows/javascript/ratio", When::Always, Aim::AtLeast(0.75)),
    ("workflows/python/ratio", When::Always, Aim::AtLeast(0.9)),
    ("rust/64/rate", When::Always, Aim::AtLeast(7_500.0)),
    ("rust/64/cpu", When::Always, Aim::AtMost(130.0)),
    ("rust/ratio/default", When::Always, Aim::AtLeast(4.0)),
    ("rust/ratio/2", When::Always, Aim::AtLeast(2.0)),
    ("rust/ratio/p50", When::Always, Aim::AtMost(0.5)),
    ("memory/idle", When::Always, Aim::AtMost(30.0)),
    ("memory/sleeper/10000", When::Always, Aim::AtMost(400.0)),
    ("memory/sleeper/100000", When::Always, Aim::AtMost(400.0)),
    ("startup/empty/p50", When::Always, Aim::AtMost(100.0)),
    ("startup/100000/p50", When::Always, Aim::AtMost(1_000.0)),
    ("lateness/user-code/p50", When::Always, Aim::AtMost(20.0)),
    ("lateness/user-code/p99", When::Always, Aim::AtMost(100.0)),
    ("lateness/succeeded/p50", When::Always, Aim::AtMost(20.0)),
    ("lateness/succeeded/p99", When::Always, Aim::AtMost(100.0)),
    ("history/ratio/cpu", When::Always, Aim::AtMost(1.3)),
    ("history/ratio/p50", When::Always, Aim::AtMost(1.3)),
    ("deploy/80/seconds", When::Always, Aim::AtMost(20.0)),
    ("deploy/again/memory-growth", When::Always, Aim::AtMost(0.1)),
    ("deploy/again/disk-growth", When::Always, Aim::AtMost(0.02)),
];

/// An aim, and whether it is met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The aim.
    pub aim: Aim,
    /// Whether the figure keeps to it.
    pub met: bool,
}

/// Returns how a figure stands to its aim, if it has one; `others` tell how fast the disk is.
pub fn verdict(id: &str, value: f64, others: &[Figure]) -> Option<Verdict> {
    let flush = others.iter().find(|figure| figure.id == BARE_FLUSH).map(|figure| figure.value);
    let holds = |when: &When| match when {
        When::Always => true,
        When::FastDisk => flush.is_some_and(|millis| millis < FAST_FLUSH_MILLIS),
        When::SlowDisk => flush.is_some_and(|millis| millis >= SLOW_FLUSH_MILLIS),
    };
    let (.., aim) = AIMS.iter().find(|(figure, when, _)| *figure == id && holds(when))?;
    let met = match aim {
        Aim::AtMost(limit) => value <= *limit,
        Aim::AtLeast(limit) => value >= *limit,
    };
    Some(Verdict { aim: *aim, met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[track_caller]
    fn check(id: &str, value: f64, flush_millis: f64, expected: Option<bool>) {
        let flush = Figure {
            id: BARE_FLUSH.into(),
            title: String::new(),
            value: flush_millis,
            unit: Unit::Millis,
            verdict: None,
        };
        assert_eq!(verdict(id, value, &[flush]).map(|verdict| verdict.met), expected, "{id} {value} {flush_millis}");
    }

    #[test]
    fn aims_are_met_up_to_their_limit() {
        check("checkpoints/64/cpu", 130.0, 1.0, Some(true));
        check("checkpoints/64/cpu", 130.1, 1.0, Some(false));
        check("checkpoints/64/rate", 7_500.0, 1.0, Some(true));
        check("checkpoints/64/rate", 7_499.0, 1.0, Some(false));
        check("checkpoints/16/rate", 1.0, 1.0, None);
    }

    #[test]
    fn what_is_asked_of_a_commit_depends_on_the_disk() {
        check("checkpoints/64/flushes", 0.4, 0.4, Some(true));
        check("checkpoints/64/flushes", 0.4, 1.0, None);
        check("checkpoints/64/flushes", 0.4, 2.0, Some(false));
    }
}
