//! The bytes of objects: files named by the digest of what is in them, each kept as long as something refers to it.
//!
//! ```text
//! <data_dir>/objects/<sha256 in hex>
//! ```
//!
//! Who refers to bytes holds a [`Held`]. Dropping it lets go of them, and the last one to let go deletes the file, unless
//! a document took the reference over ([`Held::hand_over`]). What a server that was killed left behind is swept away by the
//! next one, which knows from the documents what is referred to.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

/// A run of bytes that is in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The name of its file: SHA-256, in hexadecimal digits.
    pub digest: String,
    /// Its length, in bytes.
    pub size: u64,
}

/// The files.
#[derive(Clone)]
pub struct Content {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    /// Held while a file appears or goes, so that nobody counts on one that goes.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many refer to each digest.
    references: HashMap<String, usize>,
    /// How many want every file to stay.
    frozen: usize,
    /// What nothing refers to any more and stays because of them.
    put_off: Vec<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, digest: &str) {
        let mut state = self.state();
        let Some(count) = state.references.get_mut(digest) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        state.references.remove(digest);
        if state.frozen > 0 {
            state.put_off.push(digest.into());
        } else {
            self.delete(digest);
        }
    }

    fn delete(&self, digest: &str) {
        if let Err(error) = fs::remove_file(self.root.join(digest)) {
            // The next start sweeps it away.
            tracing::warn!(%error, digest, "bytes that nothing refers to could not be deleted");
        }
    }
}

impl Content {
    /// Opens the files below a data directory, and deletes those that none of the documents, `kept`, refers to.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn open(data: &Path, kept: impl IntoIterator<Item = Piece>) -> io::Result<Self> {
        let root = data.join("objects");
        fs::create_dir_all(&root)?;
        let mut references = HashMap::new();
        for piece in kept {
            *references.entry(piece.digest).or_default() += 1;
        }
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| references.contains_key(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        let state = Mutex::new(State { references, ..State::default() });
        Ok(Self { shared: Arc::new(Shared { root, state }) })
    }

    /// Begins to take bytes in.
    ///
    /// # Errors
    /// The disk's.
    pub async fn begin(&self) -> io::Result<Incoming> {
        let root = self.shared.root.clone();
        let (file, path) =
            blocking(move || Ok(tempfile::Builder::new().prefix(".new-").tempfile_in(&root)?.into_parts())).await?;
        let shared = Arc::clone(&self.shared);
        Ok(Incoming { file: tokio::fs::File::from_std(file), path, digest: Sha256::new(), size: 0, shared })
    }

    /// Refers to bytes once more; `None` if they are gone.
    pub fn hold(&self, piece: &Piece) -> Option<Held> {
        *self.shared.state().references.get_mut(&piece.digest)? += 1;
        Some(Held { piece: piece.clone(), kept: false, shared: Arc::clone(&self.shared) })
    }

    /// Refers to several runs of bytes once more; `None` if one of them is gone.
    pub fn hold_all(&self, pieces: &[Piece]) -> Option<Vec<Held>> {
        pieces.iter().map(|piece| self.hold(piece)).collect()
    }

    /// Lets every file stay until what is returned is dropped, so that they can be copied.
    pub fn freeze(&self) -> Frozen {
        self.shared.state().frozen += 1;
        Frozen(Arc::clone(&self.shared))
    }

    /// Lets go of what a document referred to that is gone.
    pub async fn release(&self, pieces: Vec<Piece>) {
        if pieces.is_empty() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let released = tokio::task::spawn_blocking(move || {
            pieces.iter().for_each(|piece| shared.release(&piece.digest));
        });
        released.await.expect("deleting does not panic");
    }
}

/// Lets every file stay.
pub struct Frozen(Arc<Shared>);

impl Drop for Frozen {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.frozen -= 1;
        if state.frozen == 0 {
            state.put_off.drain(..).for_each(|digest| self.0.delete(&digest));
        }
    }
}

/// Bytes on their way in. Dropped, they leave nothing.
pub struct Incoming {
    file: tokio::fs::File,
    path: TempPath,
    digest: Sha256,
    size: u64,
    shared: Arc<Shared>,
}

impl Incoming {
    /// Returns how many there are by now.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes in the next ones.
    ///
    /// # Errors
    /// The disk's.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await
    }

    /// Ends it: once this returns they are on disk.
    ///
    /// # Errors
    /// The disk's.
    pub async fn finish(self) -> io::Result<Held> {
        let Self { mut file, path, digest, size, shared } = self;
        file.flush().await?;
        let file = file.into_std().await;
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        blocking(move || {
            file.sync_data()?;
            let mut state = shared.state();
            if !state.references.contains_key(&digest) {
                path.persist(shared.root.join(&digest))?;
                state.put_off.retain(|gone| *gone != digest);
            }
            *state.references.entry(digest.clone()).or_default() += 1;
            drop(state);
            let root = File::open(&shared.root)?;
            let held = Held { piece: Piece { digest, size }, kept: false, shared };
            // Also if another upload made the file: it need not be through here yet.
            root.sync_all()?;
            Ok(held)
        })
        .await
    }
}

/// A reference to bytes, which are there as long as it is.
pub struct Held {
    piece: Piece,
    kept: bool,
    shared: Arc<Shared>,
}

