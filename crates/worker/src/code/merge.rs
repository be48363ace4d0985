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
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Error, Store, doing, open_directories};

impl Store {
    /// Lays packages over each other, in this order: of two entries of one name the later stays. Returns the directory,
    /// which appears in one step and complete, or not at all. What is there already is not made again.
    ///
    /// # Errors
    /// [`Error::Io`] if a package is not there or the disk fails.
    pub fn merge(&self, digests: &[String]) -> Result<PathBuf, Error> {
        if let Some(merged) = self.merged(digests) {
            return Ok(merged);
        }
        let home = self.merged_home(digests);
        let parent = home.parent().expect("it is in the store");
        fs::create_dir_all(parent).map_err(doing("create", parent))?;
        let fresh = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(doing("write in", parent))?;
        let tree = fresh.path().join("tree");
        fs::create_dir(&tree).map_err(doing("create", &tree))?;
        for digest in digests {
            let missing = || doing("find the package", Path::new(digest))(io::ErrorKind::NotFound.into());
            let package = self.path(digest).ok_or_else(missing)?;
            lay_over(&package, &tree).map_err(doing("merge", &package))?;
        }
        open_directories(&tree).map_err(doing("set the modes in", &tree))?;
        // The name appears after the content is on disk.
        let directory = File::open(&tree).map_err(doing("open", &tree))?;
        rustix::fs::syncfs(&directory).map_err(|error| doing("flush", &tree)(error.into()))?;
        match fs::rename(&tree, &home) {
            Err(error) if !home.is_dir() => Err(doing("create", &home)(error)),
            // Someone else may have merged the same meanwhile.
            Ok(()) | Err(_) => Ok(home),
        }
    }

    /// Returns the directory in which these packages lie over each other, if they have been merged.
    pub fn merged(&self, digests: &[String]) -> Option<PathBuf> {
        Some(self.merged_home(digests)).filter(|home| home.is_dir())
    }

    /// Returns how large a package is unzipped, in bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if it is not there or cannot be read.
    pub fn unzipped_bytes(&self, digest: &str) -> Result<u64, Error> {
        let missing = || doing("find the package", Path::new(digest))(io::ErrorKind::NotFound.into());
        let tree = self.path(digest).ok_or_else(missing)?;
        tree_bytes(&tree).map_err(doing("read", &tree))
    }

    fn merged_home(&self, digests: &[String]) -> PathBuf {
        let name: String = Sha256::digest(digests.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
        self.root.join("merged").join(name)
    }
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
