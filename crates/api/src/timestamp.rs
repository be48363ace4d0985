//! Points in time on the wire.

use everstep_core::Timestamp;
use serde::Serialize;

/// How a document writes timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Integer epoch milliseconds: the event that a handler gets.
    Millis,
    /// Epoch seconds with a fraction: the REST API.
    Seconds,
}

/// A timestamp as a document writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum WireTime {
    /// Integer epoch milliseconds.
    Millis(i64),
    /// Epoch seconds with a fraction.
    Seconds(f64),
}

impl TimeFormat {
    /// Writes a timestamp.
    pub fn write(self, at: Timestamp) -> WireTime {
        match self {
            Self::Millis => WireTime::Millis(at.as_millis()),
            Self::Seconds => WireTime::Seconds(seconds(at)),
        }
    }
}

/// Returns epoch seconds with a fraction.
pub fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1000.0
}

/// Reads a timestamp of a query string: ISO 8601 or epoch seconds.
pub fn parse(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then(|| Timestamp::from_millis((seconds * 1000.0).round() as i64));
    }
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_millis(at.as_millisecond()))
}

/// Writes a timestamp as ISO 8601 with milliseconds, as function configurations show it.
pub fn iso(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(at) => format!("{}+0000", at.strftime("%Y-%m-%dT%H:%M:%S%.3f")),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_timestamps_are_iso_or_seconds() {
        for (text, expected) in [
            ("2025-12-01T00:00:00Z", Some(1_764_547_200_000)),
            ("1764547200.5", Some(1_764_547_200_500)),
            ("yesterday", None),
        ] {
            assert_eq!(parse(text).map(Timestamp::as_millis), expected, "{text}");
        }
    }

    #[test]
    fn milliseconds_survive_as_seconds() {
        assert_eq!(
            serde_json::to_string(&seconds(Timestamp::from_millis(1_767_225_600_123))).unwrap(),
            "1767225600.123"
        );
    }
}
