//! Uploaded code: zip files, unzipped once, found by the digest of their bytes.
//!
//! ```text
//! <data_dir>/code/<sha256 in hex>/code.zip   as uploaded, for download
//! <data_dir>/code/<sha256 in hex>/tree/      unzipped
//! ```
//!
//! What the layers of a function come to is made by [`Store::merge`]. Who needs code holds a [`Pin`] on it, or a document
//! names it; what neither is true of goes with the next [`Sweep`].
//!
//! A directory appears in one step and complete, or not at all. Everything here blocks, but for pins; call it from
//! `spawn_blocking`. A zip is a stranger's: its names, links, modes and sizes are not believed.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::limits;

mod merge;
mod pins;
mod sweep;

pub use pins::{Frozen, Pin};
pub use sweep::{Named, Sweep};

/// What is being made or deleted is in directories whose names begin like that.
const TEMPORARY: &str = ".new-";

/// The directory of packages that are laid over each other.
const MERGED: &str = "merged";

/// Uploaded code in a directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    limits: Limits,
    shared: Arc<pins::Shared>,
}

/// What one code package may need.
#[derive(Debug, Clone, Copy)]
struct Limits {
    zip_bytes: u64,
    code_bytes: u64,
    entries: usize,
}

/// Code that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRef {
    /// `CodeSha256`: the digest in base64.
    pub sha256: String,
    /// The same digest in hex, the name in the store.
    pub digest: String,
    /// `CodeSize`: bytes of the zip.
    pub size: u64,
    /// Keeps it in the store, unzipped, until a document names it.
    pub pin: Pin,
}

