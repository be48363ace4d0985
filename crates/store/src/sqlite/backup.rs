//! Copies of the files while the server works.

use std::path::Path;

use super::database::Database;
use super::{Sqlite, failure};
use crate::error::Error;

/// The files of a store, as they are called in its directory and in a copy of it.
pub const FILES: [&str; 2] = ["everstep.db", "logs.db"];

impl Sqlite {
    /// Writes a copy of each file into `directory`, which must not hold them yet: all that was acknowledged before is in it,
    /// and each copy is of one moment. Nobody waits for it meanwhile. Blocks.
    ///
    /// # Errors
    /// [`Error::Failed`] if a file cannot be read or a copy cannot be written, for example because the disk is full.
    pub fn copy_to(&self, directory: &Path) -> Result<(), Error> {
        for (served, name) in [&self.main, &self.logs].into_iter().zip(FILES) {
            copy(served.readers.database(), &directory.join(name))?;
        }
        Ok(())
    }
}

fn copy(database: &Database, target: &Path) -> Result<(), Error> {
    let failed = |error| failure::file(database.path(), error);
    // A connection of its own: this takes long, and the others are few.
    let connection = database.reader().map_err(failed)?;
    // It reads one moment and writes the copy without gaps; the source is only read.
    let target = target.to_str().ok_or_else(|| failure::refused("the directory of a copy has an odd name".into()))?;
    connection.execute("VACUUM INTO ?1", [target]).map(|_| ()).map_err(failed)
}
