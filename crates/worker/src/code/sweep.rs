//! Deleting code that nobody needs any more.
//!
//! A sweep has two halves, because documents are not this crate's business: [`Store::begin_sweep`], then the caller reads
//! every document, then [`Sweep::finish`]. What was pinned in between stays, since a document that names it may have been
//! written after it was read. Code goes by being renamed, which is on disk before the first file of it is deleted: so a
//! crash leaves it whole, or under a name that [`Store::remove_leftovers`] knows.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{Error, Frozen, MERGED, Store, TEMPORARY, doing, is_digest, merge};

/// What documents name.
#[derive(Debug, Default)]
pub struct Named(HashSet<String>);

impl Named {
    /// Adds a package, by its digest.
    pub fn package(&mut self, digest: &str) {
        if !self.0.contains(digest) {
            self.0.insert(digest.to_owned());
        }
    }

    /// Adds packages and what they come to when they are laid over each other, in this order.
    pub fn merge(&mut self, digests: &[String]) {
        digests.iter().for_each(|digest| self.package(digest));
        if !digests.is_empty() {
            self.0.insert(merge::name(digests));
        }
    }
}

/// A sweep under way. Dropped before its end it deletes nothing.
pub struct Sweep {
    store: Store,
}

impl Store {
    /// Has a sweep made: something may be needed no more.
    pub fn want_sweep(&self) {
        self.shared.wanted.notify_one();
    }

    /// Returns when a sweep may find something, at once if it may already. For one caller: the one who sweeps.
    pub async fn sweep_wanted(&self) {
        self.shared.wanted.notified().await;
    }

    /// Lets everything stay until what is returned is dropped, so that it can be copied.
    pub fn freeze(&self) -> Frozen {
        self.shared.freeze()
    }

    /// Begins a sweep. Whatever a document names must be read after this, and only one sweep may be under way.
    pub fn begin_sweep(&self) -> Sweep {
        let mut state = self.shared.state();
        assert!(state.touched.is_none(), "one sweep at a time");
        state.touched = Some(state.pins.keys().cloned().collect());
        Sweep { store: self.clone() }
    }

    /// Deletes what a server left half-made or half-deleted that was killed. For a store that nobody uses yet.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_leftovers(&self) -> Result<(), Error> {
        for directory in [&self.root, &self.root.join(MERGED)] {
            for name in names(directory)?.iter().filter(|name| name.starts_with(TEMPORARY)) {
                let path = directory.join(name);
                fs::remove_dir_all(&path).map_err(doing("delete", &path))?;
            }
        }
        Ok(())
    }
}

impl Sweep {
    /// Deletes what is neither among `named` nor pinned, nor was since the sweep began; nothing while the store is frozen.
    /// Returns how much it was. This blocks.
    ///
    /// # Errors
    /// [`Error::Io`]. What is left then is for the next sweep or the next start.
    pub fn finish(self, named: &Named) -> Result<usize, Error> {
        let Store { root, shared, .. } = &self.store;
        let mut found: Vec<String> = names(root)?.into_iter().filter(|name| is_digest(name)).collect();
        let merged = names(&root.join(MERGED))?.into_iter().filter(|name| is_digest(name));
        found.extend(merged.map(|name| format!("{MERGED}/{name}")));
        let is_named = |name: &String| named.0.contains(name);
        shared.state().unnamed.retain(|name| !is_named(name));
        let unnamed: Vec<String> = found.into_iter().filter(|name| !is_named(name)).collect();
        if unnamed.is_empty() {
            return Ok(0);
        }
        let grave = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(root).map_err(doing("write in", root))?;
        let mut gone = 0;
        let buried = unnamed.iter().try_for_each(|name| {
            gone += usize::from(self.bury(name, &grave.path().join(gone.to_string()))?);
            Ok(())
        });
        if let Err(error) = flush(&root.join(MERGED)).and_then(|()| flush(root)) {
            // Whoever starts next deletes it.
            let _ = grave.keep();
            return Err(error);
        }
        let path = grave.path().to_owned();
        grave.close().map_err(doing("delete", &path))?;
        buried.map(|()| gone)
    }

    /// Moves code away, unless somebody needs it. Returns whether it was moved.
    fn bury(&self, name: &str, grave: &Path) -> Result<bool, Error> {
        let Store { root, shared, .. } = &self.store;
        // Held while the code goes: whoever pins it afterwards looks afterwards whether it is there.
        let mut state = shared.state();
        let touched = state.touched.as_ref().is_some_and(|touched| touched.contains(name));
        if touched || state.frozen > 0 {
            state.unnamed.insert(name.to_owned());
            if touched && state.frozen == 0 && !state.pins.contains_key(name) {
                // Nothing holds it by now, so that nobody else will say that it can go.
                shared.wanted.notify_one();
            }
            return Ok(false);
        }
        let home = root.join(name);
        fs::rename(&home, grave).map_err(doing("delete", &home))?;
        state.unnamed.remove(name);
        Ok(true)
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.store.shared.state().touched = None;
    }
}

/// Has the names in a directory on disk, if it is there.
fn flush(directory: &Path) -> Result<(), Error> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(doing("flush", directory)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Returns the names in a directory; none if it is not there.
fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| doing("read", directory)(error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    entries.map(name).collect()
}
