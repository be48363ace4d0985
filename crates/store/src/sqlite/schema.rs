//! The tables of each file, by version, and the way from one version to the next.
//!
//! A step that was released is never changed: a new version is a new step, and the fixtures of every earlier
//! version still open.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::failure;
use crate::error::Error;

/// What a file is to hold.
#[derive(Debug)]
pub(super) struct Schema {
    /// The `application_id` that tells the file from others.
    application_id: i32,
    /// `steps[n]` leads from version `n` to `n + 1`; an empty file has version 0.
    steps: &'static [&'static str],
}

/// Executions and catalog: `EVST`.
pub(super) static MAIN: Schema = Schema { application_id: 0x4556_5354, steps: &[include_str!("schema/main_1.sql")] };

/// Logs: `EVSL`.
pub(super) static LOGS: Schema = Schema { application_id: 0x4556_534c, steps: &[include_str!("schema/logs_1.sql")] };

impl Schema {
    fn newest(&self) -> usize {
        self.steps.len()
    }

    /// Returns the version of the file, 0 if it is empty. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Failed`] if the file is damaged, foreign or of a newer version.
    pub(super) fn check(&self, connection: &Connection, path: &Path) -> Result<usize, Error> {
        let failed = |error| failure::file(path, error);
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
        let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
        if (application_id, version, tables) == (0, 0, 0) {
            return Ok(0);
        }
        let shown = path.display();
        if application_id != self.application_id {
            return Err(failure::refused(format!(
                "`{shown}` is a database of another program: choose another --data directory"
            )));
        }
        let newest = self.newest();
        match usize::try_from(version) {
            Ok(version) if (1..=newest).contains(&version) => Ok(version),
            Ok(_) | Err(_) => Err(failure::refused(format!(
                "`{shown}` was written by a newer everstep (schema {version}, this one knows {newest}): use that version or another --data directory"
            ))),
        }
    }

    /// Brings the file from `version` to the newest one, all or nothing.
    pub(super) fn migrate(&self, connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
        if version == self.newest() {
            return Ok(());
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for step in &self.steps[version..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", i64::try_from(self.newest()).expect("versions are few"))?;
        transaction.commit()
    }
}