impl Held {
    /// Returns which bytes.
    pub fn piece(&self) -> &Piece {
        &self.piece
    }

    /// Hands the reference over to a document that is about to be written. It may come to be written even if whoever writes
    /// it goes away meanwhile, so from here on the bytes stay.
    pub fn hand_over(&mut self) {
        self.kept = true;
    }

    /// Takes the reference back, because the document was not written.
    pub fn take_back(&mut self) {
        self.kept = false;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.release(&self.piece.digest);
        }
    }
}

/// Several runs of bytes, to be read as one file. Everything blocks; call it from `spawn_blocking`.
pub struct Reader {
    held: Vec<Held>,
    /// The run that is read, and its file.
    open: Option<(usize, File)>,
    position: u64,
}

impl Reader {
    /// Reads from the beginning of `held`.
    pub fn new(held: Vec<Held>) -> Self {
        Self { held, open: None, position: 0 }
    }

    /// Returns how long it is, in bytes.
    pub fn size(&self) -> u64 {
        self.held.iter().map(|held| held.piece.size).sum()
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut begin = 0;
        for (number, held) in self.held.iter().enumerate() {
            let end = begin + held.piece.size;
            if self.position < end {
                if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
                    let mut file = File::open(held.shared.root.join(&held.piece.digest))?;
                    file.seek(SeekFrom::Start(self.position - begin))?;
                    self.open = Some((number, file));
                }
                let (_, file) = self.open.as_mut().expect("it was just opened");
                let left = usize::try_from(end - self.position).unwrap_or(usize::MAX);
                let length = left.min(buffer.len());
                let read = file.read(&mut buffer[..length])?;
                self.position += read as u64;
                return Ok(read);
            }
            begin = end;
        }
        Ok(0)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        self.open = None;
        Ok(self.position)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take_in(content: &Content, bytes: &[u8]) -> Held {
        let mut incoming = content.begin().await.unwrap();
        incoming.write(bytes).await.unwrap();
        incoming.finish().await.unwrap()
    }

    fn files(data: &tempfile::TempDir) -> usize {
        fs::read_dir(data.path().join("objects")).unwrap().count()
    }

    #[tokio::test]
    async fn bytes_are_there_as_long_as_something_refers_to_them() {
        let data = tempfile::tempdir().unwrap();
        let content = Content::open(data.path(), []).unwrap();
        let (mut first, second) = (take_in(&content, b"a").await, take_in(&content, b"a").await);
        let piece = first.piece().clone();
        assert_eq!(files(&data), 1);
        first.hand_over();
        drop((first, second));
        assert_eq!(files(&data), 1);
        content.release(vec![piece.clone()]).await;
        assert_eq!(files(&data), 0);
        assert!(content.hold(&piece).is_none());
    }

    #[tokio::test]
    async fn what_is_broken_off_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let content = Content::open(data.path(), []).unwrap();
        let mut incoming = content.begin().await.unwrap();
        incoming.write(b"half").await.unwrap();
        assert_eq!(files(&data), 1);
        drop(incoming);
        assert_eq!(files(&data), 0);
    }

    #[tokio::test]
    async fn what_a_killed_server_left_is_swept_away_and_what_is_referred_to_stays() {
        let data = tempfile::tempdir().unwrap();
        let content = Content::open(data.path(), []).unwrap();
        let (mut kept, mut lost) = (take_in(&content, b"kept").await, take_in(&content, b"lost").await);
        let piece = kept.piece().clone();
        kept.hand_over();
        lost.hand_over();
        drop((kept, lost));
        fs::write(data.path().join("objects/.new-x"), "half").unwrap();
        let content = Content::open(data.path(), [piece.clone()]).unwrap();
        assert_eq!(files(&data), 1);
        let mut text = String::new();
        Reader::new(vec![content.hold(&piece).unwrap()]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "kept");
    }

    #[tokio::test]
    async fn files_stay_while_they_are_copied() {
        let data = tempfile::tempdir().unwrap();
        let content = Content::open(data.path(), []).unwrap();
        let (gone, back) = (take_in(&content, b"gone").await, take_in(&content, b"back").await);
        let frozen = content.freeze();
        drop((gone, back));
        assert_eq!(files(&data), 2);
        let back = take_in(&content, b"back").await;
        drop(frozen);
        assert_eq!(files(&data), 1);
        drop(back);
        assert_eq!(files(&data), 0);
    }

    #[tokio::test]
    async fn several_runs_are_read_as_one_file() {
        let data = tempfile::tempdir().unwrap();
        let content = Content::open(data.path(), []).unwrap();
        let mut held = Vec::new();
        for run in ["abc", "", "de", "f"] {
            held.push(take_in(&content, run.as_bytes()).await);
        }
        let mut reader = Reader::new(held);
        for (from, expected) in [(0, "abcdef"), (2, "cdef"), (3, "def"), (5, "f"), (6, ""), (9, "")] {
            let mut text = String::new();
            reader.seek(SeekFrom::Start(from)).unwrap();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, expected, "{from}");
        }
        assert_eq!(reader.seek(SeekFrom::End(-2)).unwrap(), 4);
        assert_eq!(reader.seek(SeekFrom::Current(1)).unwrap(), 5);
        assert!(reader.seek(SeekFrom::Current(-6)).is_err());
    }
}
