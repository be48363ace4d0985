//! Documents on SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writer::Refusal;
use super::{Sqlite, rows};
use crate::catalog::{Catalog, Document, Kind, Put, Revision};
use crate::error::Error;

#[async_trait]
impl Catalog for Sqlite {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        let key = key.to_owned();
        let read = move |connection: &Connection| {
            connection
                .prepare_cached("SELECT revision, body FROM documents WHERE kind = ?1 AND key = ?2")?
                .query_row(params![kind.as_str(), key], document)
                .optional()
        };
        self.main.readers.read(read).await
    }

    async fn put(&self, kind: Kind, key: &str, seen: Option<Revision>, body: String) -> Result<Revision, Error> {
        let key = key.to_owned();
        let bytes = key.len() + body.len();
        let write = move |connection: &Connection| {
            if revision(connection, kind, &key)? != seen {
                return Err(Refusal::Rejected(Error::Conflict));
            }
            Ok(replace(connection, kind, &key, &body)?)
        };
        self.main.writer.write(bytes, write).await
    }

    async fn put_all(&self, puts: Vec<Put>) -> Result<(), Error> {
        let bytes = puts.iter().map(|put| put.key.len() + put.body.len()).sum();
        let write = move |connection: &Connection| {
            // Nothing may be changed before it is known that all can be.
            for Put { kind, key, seen, .. } in &puts {
                if revision(connection, *kind, key)? != *seen {
                    return Err(Refusal::Rejected(Error::Conflict));
                }
            }
            for Put { kind, key, body, .. } in &puts {
                replace(connection, *kind, key, body)?;
            }
            Ok(())
        };
        self.main.writer.write(bytes, write).await
    }

    async fn delete(&self, kind: Kind, key: &str, seen: Revision) -> Result<(), Error> {
        let key = key.to_owned();
        let write = move |connection: &Connection| {
            if revision(connection, kind, &key)? != Some(seen) {
                return Err(Refusal::Rejected(Error::Conflict));
            }
            Ok(remove(connection, kind, &key)?)
        };
        self.main.writer.write(0, write).await
    }

    async fn list(&self, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<(String, Document)>, Error> {
        let after = after.map(str::to_owned);
        let read = move |connection: &Connection| {
            // No key is before the empty one, which may be a key itself.
            let sql = match after {
                Some(_) => {
                    "SELECT revision, body, key FROM documents WHERE kind = ?1 AND key > ?2 ORDER BY key LIMIT ?3"
                }
                None => "SELECT revision, body, key FROM documents WHERE kind = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            };
            let mut statement = connection.prepare_cached(sql)?;
            let after = after.unwrap_or_default();
            let found = statement
                .query_map(params![kind.as_str(), after, rows(limit)], |row| Ok((row.get(2)?, document(row)?)))?;
            found.collect()
        };
        self.main.readers.read(read).await
    }

    async fn settle(&self) -> Result<(), Error> {
        // Whatever is queued comes first.
        self.main.writer.write(0, |_| Ok(())).await
    }
}

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document { revision: Revision(row.get(0)?), body: row.get(1)? })
}

fn revision(connection: &Connection, kind: Kind, key: &str) -> rusqlite::Result<Option<Revision>> {
    connection
        .prepare_cached("SELECT revision FROM documents WHERE kind = ?1 AND key = ?2")?
        .query_row(params![kind.as_str(), key], |row| row.get(0).map(Revision))
        .optional()
}

fn replace(connection: &Connection, kind: Kind, key: &str, body: &str) -> rusqlite::Result<Revision> {
    remove(connection, kind, key)?;
    connection.prepare_cached("INSERT INTO documents (kind, key, body) VALUES (?1, ?2, ?3)")?.execute(params![
        kind.as_str(),
        key,
        body
    ])?;
    Ok(Revision(connection.last_insert_rowid()))
}

fn remove(connection: &Connection, kind: Kind, key: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2")?
        .execute(params![kind.as_str(), key])?;
    Ok(())
}
