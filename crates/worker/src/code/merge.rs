//! Packages laid over each other: the layers of a function as one directory.
//!
//! ```text
//! <data_dir>/code/merged/<sha256 of the digests>/
//! ```
//!
//! Files are hard links to those of the packages, so a merge costs no room. Links are taken over as they are: each was
//! checked to stay in its package, and climbs only directories that are real in the merge too, for it lies in them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Error, MERGED, Pin, Store, TEMPORARY, doing, open_directories};

impl Store {
    /// Lays packages over each other, in this order: of two entries of one name the later stays. Returns a pin on the
    /// directory, which appears in one step and complete, or not at all. What is there already is not made again.
    ///
    /// # Errors
    /// [`Error::Io`] if a package is not there or the disk fails.
    pub fn merge(&self, digests: &[String]) -> Result<Pin, Error> {
        let name = name(digests);
        let home = self.root.join(&name);
        let pin = self.shared.pin(name, home.clone());
        if home.is_dir() {
            return Ok(pin);
        }
        let parent = home.parent().expect("it is in the store");
        fs::create_dir_all(parent).map_err(doing("create", parent))?;
        let fresh = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(parent).map_err(doing("write in", parent))?;
        let tree = fresh.path().join("tree");
        fs::create_dir(&tree).map_err(doing("create", &tree))?;
        for digest in digests {
            let package = self.package(digest)?;
            lay_over(package.dir(), &tree).map_err(doing("merge", package.dir()))?;
        }
        open_directories(&tree).map_err(doing("set the modes in", &tree))?;
        // The name appears after the content is on disk.
        let directory = File::open(&tree).map_err(doing("open", &tree))?;
        rustix::fs::syncfs(&directory).map_err(|error| doing("flush", &tree)(error.into()))?;
        match fs::rename(&tree, &home) {
            Err(error) if !home.is_dir() => return Err(doing("create", &home)(error)),
            // Someone else may have merged the same meanwhile.
            Ok(()) | Err(_) => self.shared.made(&pin),
        }
        Ok(pin)
    }

    /// Returns how large a package is unzipped, in bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if it is not there or cannot be read.
    pub fn unzipped_bytes(&self, digest: &str) -> Result<u64, Error> {
        let package = self.package(digest)?;
        tree_bytes(package.dir()).map_err(doing("read", package.dir()))
    }

    fn package(&self, digest: &str) -> Result<Pin, Error> {
        let missing = || doing("find the package", Path::new(digest))(io::ErrorKind::NotFound.into());
        self.pin(digest).ok_or_else(missing)
    }
}

/// Returns what packages that are laid over each other are called in the store.
pub(super) fn name(digests: &[String]) -> String {
    let digest: String = Sha256::digest(digests.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{MERGED}/{digest}")
}

/// Puts what is in one directory into another. Never follows a link.
fn lay_over(from: &Path, to: &Path) -> io::Result<()> {
    for entry in entries(from)? {
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        let there = target.symlink_metadata().ok().map(|there| there.is_dir());
        match there {
            Some(true) if kind.is_dir() => {}
            Some(true) => fs::remove_dir_all(&target)?,
            Some(false) => fs::remove_file(&target)?,
            None => {}
        }
        if kind.is_dir() {
            if there != Some(true) {
                fs::create_dir(&target)?;
            }
            lay_over(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::hard_link(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn tree_bytes(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in entries(directory)? {
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { tree_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Reads a directory to its end, so that a deep tree does not hold a file open for each of its levels.
fn entries(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    fs::read_dir(directory)?.collect()
}
