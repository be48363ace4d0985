//! How people write lengths of time and points in time on a command line.

use std::time::Duration;

use anyhow::{Context, bail};

/// Reads a length of time such as `90s`, `1h30m` or `3d`.
///
/// # Errors
/// If it is not one.
pub fn duration(text: &str) -> anyhow::Result<Duration> {
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    let way_out = || format!("`{text}` is not a length of time: write 90s, 15m, 1h30m, 3d or 2w");
    if rest.is_empty() {
        bail!(way_out());
    }
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).with_context(way_out)?;
        let number: u64 = rest[..digits].parse().with_context(way_out)?;
        let unit = match rest[digits..].chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) | None => bail!(way_out()),
        };
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).with_context(way_out)?;
        rest = &rest[digits + 1..];
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads a point in time: a timestamp such as `2026-11-25T13:00:00Z`, or a length of time that counts back from `now`.
///
/// # Errors
/// If it is neither.
pub fn point(text: &str, now: jiff::Timestamp) -> anyhow::Result<jiff::Timestamp> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at);
    }
    let ago = duration(text).map_err(|_| {
        anyhow::anyhow!("`{text}` is not a time: write 2026-11-25T13:00:00Z, or how long ago it was, such as 2h")
    })?;
    now.checked_sub(ago).with_context(|| format!("`{text}` ago is before all time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_or_refused() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h30m", 5_400), ("3d", 259_200), ("2w", 1_209_600), (" 0s ", 0)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "3", "d", "3x", "-3d", "3d4", "1.5h", "99999999999999999999s", "9999999999999999w"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn points_are_read_or_refused() {
        let now = jiff::Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(point("2h", now).unwrap().as_second(), 992_800);
        assert_eq!(point("1970-01-02T00:00:00Z", now).unwrap().as_second(), 86_400);
        assert!(point("yesterday", now).unwrap_err().to_string().contains("write 2026-"));
        assert!(point("999999999w", now).is_err());
    }
}