/// Why code was not stored. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upload's fault: too large, not a zip, or a zip with something in it that is refused.
    #[error("{0}")]
    Refused(String),
    /// The disk's fault.
    #[error("cannot {action}")]
    Io {
        /// What was attempted.
        action: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Store {
    /// Returns the store below a data directory; it need not exist yet.
    pub fn new(data_dir: &Path) -> Self {
        // Processes work in another directory than the server.
        let root = std::path::absolute(data_dir).unwrap_or(data_dir.to_owned()).join("code");
        let limits = Limits {
            zip_bytes: limits::ZIP_BYTES_MAX,
            code_bytes: limits::CODE_BYTES_MAX,
            entries: limits::CODE_ENTRIES_MAX,
        };
        Self { root, limits, shared: pins::Shared::new() }
    }

    /// Stores a zip file that was sent, and its content. What is there already is not written again.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is over a limit of [`limits`] or not safe to unzip; [`Error::Io`] if the disk fails.
    pub fn put(&self, zip: &[u8]) -> Result<CodeRef, Error> {
        let size = zip.len() as u64;
        if size > self.limits.zip_bytes {
            let max = self.limits.zip_bytes;
            return Err(Error::Refused(format!(
                "the zip file has {size} bytes, at most {max} are allowed; leave out what the function does not need, or hand it over in a bucket"
            )));
        }
        self.copy(Cursor::new(zip))
    }

    /// Copies a zip file from somewhere else, and its content. What is there already is not written again. It may be as
    /// large as what is in it may be.
    ///
    /// # Errors
    /// As [`Self::put`], and if it cannot be read.
    pub fn copy(&self, mut zip: impl Read) -> Result<CodeRef, Error> {
        fs::create_dir_all(&self.root).map_err(doing("create", &self.root))?;
        let fresh =
            tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&self.root).map_err(doing("write in", &self.root))?;
        let zip_file = fresh.path().join("code.zip");
        let (sha256, size) = self.write_zip(&mut zip, &zip_file)?;
        let digest: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let home = self.root.join(&digest);
        let pin = self.shared.pin(digest.clone(), home.join("tree"));
        let code = CodeRef { sha256: BASE64_STANDARD.encode(&sha256), digest, size, pin };
        if home.is_dir() {
            return Ok(code);
        }
        let tree = fresh.path().join("tree");
        fs::create_dir(&tree).map_err(doing("create", &tree))?;
        let zip = File::open(&zip_file).map_err(doing("open", &zip_file))?;
        unzip(BufReader::new(zip), &tree, self.limits)?;
        // One flush of the file system instead of one per file; the name appears after the content is on disk.
        let directory = File::open(fresh.path()).map_err(doing("open", fresh.path()))?;
        rustix::fs::syncfs(&directory).map_err(|error| doing("flush", fresh.path())(error.into()))?;
        match fs::rename(fresh.path(), &home) {
            Err(error) if !home.is_dir() => return Err(doing("create", &home)(error)),
            // Someone else may have stored the same meanwhile; equal digests are equal content.
            Ok(()) | Err(_) => self.shared.made(&code.pin),
        }
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(doing("flush", &self.root))?;
        Ok(code)
    }

    /// Writes what is read to a file. Returns its digest and length.
    fn write_zip(&self, zip: &mut impl Read, path: &Path) -> Result<(Vec<u8>, u64), Error> {
        let max = self.limits.code_bytes;
        let mut file = File::create(path).map_err(doing("write", path))?;
        let (mut sha256, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
        loop {
            let length = match zip.read(&mut buffer) {
                Ok(0) => return Ok((sha256.finalize().to_vec(), size)),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(doing("read a zip for", path)(error)),
            };
            size += length as u64;
            if size > max {
                return Err(Error::Refused(format!(
                    "the zip file has more than {max} bytes; leave out what the function does not need"
                )));
            }
            sha256.update(&buffer[..length]);
            file.write_all(&buffer[..length]).map_err(doing("write", path))?;
        }
    }

    /// Returns how much may still be written, in bytes; 0 if the system does not say.
    pub fn free_bytes(&self) -> u64 {
        // The store need not exist yet: ask for the first directory above it that does.
        let status = self.root.ancestors().find_map(|directory| rustix::fs::statvfs(directory).ok());
        status.map_or(0, |status| status.f_bavail.saturating_mul(status.f_frsize))
    }

    /// Keeps the code of a digest (in hex) in the store; `None` if there is none.
    pub fn pin(&self, digest: &str) -> Option<Pin> {
        let pin = self.shared.pin(digest.to_owned(), self.home(digest)?.join("tree"));
        pin.dir().is_dir().then_some(pin)
    }

    /// Returns the zip file as it was uploaded, or `None` if there is no code of this digest (in hex).
    ///
    /// # Errors
    /// [`Error::Io`] if it is there but cannot be read.
    pub fn zip(&self, digest: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(path) = self.home(digest).map(|home| home.join("code.zip")) else { return Ok(None) };
        match fs::read(&path) {
            Ok(zip) => Ok(Some(zip)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(doing("read", &path)(error)),
        }
    }

    /// The directory of a digest; `None` if it is no digest, and so perhaps a path to somewhere else.
    fn home(&self, digest: &str) -> Option<PathBuf> {
        is_digest(digest).then(|| self.root.join(digest))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Unzips into an empty directory. Links are made last, so that nothing is ever written through one.
fn unzip(zip: impl Read + Seek, tree: &Path, limits: Limits) -> Result<(), Error> {
    let mut archive = ZipArchive::new(zip).map_err(not_a_zip)?;
    if archive.len() > limits.entries {
        return Err(Error::Refused(format!(
            "the zip file has {} entries, at most {} are allowed",
            archive.len(),
            limits.entries
        )));
    }
    let mut left = limits.code_bytes;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(not_a_zip)?;
        let name = relative(&entry)?;
        let path = tree.join(&name);
        let mode = entry.unix_mode();
        match mode.map_or(0, |mode| mode & 0o170_000) {
            0o120_000 => links.push((name, link_target(&mut entry)?)),
            // Zips made elsewhere have no type, or no mode at all.
            0 | 0o100_000 | 0o040_000 if entry.is_dir() => fs::create_dir_all(&path).map_err(clash(&path))?,
            0 | 0o100_000 => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(clash(parent))?;
                }
                left -= extract(&mut entry, &path, left, limits.code_bytes)?;
                let mode = file_mode(mode, name == Path::new("bootstrap"));
                fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(doing("set the mode of", &path))?;
            }
            _ => {
                return Err(Error::Refused(format!(
                    "`{}` is neither file, directory nor link; leave it out",
                    name.display()
                )));
            }
        }
    }
    open_directories(tree).map_err(doing("set the modes in", tree))?;
    for (name, target) in &links {
        link(tree, name, target)?;
    }
    Ok(())
}

/// The mode of a file. Functions may run as another user than the server, and whoever packs a zip seldom thinks of
/// that: everyone can read everything, and run what its owner could. No set-user-id; and Windows and some tools forget
/// that `bootstrap` is a program.
fn file_mode(packed: Option<u32>, is_bootstrap: bool) -> u32 {
    let program = is_bootstrap || packed.is_some_and(|mode| mode & 0o100 != 0);
    if program { 0o755 } else { 0o644 }
}

/// Lets everyone into the directories of a tree, whatever the server's umask is.
fn open_directories(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    let entries: Vec<_> = fs::read_dir(directory)?.collect::<Result<_, _>>()?;
    for entry in entries {
        if entry.file_type()?.is_dir() {
            open_directories(&entry.path())?;
        }
    }
    Ok(())
}

/// The entry's path inside the tree.
fn relative<R: Read>(entry: &ZipFile<'_, R>) -> Result<PathBuf, Error> {
    let refused = || {
        Error::Refused(format!(
            "`{}` would be outside of the code directory; use relative names without `..`",
            entry.name().escape_debug()
        ))
    };
    if entry.name().starts_with('/') || entry.name().contains('\0') {
        return Err(refused());
    }
    let mut path = PathBuf::new();
    for component in Path::new(entry.name()).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(refused()),
        }
    }
    if path.as_os_str().is_empty() && !entry.is_dir() {
        return Err(refused());
    }
    Ok(path)
}

