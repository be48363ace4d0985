//! The SQLite store: two files in a directory that one server uses at a time.
//!
//! `everstep.db` holds executions and the catalog and waits for the disk at each commit; `logs.db` holds what
//! functions print and does not. Each file has one writer thread, which commits whatever is queued in one
//! transaction, and a few read-only connections. Start reading at `writer.rs`; the tables are in `schema/*.sql`.

mod backup;
mod catalog;
mod database;
mod executions;
mod failure;
mod list;
mod lock;
mod logs;
mod readers;
mod schema;
mod space;
mod statistics;
mod writer;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

pub use self::backup::FILES;
use self::database::{Database, Flush};
use self::lock::Lock;
use self::readers::Readers;
use self::statistics::Counters;
pub use self::statistics::Statistics;
use self::writer::Writer;
use crate::error::Error;

/// Keeps everything in a directory.
///
/// Dropping it waits until what is queued is written and the files are closed. Its methods need a Tokio runtime.
#[derive(Debug)]
pub struct Sqlite {
    main: Served,
    logs: Served,
    /// Dropped last: nobody else may open the files before they are closed.
    _lock: Lock,
}

/// A file with the threads that serve it.
#[derive(Debug)]
struct Served {
    readers: Readers,
    /// Dropped after the readers: the last connection moves the write-ahead log into the file, and only one that writes can.
    writer: Writer,
    counters: Arc<Counters>,
}

impl Sqlite {
    /// Opens the store in `directory`, which is created if it does not exist, and holds it until dropped.
    ///
    /// # Errors
    /// [`Error::Failed`] if another server uses the directory, if a file in it is damaged, foreign or written by a
    /// newer version, or if the directory cannot be created or written. What is in it is left as it was.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        create_directory(directory)?;
        let lock = Lock::take(directory)?;
        let main = Served::open(Database::new(directory.join(FILES[0]), &schema::MAIN, Flush::EachCommit))?;
        let logs = Served::open(Database::new(directory.join(FILES[1]), &schema::LOGS, Flush::Sometimes))?;
        // The names of new files must be on disk before anything in them is acknowledged.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| failure::directory(directory, error))?;
        Ok(Self { main, logs, _lock: lock })
    }

    /// Returns what was written to executions and catalog since the store was opened.
    pub fn statistics(&self) -> Statistics {
        self.main.counters.read()
    }

    /// Returns what was written to logs since the store was opened.
    pub fn log_statistics(&self) -> Statistics {
        self.logs.counters.read()
    }
}

impl Served {
    fn open(database: Database) -> Result<Self, Error> {
        let connection = database.open()?;
        let counters = Arc::new(Counters::default());
        let writer = Writer::start(database.clone(), connection, Arc::clone(&counters))?;
        Ok(Self { readers: Readers::new(database), writer, counters })
    }
}

fn create_directory(directory: &Path) -> Result<(), Error> {
    if directory.is_dir() {
        return Ok(());
    }
    let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    created.map_err(|error| failure::directory(directory, error))?;
    match directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(|error| failure::directory(parent, error))
        }
        None => Ok(()),
    }
}

/// Makes a `LIMIT` of SQL.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
