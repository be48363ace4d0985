//! Backups: one tar file of everything that a server cannot make anew, written while it works.
//!
//! ```text
//! everstep.db         executions and catalog, of one moment
//! logs.db             what functions printed
//! code/DIGEST.zip     the code of functions, as it was uploaded
//! objects/DIGEST      what is in buckets
//! manifest.json       length and digest of each of these, and by which version; always last
//! ```
//!
//! A tar without its manifest is no backup: it was broken off. Databases come first, so the code that they name is there.
//! Everything here blocks; call it from `spawn_blocking`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use everstep_store::sqlite::{FILES, Sqlite};
use everstep_worker::code;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::limits::MANIFEST_BYTES_MAX;

/// The version of the format that is written.
const FORMAT: u32 = 1;

const MANIFEST: &str = "manifest.json";

/// What is in a backup.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The version of Everstep that wrote it.
    pub everstep: String,
    /// When it was begun, RFC 3339.
    pub begun_at: String,
    /// Each file by its name.
    pub files: BTreeMap<String, Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its length.
    pub bytes: u64,
    /// Its digest, in hexadecimal digits.
    pub sha256: String,
}

/// Where copies of the databases lie until they are sent, below the data directory.
const TEMPORARY: &str = ".backup-";

/// Writes a backup of a store that is at work. No code may be deleted meanwhile, and nothing from its buckets.
///
/// # Errors
/// If something cannot be read or written. Then `output` holds no manifest.
pub fn write(store: &Sqlite, data: &Path, output: impl Write) -> anyhow::Result<()> {
    let begun_at = jiff::Timestamp::now().to_string();
    let copies = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(data).context("cannot write copies")?;
    store.copy_to(copies.path())?;
    let mut tar = tar::Builder::new(output);
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = copies.path().join(name);
        files.insert(name.to_string(), append(&mut tar, name, &path)?);
        // Each copy is as large as what it copies: do not keep both longer than need be.
        fs::remove_file(&path)?;
    }
    for digest in digests(&data.join("code"))? {
        let name = format!("code/{digest}.zip");
        let entry = append(&mut tar, &name, &data.join("code").join(&digest).join("code.zip"))?;
        files.insert(name, entry);
    }
    for digest in digests(&data.join("objects"))? {
        let name = format!("objects/{digest}");
        let entry = append(&mut tar, &name, &data.join(&name))?;
        files.insert(name, entry);
    }
    let manifest = Manifest { format: FORMAT, everstep: env!("CARGO_PKG_VERSION").into(), begun_at, files };
    let text = serde_json::to_vec_pretty(&manifest)?;
    tar.append_data(&mut header(text.len() as u64), MANIFEST, &text[..])?;
    tar.into_inner()?.flush()?;
    Ok(())
}