/// Writes a file, counting what really comes out of the zip rather than what it claims. Returns the bytes written.
fn extract(entry: &mut impl Read, path: &Path, left: u64, max: u64) -> Result<u64, Error> {
    let mut file = File::create(path).map_err(clash(path))?;
    let mut buffer = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        let length = match entry.read(&mut buffer) {
            Ok(0) => return Ok(written),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Refused(format!("the zip file is damaged: {error}; make it anew"))),
        };
        written += length as u64;
        if written > left {
            return Err(Error::Refused(format!(
                "the unzipped code is larger than {max} bytes; leave out what the function does not need"
            )));
        }
        file.write_all(&buffer[..length]).map_err(doing("write", path))?;
    }
}

fn link_target(entry: &mut impl Read) -> Result<String, Error> {
    let mut target = String::new();
    let read = entry.take(limits::LINK_BYTES_MAX + 1).read_to_string(&mut target);
    match read {
        Ok(length) if length as u64 <= limits::LINK_BYTES_MAX && !target.is_empty() && !target.contains('\0') => {
            Ok(target)
        }
        Ok(_) | Err(_) => {
            Err(Error::Refused("a link in the zip file has no usable target; replace it by a copy".to_owned()))
        }
    }
}

/// Makes a link that stays in the tree. Its `..` must come first: they then climb real directories, and every name
/// after them is a file, a directory or a link that stays in the tree likewise.
fn link(tree: &Path, name: &Path, target: &str) -> Result<(), Error> {
    let mut height = name.components().count() - 1;
    let mut descends = false;
    for component in Path::new(target).components() {
        match component {
            Component::Normal(_) => descends = true,
            Component::ParentDir if height > 0 && !descends => height -= 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(leads_out(name)),
        }
    }
    let path = tree.join(name);
    let parent = path.parent().unwrap_or(tree);
    fs::create_dir_all(parent).map_err(clash(parent))?;
    // Through another link the parent could be anywhere.
    let real = parent.canonicalize().map_err(doing("resolve", parent))?;
    if real != tree.canonicalize().map_err(doing("resolve", tree))?.join(name.parent().unwrap_or(Path::new(""))) {
        return Err(leads_out(name));
    }
    symlink(target, &path).map_err(clash(&path))
}

fn leads_out(name: &Path) -> Error {
    Error::Refused(format!(
        "the link `{}` leads out of the code directory, or has a `..` after a name; replace it by a copy",
        name.display()
    ))
}

fn not_a_zip(error: zip::result::ZipError) -> Error {
    Error::Refused(format!("the upload is not a zip file that can be read: {error}"))
}

/// An error while making an entry: the zip's fault if its own entries are in each other's way.
fn clash(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::PermissionDenied => {
            let name = path.file_name().unwrap_or_default();
            Error::Refused(format!(
                "the zip file's entry `{}` cannot be created: {source}; make it anew",
                name.display()
            ))
        }
        _ => doing("create", path)(source),
    }
}

fn doing(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let action = format!("{verb} {}", path.display());
    move |source| Error::Io { action, source }
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// Stores these files, of these sizes, and a link with a target of this length, with small limits.
    #[track_caller]
    fn check(files: &[usize], link_bytes: usize, expected: Result<(), &str>) {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (number, size) in files.iter().enumerate() {
            writer.start_file(number.to_string(), SimpleFileOptions::default()).unwrap();
            writer.write_all(&vec![0; *size]).unwrap();
        }
        if link_bytes > 0 {
            let target = "./".repeat(link_bytes / 2) + &"x".repeat(link_bytes % 2);
            writer.add_symlink("link", target, SimpleFileOptions::default()).unwrap();
        }
        let zip = writer.finish().unwrap().into_inner();
        let data_dir = tempfile::tempdir().unwrap();
        let limits = Limits { zip_bytes: u64::MAX, code_bytes: 100_000, entries: 3 };
        let store = Store { limits, ..Store::new(data_dir.path()) };
        match (store.put(&zip), expected) {
            (Ok(_), Ok(())) => {}
            (Err(Error::Refused(message)), Err(words)) => assert!(message.contains(words), "{message}"),
            (stored, expected) => panic!("{stored:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn code_at_the_limits_is_stored_and_one_past_is_refused() {
        let link_max = usize::try_from(limits::LINK_BYTES_MAX).unwrap();
        check(&[100_000], 0, Ok(()));
        check(&[100_001], 0, Err("larger than 100000 bytes"));
        check(&[50_000, 50_000, 0], 0, Ok(()));
        check(&[50_000, 50_000, 1], 0, Err("larger than 100000 bytes"));
        check(&[0; 3], 0, Ok(()));
        check(&[0; 4], 0, Err("4 entries, at most 3 are allowed"));
        check(&[], link_max, Ok(()));
        check(&[], link_max + 1, Err("no usable target"));
    }
}
