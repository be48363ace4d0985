//! Read-only connections: a few, each used by one reader at a time, never in the way of the writer.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::database::Database;
use super::failure;
use crate::error::Error;

/// Most connections that read a file at the same time.
const READERS_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shared {
    database: Database,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(database: Database) -> Self {
        let shared = Arc::new(Shared { database, idle: Mutex::default() });
        Self { shared, turns: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// Returns the file that is read.
    pub(super) fn database(&self) -> &Database {
        &self.shared.database
    }

    /// Runs `read` on a thread that may block. All that it reads is of one moment.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the semaphore");
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            shared.read(read)
        });
        match reading.await {
            Ok(read) => read.map_err(|error| failure::file(self.shared.database.path(), error)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(failure::closed(self.shared.database.path())),
        }
    }
}

impl Shared {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.database.reader()?,
        };
        let transaction = connection.unchecked_transaction()?;
        let value = read(&transaction)?;
        transaction.finish()?;
        // A connection that met an error is not kept.
        idle().push(connection);
        Ok(value)
    }
}
