//! What the disk takes by itself: an append and an `fdatasync`, as a database does at each commit.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::figure::Distribution;

/// Bytes of one append: a page, and a bit.
const APPEND_BYTES: usize = 4_120;

/// How long to look at the disk.
const LOOK: Duration = Duration::from_millis(1_500);

/// Returns how long an append with a flush takes in a directory.
pub fn bare_flush(directory: &Path) -> anyhow::Result<Distribution> {
    let path = directory.join("bare-flush");
    let mut file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let bytes = [7; APPEND_BYTES];
    let (begin, mut taken) = (Instant::now(), Vec::new());
    while begin.elapsed() < LOOK {
        let before = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        taken.push(before.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(Distribution::of(taken))
}
