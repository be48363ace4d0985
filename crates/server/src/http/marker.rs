//! Markers: where a list goes on, opaque to callers, good for a day.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everstep_core::Timestamp;
use everstep_core::limits::MARKER_SECONDS_MAX;

use super::error::Error;

/// Writes a marker for `position`.
pub fn seal(position: &str, now: Timestamp) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{position}", now.as_millis()))
}

/// Reads the position of a marker.
///
/// # Errors
/// `Invalid Marker` if it is garbled or too old.
pub fn open(marker: &str, now: Timestamp) -> Result<String, Error> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok()?;
        let (at, position) = text.split_once('/')?;
        let at = Timestamp::from_millis(at.parse().ok()?);
        (now.millis_since(at) <= MARKER_SECONDS_MAX * 1000).then(|| position.to_string())
    };
    read().ok_or_else(|| Error::invalid_parameter("Invalid Marker"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_good_for_a_day() {
        let written = Timestamp::from_millis(1_000);
        let marker = seal("5", written);
        let day = written.plus_seconds(MARKER_SECONDS_MAX);
        assert_eq!(open(&marker, day), Ok("5".into()));
        assert!(open(&marker, day.plus_millis(1)).is_err());
        assert!(open("nonsense", written).is_err());
    }
}