/// Removes what a backup left behind that was broken off with its server.
pub fn remove_leftovers(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Reads a backup to its end and compares it with its manifest; what is in it goes nowhere.
///
/// # Errors
/// If it is not whole.
pub fn verify(input: impl Read) -> anyhow::Result<Manifest> {
    read(input, |_, contents| Ok(io::copy(contents, &mut io::sink()).map(|_| ())?))
}

/// Unpacks a backup into a directory that is empty. What is in it may not be used if this fails.
///
/// # Errors
/// If the backup is not whole, holds something that does not belong there, or cannot be written.
pub fn unpack(input: impl Read, directory: &Path) -> anyhow::Result<Manifest> {
    let store = code::Store::new(directory);
    read(input, |name, contents| {
        let Some(digest) = code_digest(name) else {
            if object_digest(name).is_some() {
                fs::create_dir_all(directory.join("objects")).context("cannot create objects")?;
            }
            let mut file = File::create_new(directory.join(name)).with_context(|| format!("cannot create {name}"))?;
            io::copy(contents, &mut file).with_context(|| format!("cannot write {name}"))?;
            return file.sync_all().with_context(|| format!("cannot write {name}"));
        };
        let mut zip = Vec::new();
        contents.read_to_end(&mut zip)?;
        let stored = store.put(&zip)?;
        ensure!(stored.digest == digest, "{name} is not what its name says");
        Ok(())
    })
}

/// Reads a backup, file by file, and compares it with its manifest at the end.
fn read(input: impl Read, mut take: impl FnMut(&str, &mut dyn Read) -> anyhow::Result<()>) -> anyhow::Result<Manifest> {
    let mut tar = tar::Archive::new(input);
    let mut found = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    for entry in tar.entries().context("this is no backup")? {
        let mut entry = entry.context("this is no backup, or it is damaged")?;
        let name = entry.path().context("this is no backup")?.to_str().unwrap_or_default().to_string();
        ensure!(manifest.is_none(), "`{name}` comes after the manifest: this is no backup of everstep");
        ensure!(entry.header().entry_type().is_file(), "`{name}` is not a file: this is no backup of everstep");
        if name == MANIFEST {
            let mut text = Vec::new();
            entry.by_ref().take(MANIFEST_BYTES_MAX).read_to_end(&mut text)?;
            let read: Manifest = serde_json::from_slice(&text).context("the manifest cannot be read")?;
            ensure!(
                read.format == FORMAT,
                "the backup has format {}, this everstep knows {FORMAT}: use the version that wrote it, {}",
                read.format,
                read.everstep
            );
            manifest = Some(read);
            continue;
        }
        let belongs = FILES.contains(&name.as_str()) || code_digest(&name).is_some() || object_digest(&name).is_some();
        ensure!(belongs, "`{name}` does not belong into a backup of everstep");
        ensure!(!found.contains_key(&name), "`{name}` is there twice");
        let mut hashed = Hashed::new(&mut entry);
        take(&name, &mut hashed)?;
        let entry = hashed.finish()?;
        let named = object_digest(&name).is_none_or(|digest| digest == entry.sha256);
        ensure!(named, "{name} is not what its name says");
        found.insert(name, entry);
    }
    let Some(manifest) = manifest else { bail!("the backup was broken off: it has no manifest at its end") };
    for (name, expected) in &manifest.files {
        match found.get(name) {
            None => bail!("`{name}` is missing"),
            Some(entry) if entry != expected => bail!("`{name}` is damaged: its digest is not that of the manifest"),
            Some(_) => {}
        }
    }
    for name in FILES {
        ensure!(manifest.files.contains_key(name), "`{name}` is missing");
    }
    if let Some(name) = found.keys().find(|name| !manifest.files.contains_key(*name)) {
        bail!("`{name}` is not in the manifest");
    }
    Ok(manifest)
}

/// Returns the digest in the name of a code file, `None` if it is none.
fn code_digest(name: &str) -> Option<&str> {
    name.strip_prefix("code/")?.strip_suffix(".zip").filter(|digest| is_digest(digest))
}

/// Returns the digest in the name of a file of an object, `None` if it is none.
fn object_digest(name: &str) -> Option<&str> {
    name.strip_prefix("objects/").filter(|digest| is_digest(digest))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the digests that a directory has entries for, in order. What is being written has another name.
fn digests(directory: &Path) -> anyhow::Result<Vec<String>> {
    let failed = || format!("cannot read {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    let mut digests = Vec::new();
    for entry in entries {
        let name = entry.with_context(failed)?.file_name().to_string_lossy().into_owned();
        if is_digest(&name) {
            digests.push(name);
        }
    }
    digests.sort();
    Ok(digests)
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, path: &Path) -> anyhow::Result<Entry> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = file.metadata()?.len();
    let mut hashed = Hashed::new(file.take(bytes));
    tar.append_data(&mut header(bytes), name, &mut hashed).with_context(|| format!("cannot send {name}"))?;
    hashed.finish()
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

/// Digests what is read through it.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }

    /// Reads what is left, and returns what there was.
    fn finish(mut self) -> anyhow::Result<Entry> {
        io::copy(&mut self, &mut io::sink())?;
        let sha256 = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Entry { bytes: self.bytes, sha256 })
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.digest.update(&buffer[..length]);
        self.bytes += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backup of a store with one piece of code and an object.
    fn backup() -> (tempfile::TempDir, Vec<u8>) {
        let data = tempfile::tempdir().unwrap();
        let store = Sqlite::open(data.path()).unwrap();
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        code::Store::new(data.path()).put(&zip).unwrap();
        let content = [b'x'; 30];
        let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::create_dir(data.path().join("objects")).unwrap();
        fs::write(data.path().join("objects").join(digest), content).unwrap();
        let mut tar = Vec::new();
        write(&store, data.path(), &mut tar).unwrap();
        (data, tar)
    }

    /// Writes the files of a backup anew, each as `change` has it.
    fn changed(tar: &[u8], mut change: impl FnMut(&str, Vec<u8>) -> Vec<(String, Vec<u8>)>) -> Vec<u8> {
        let mut written = tar::Builder::new(Vec::new());
        for entry in tar::Archive::new(tar).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_string();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            for (name, contents) in change(&name, contents) {
                written.append_data(&mut header(contents.len() as u64), name, &contents[..]).unwrap();
            }
        }
        written.into_inner().unwrap()
    }

    #[tokio::test]
    async fn backup_is_unpacked_as_it_was_and_leaves_nothing_behind() {
        let (data, tar) = backup();
        let target = tempfile::tempdir().unwrap();
        let manifest = unpack(&tar[..], target.path()).unwrap();
        assert_eq!(manifest, verify(&tar[..]).unwrap());
        assert_eq!(manifest.files.len(), 4);
        for directory in ["code", "objects"] {
            let digests = |data: &tempfile::TempDir| digests(&data.path().join(directory)).unwrap();
            assert_eq!((digests(&data).len(), digests(&data)), (1, digests(&target)));
        }
        Sqlite::open(target.path()).unwrap();
        let left = fs::read_dir(data.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(TEMPORARY));
        assert_eq!(left.count(), 0);
        fs::create_dir(data.path().join(".backup-of-a-dead-server")).unwrap();
        remove_leftovers(data.path()).unwrap();
        assert!(!data.path().join(".backup-of-a-dead-server").exists());
        assert!(data.path().join("everstep.db").exists());
    }

    #[tokio::test]
    async fn backup_that_is_not_whole_or_not_ours_is_refused() {
        let (_data, tar) = backup();
        let keep = |name: &str, contents: Vec<u8>| vec![(name.to_string(), contents)];
        let without = |left_out: &'static str| {
            changed(&tar, |name, contents| if name == left_out { Vec::new() } else { keep(name, contents) })
        };
        let with = |extra: &'static str| {
            changed(&tar, |name, contents| {
                let mut files = keep(name, contents);
                if name == "logs.db" {
                    files.push((extra.into(), b"x".to_vec()));
                }
                files
            })
        };
        let damaged = |which: &'static str| {
            changed(&tar, |name, mut contents| {
                if name.starts_with(which) {
                    contents[20] ^= 1;
                }
                keep(name, contents)
            })
        };
        let newer = changed(&tar, |name, contents| match name {
            MANIFEST => keep(name, String::from_utf8(contents).unwrap().replacen("1", "2", 1).into_bytes()),
            _ => keep(name, contents),
        });
        for (tar, expected) in [
            (b"nonsense".to_vec(), "this is no backup"),
            (tar[..tar.len() / 2].to_vec(), ""),
            (without(MANIFEST), "broken off"),
            (without("logs.db"), "`logs.db` is missing"),
            (damaged("everstep.db"), "`everstep.db` is damaged"),
            (damaged("code/"), ""),
            (damaged("objects/"), "is not what its name says"),
            (with("notes.txt"), "`notes.txt` does not belong"),
            (with("code/abc.zip"), "does not belong"),
            (with("logs.db"), "there twice"),
            (with(MANIFEST), "manifest cannot be read"),
            (newer, "has format 2"),
        ] {
            let target = tempfile::tempdir().unwrap();
            let error = format!("{:#}", unpack(&tar[..], target.path()).unwrap_err());
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
