//! Documents in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;

use super::{Memory, lock};
use crate::catalog::{Catalog, Document, Kind, Put, Revision};
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct State {
    documents: BTreeMap<(Kind, String), Document>,
    last_revision: i64,
}

impl State {
    fn put(&mut self, kind: Kind, key: String, body: String) -> Revision {
        self.last_revision += 1;
        let revision = Revision(self.last_revision);
        self.documents.insert((kind, key), Document { revision, body });
        revision
    }

    fn revision(&self, kind: Kind, key: &str) -> Option<Revision> {
        self.documents.get(&(kind, key.to_owned())).map(|document| document.revision)
    }
}

#[async_trait]
impl Catalog for Memory {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        Ok(lock(&self.catalog).documents.get(&(kind, key.to_owned())).cloned())
    }

    async fn put(&self, kind: Kind, key: &str, seen: Option<Revision>, body: String) -> Result<Revision, Error> {
        let mut state = lock(&self.catalog);
        if state.revision(kind, key) != seen {
            return Err(Error::Conflict);
        }
        Ok(state.put(kind, key.to_owned(), body))
    }

    async fn put_all(&self, puts: Vec<Put>) -> Result<(), Error> {
        let mut state = lock(&self.catalog);
        if puts.iter().any(|put| state.revision(put.kind, &put.key) != put.seen) {
            return Err(Error::Conflict);
        }
        for Put { kind, key, body, .. } in puts {
            state.put(kind, key, body);
        }
        Ok(())
    }

    async fn delete(&self, kind: Kind, key: &str, seen: Revision) -> Result<(), Error> {
        let mut state = lock(&self.catalog);
        if state.revision(kind, key) != Some(seen) {
            return Err(Error::Conflict);
        }
        state.documents.remove(&(kind, key.to_owned()));
        Ok(())
    }

    async fn list(&self, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<(String, Document)>, Error> {
        let first = match after {
            Some(key) => Bound::Excluded((kind, key.to_owned())),
            None => Bound::Included((kind, String::new())),
        };
        let state = lock(&self.catalog);
        let following = state.documents.range((first, Bound::Unbounded));
        let of_kind = following.take_while(|((other, _), _)| *other == kind);
        Ok(of_kind.take(limit).map(|((_, key), document)| (key.clone(), document.clone())).collect())
    }

    async fn settle(&self) -> Result<(), Error> {
        Ok(())
    }
}
