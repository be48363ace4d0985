//! One database file: its birth, its checks, its connections.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::FallocateFlags;

use super::failure;
use super::schema::Schema;
use super::writer::CHECKPOINT_PAGES;
use crate::error::Error;

/// Bytes of a page. Fixed when the file is born: older files have pages of 4096 bytes, and keep them.
///
/// A checkpoint adds some hundred bytes to two pages, which are written whole; a large payload is cut into pages. This
/// writes a third less for each checkpoint than 4096, and half as many pages for a payload as 1024.
const PAGE_BYTES: u32 = 2048;

/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 32 * 1024;

/// Page cache of each reader, in KiB.
const READER_CACHE_KIB: i64 = 4 * 1024;

/// What is left of a write-ahead log that had to grow over this, in bytes.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// What a write-ahead log has of the disk from the start, in bytes: as much as it holds before it is used again. A log
/// that grows makes each commit wait for its length to be written as well, which doubles the time.
const WAL_BYTES_RESERVED: u64 = (PAGE_BYTES as u64 + 24) * CHECKPOINT_PAGES as u64;

/// Prepared statements that a connection keeps; more than there are.
const STATEMENTS_KEPT: usize = 128;

/// How long to wait for another program that has the file locked, in milliseconds.
const BUSY_MILLIS_MAX: u32 = 5_000;

/// When the disk is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// At each commit: what is acknowledged is on disk.
    EachCommit,
    /// Now and then: a machine that dies may take the last moments with it.
    Sometimes,
}

/// A database file that this process may use.
#[derive(Clone, Debug)]
pub(super) struct Database {
    path: PathBuf,
    schema: &'static Schema,
    flush: Flush,
}

impl Database {
    pub(super) fn new(path: PathBuf, schema: &'static Schema, flush: Flush) -> Self {
        Self { path, schema, flush }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn flush(&self) -> Flush {
        self.flush
    }

    /// Opens the file for the first time in this process: creates it, checks it, brings it up to date.
    pub(super) fn open(&self) -> Result<Connection, Error> {
        self.create()?;
        let failed = |error| failure::file(&self.path, error);
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
        let version = self.schema.check(&connection, &self.path)?;
        if version == 0 {
            be_born(&connection).map_err(failed)?;
        }
        self.schema.migrate(&mut connection, version).map_err(failed)?;
        self.prepare_to_write(&connection).map_err(failed)?;
        Ok(connection)
    }

    /// Opens the file for writing once more.
    pub(super) fn writer(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        self.prepare_to_write(&connection)?;
        Ok(connection)
    }

    /// Opens the file for reading.
    pub(super) fn reader(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        Ok(connection)
    }

    /// Creates the file, empty and readable for nobody else, if it is not there.
    fn create(&self) -> Result<(), Error> {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failure::directory(self.path.parent().unwrap_or(&self.path), error)),
        }
    }

    fn connect(&self, mode: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.pragma_update(None, "busy_timeout", BUSY_MILLIS_MAX)?;
        // Notices damage when a page is read rather than later.
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    }

    fn prepare_to_write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        match self.flush {
            Flush::EachCommit => self.reserve_wal(),
            Flush::Sometimes => {}
        }
        connection.pragma_update(
            None,
            "synchronous",
            match self.flush {
                Flush::EachCommit => "FULL",
                Flush::Sometimes => "NORMAL",
            },
        )?;
        // What is deleted is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        // The writer thread does it, when nobody waits.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
    }

    /// Reserves room for the write-ahead log. Without it everything works as well: a full disk is noticed by who
    /// writes, and some file systems cannot do it.
    fn reserve_wal(&self) {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        let reserve = || {
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&wal)?;
            // Where the system has no such call it is made up, and may shorten what is longer.
            if file.metadata()?.len() < WAL_BYTES_RESERVED {
                rustix::fs::fallocate(file, FallocateFlags::empty(), 0, WAL_BYTES_RESERVED)?;
            }
            std::io::Result::Ok(())
        };
        if let Err(error) = reserve() {
            tracing::debug!(file = %self.path.display(), %error, "no room is reserved for the write-ahead log");
        }
    }
}

/// Sets what can hardly be changed once there are tables.
fn be_born(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}
