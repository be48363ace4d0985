//! The writer thread of a file: takes what is queued, commits it in one transaction, then answers.
//!
//! Nothing is delayed to make a group larger: while one group waits for the disk, the next one queues up. A request
//! checks before it changes anything, so that its refusal leaves nothing behind and its group goes on.
//!
//! If the world fails, the whole group is rolled back and the file is opened anew. A commit that failed is never
//! tried again, because nobody knows what a disk that failed to flush has kept: its requests end as
//! [`Error::Unknown`].

use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::database::{Database, Flush};
use super::failure::{self, Failure};
use super::statistics::Counters;
use crate::error::Error;

/// Most requests that wait for a writer.
const QUEUE_ITEMS_MAX: usize = 4_096;

/// Most that the requests that wait for a writer hold, in KiB.
const QUEUE_KIB_MAX: usize = 64 * 1024;

/// Most requests of one transaction.
const GROUP_ITEMS_MAX: usize = 512;

/// Most that the requests of one transaction hold, in bytes; the last one may go over it.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Length of the write-ahead log, in pages, from which on it is moved into the file, to be used again from its start.
pub(super) const CHECKPOINT_PAGES: i32 = 8_000;

thread_local! {
    /// Length of the write-ahead log that this thread writes, in pages.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// Why a request was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// By its own fault; it changed nothing, and its group goes on.
    Rejected(Error),
    /// By the world's fault.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

/// Hands requests to the thread. Dropping it waits until all of them are answered.
#[derive(Debug)]
pub(super) struct Writer {
    database: Database,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Job>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(database: Database, connection: Connection, counters: Arc<Counters>) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::channel(QUEUE_ITEMS_MAX);
        let name = database.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let thread = Thread { database: database.clone(), connection: None, counters };
        let spawned = std::thread::Builder::new().name(name).spawn(move || thread.run(connection, jobs));
        let thread = spawned.map_err(|error| Error::Failed {
            context: "cannot start a thread: raise the limit of threads".to_owned(),
            source: Some(Box::new(error)),
        })?;
        Ok(Self { database, queue: Some(queue), room: Arc::new(Semaphore::new(QUEUE_KIB_MAX)), thread: Some(thread) })
    }

    /// Has `change` made, which holds `bytes`, and returns when it is on disk as far as the file's [`Flush`] says.
    ///
    /// `change` must refuse before it changes anything. It happens also if nobody waits for its answer any more.
    pub(super) async fn write<T, F>(&self, bytes: usize, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        let kib = (bytes / 1024 + 1).min(QUEUE_KIB_MAX);
        let kib = u32::try_from(kib).expect("the queue is smaller than 4 TiB");
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.expect("nobody closes the semaphore");
        let (reply, answer) = oneshot::channel();
        let work = Box::new(Request { change: Some(change), answer: None, reply });
        let queue = self.queue.as_ref().expect("only dropping takes it");
        if queue.send(Job { work, bytes, _room: room }).await.is_err() {
            return Err(failure::closed(self.database.path()));
        }
        // Without an answer the thread has died, nobody knows where.
        answer.await.unwrap_or_else(|_| Err(Error::Unknown(Box::new(failure::closed(self.database.path())))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It panicked, which was reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Job {
    work: Box<dyn Work>,
    bytes: usize,
    /// Given back when the job is done.
    _room: OwnedSemaphorePermit,
}

/// A request, whatever it answers with.
trait Work: Send {
    /// Makes the change; an error is the world's.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Answers with what `run` found, because it is committed.
    fn succeed(self: Box<Self>);
    /// Answers with an error.
    fn fail(self: Box<Self>, error: Error);
}

struct Request<T, F> {
    change: Option<F>,
    answer: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Work for Request<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Refusal> + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let change = self.change.take().expect("a request runs once");
        self.answer = Some(match change(connection) {
            Ok(value) => Ok(value),
            Err(Refusal::Rejected(error)) => Err(error),
            Err(Refusal::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    fn succeed(self: Box<Self>) {
        let answer = self.answer.expect("it ran");
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }

    fn fail(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

struct Thread {
    database: Database,
    /// `None` after a failure, until the file is opened anew.
    connection: Option<Connection>,
    counters: Arc<Counters>,
}

/// How a group failed.
enum Trouble {
    /// Before its commit: nothing was written.
    Before(Failure),
    /// At its commit: nobody knows.
    AtCommit(Failure),
}

impl Thread {
    fn run(mut self, connection: Connection, mut jobs: mpsc::Receiver<Job>) {
        connection.wal_hook(Some(note_wal_pages));
        self.connection = Some(connection);
        while let Some(first) = jobs.blocking_recv() {
            let group = gather(first, &mut jobs);
            self.serve(group);
        }
    }

    fn serve(&mut self, mut group: Vec<Job>) {
        match self.write(&mut group) {
            Ok(()) => {
                let flushes = match self.database.flush() {
                    Flush::EachCommit => 1,
                    Flush::Sometimes => 0,
                };
                self.counters.committed(group.len() as u64, flushes);
                group.into_iter().for_each(|job| job.work.succeed());
                if WAL_PAGES.get() >= CHECKPOINT_PAGES {
                    self.checkpoint();
                }
            }
            Err(trouble) => {
                // Closed before anybody hears of it, so that whoever looks again finds the file as it is.
                self.connection = None;
                self.counters.failed();
                match trouble {
                    Trouble::Before(failure) => group.into_iter().for_each(|job| job.work.fail(failure.failed())),
                    Trouble::AtCommit(failure) => group.into_iter().for_each(|job| job.work.fail(failure.unknown())),
                }
            }
        }
    }

    fn write(&mut self, group: &mut [Job]) -> Result<(), Trouble> {
        let path = self.database.path();
        let before = |error| Trouble::Before(Failure::new(path, error));
        if self.connection.is_none() {
            let connection = self.database.writer().map_err(before)?;
            connection.wal_hook(Some(note_wal_pages));
            self.connection = Some(connection);
        }
        let connection = self.connection.as_ref().expect("it was just opened");
        connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute(())).map_err(before)?;
        if let Err(error) = group.iter_mut().try_for_each(|job| job.work.run(connection)) {
            // Some faults have rolled back already, and a fault here does not matter: closing does the same.
            let _ = connection.execute_batch("ROLLBACK");
            return Err(before(error));
        }
        let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute(()));
        committed.map(|_| ()).map_err(|error| Trouble::AtCommit(Failure::new(path, error)))
    }

    /// Moves the write-ahead log into the file. If that fails, it grows on, and the next group tries again.
    fn checkpoint(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())) {
            Ok(()) => self.counters.checkpointed(2),
            Err(error) => {
                let failure = Failure::new(self.database.path(), error);
                tracing::warn!(error = %failure, "write-ahead log not moved into its file");
                self.connection = None;
            }
        }
    }
}

/// Takes what is queued behind `first`, up to the limits of a group.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while group.len() < GROUP_ITEMS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else {
            break;
        };
        bytes += job.bytes;
        group.push(job);
    }
    group
}

fn note_wal_pages(_: &Wal, pages: i32) -> rusqlite::Result<()> {
    WAL_PAGES.set(pages);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sqlite::schema;

    fn start(directory: &Path) -> (Writer, Arc<Counters>) {
        let database = Database::new(directory.join("test.db"), &schema::MAIN, Flush::EachCommit);
        let counters = Arc::new(Counters::default());
        let connection = database.open().unwrap();
        (Writer::start(database, connection, Arc::clone(&counters)).unwrap(), counters)
    }

    /// Adds a document of `bytes`.
    fn put(key: &str, bytes: usize) -> impl FnOnce(&Connection) -> Result<(), Refusal> + Send + use<> {
        let (key, body) = (key.to_owned(), "x".repeat(bytes));
        move |connection| {
            connection.execute("INSERT INTO documents (kind, key, body) VALUES ('test', ?1, ?2)", (key, body))?;
            Ok(())
        }
    }

    async fn keys(writer: &Writer) -> Vec<String> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT key FROM documents ORDER BY key")?;
            let keys: rusqlite::Result<Vec<String>> = statement.query_map((), |row| row.get(0))?.collect();
            Ok(keys?)
        };
        writer.write(0, read).await.unwrap()
    }

    #[tokio::test]
    async fn requests_that_queue_up_share_a_transaction() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, counters) = start(directory.path());
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (report, begun) = oneshot::channel::<()>();
        let holding = writer.write(0, move |_| {
            report.send(()).expect("the test waits for it");
            gate.recv().expect("the test lets it go");
            Ok(())
        });
        let queued = async {
            begun.await.unwrap();
            let puts = ["a", "b", "c", "d", "e"].map(|key| writer.write(0, put(key, 1)));
            let refused = writer.write(0, |_| Err::<(), _>(Refusal::Rejected(Error::Conflict)));
            let [a, b, c, d, e] = puts;
            tokio::join!(a, b, refused, c, d, e, async { release.send(()).unwrap() })
        };
        let (held, (a, b, refused, c, d, e, ())) = tokio::join!(holding, queued);
        assert!([held, a, b, c, d, e].iter().all(Result::is_ok));
        assert!(matches!(refused, Err(Error::Conflict)));
        let statistics = counters.read();
        assert_eq!((statistics.items, statistics.transactions, statistics.group_items_max), (7, 2, 6));
        assert_eq!(keys(&writer).await, ["a", "b", "c", "d", "e"]);
    }

    #[tokio::test]
    async fn full_disk_fails_the_request_and_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, counters) = start(directory.path());
        writer.write(0, put("before", 10)).await.unwrap();
        let fill = |connection: &Connection| {
            let pages: i64 = connection.query_row("PRAGMA page_count", (), |row| row.get(0))?;
            // A limit that is asked for as a query, because it answers.
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), (), |_| Ok(()))?)
        };
        writer.write(0, fill).await.unwrap();
        let full = writer.write(0, put("too large", 1_000_000)).await;
        let Err(Error::Failed { context, .. }) = full else {
            panic!("{full:?} is no failure");
        };
        assert!(context.contains("no space left") && context.contains("test.db"), "{context}");
        assert_eq!(counters.read().failures, 1);
        // The limit went with the connection: there is space again.
        writer.write(0, put("after", 1_000_000)).await.unwrap();
        assert_eq!(keys(&writer).await, ["after", "before"]);
    }

    #[tokio::test]
    async fn fault_of_one_request_rolls_its_whole_group_back() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, _) = start(directory.path());
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let holding = writer.write(0, move |connection| {
            gate.recv().expect("the test lets it go");
            put("first", 1)(connection)
        });
        let faulty = writer.write(0, |connection| {
            put("half", 1)(connection)?;
            Err::<(), _>(Refusal::Broken(rusqlite::Error::InvalidQuery))
        });
        let (held, last, fault, ()) =
            tokio::join!(holding, writer.write(0, put("last", 1)), faulty, async { release.send(()).unwrap() });
        assert!(matches!(fault, Err(Error::Failed { .. })), "{fault:?}");
        // Whether the first one was in that group is a matter of timing; each answer is true either way.
        let expected: Vec<&str> = [("first", held), ("last", last)]
            .into_iter()
            .filter(|(_, answer)| answer.is_ok())
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys(&writer).await, expected);
        assert!(expected.len() < 2, "the fault hit nobody");
    }

    #[tokio::test]
    async fn failed_commit_is_unknown_and_the_file_is_opened_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, counters) = start(directory.path());
        let fail_at_commit = |connection: &Connection| {
            connection.commit_hook(Some(|| true));
            put("lost", 10)(connection)
        };
        let unknown = writer.write(0, fail_at_commit).await;
        assert!(matches!(unknown, Err(Error::Unknown(_))), "{unknown:?}");
        assert_eq!(counters.read().failures, 1);
        // The hook went with the connection.
        writer.write(0, put("after", 10)).await.unwrap();
        assert_eq!(keys(&writer).await, ["after"]);
    }

    #[tokio::test]
    async fn write_ahead_log_has_its_room_from_the_start_if_commits_wait_for_it() {
        for (flush, expected) in [(Flush::EachCommit, true), (Flush::Sometimes, false)] {
            let directory = tempfile::tempdir().unwrap();
            let database = Database::new(directory.path().join("test.db"), &schema::MAIN, flush);
            // What the file holds already stays, also after its process has died without closing it.
            let first = database.open().unwrap();
            put("kept", 10)(&first).unwrap();
            std::mem::forget(first);
            let connection = database.writer().unwrap();
            assert_eq!(connection.query_row("SELECT count(*) FROM documents", (), |row| row.get(0)), Ok(1));
            let wal_bytes = std::fs::metadata(directory.path().join("test.db-wal")).unwrap().len();
            assert_eq!(wal_bytes > 16_000_000, expected, "{flush:?}: {wal_bytes}");
        }
    }

    #[tokio::test]
    async fn long_write_ahead_log_is_used_again_from_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, _) = start(directory.path());
        for number in 0..40 {
            writer.write(0, put(&number.to_string(), 1_000_000)).await.unwrap();
        }
        // One request more than fills it: what is in the way of the file's start has been moved.
        let wal_bytes = std::fs::metadata(directory.path().join("test.db-wal")).unwrap().len();
        assert!(wal_bytes < 20_000_000, "{wal_bytes}");
    }

    #[tokio::test]
    async fn dropping_waits_for_what_is_queued() {
        let directory = tempfile::tempdir().unwrap();
        let (writer, counters) = start(directory.path());
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let held = async {
            let holding = writer.write(0, move |_| {
                gate.recv().expect("the test lets it go");
                Ok(())
            });
            // Whoever asked goes away; the requests are queued and stay.
            tokio::select! {
                biased;
                _ = holding => {}
                _ = writer.write(0, put("queued", 1)) => {}
                () = async {} => {}
            }
        };
        held.await;
        release.send(()).unwrap();
        drop(writer);
        assert_eq!(counters.read().items, 2);
        let (writer, _) = start(directory.path());
        assert_eq!(keys(&writer).await, ["queued"]);
    }
}
