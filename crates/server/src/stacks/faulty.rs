//! A catalog for tests, which fails once where a test wants it to.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use everstep_store::memory::Memory;
use everstep_store::{Catalog, Document, Error, Kind, Put, Revision};

/// A catalog in memory.
#[derive(Default)]
pub struct Faulty {
    memory: Memory,
    /// The next commit of several documents is made, but it is not known whether it was.
    pub loses_answer: AtomicBool,
    /// Documents of this kind cannot be listed the next time.
    pub cannot_list: Mutex<Option<Kind>>,
}

fn failed() -> Error {
    Error::Failed { context: "a test wants it so".into(), source: None }
}

#[async_trait]
impl Catalog for Faulty {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        self.memory.get(kind, key).await
    }

    async fn put(&self, kind: Kind, key: &str, seen: Option<Revision>, body: String) -> Result<Revision, Error> {
        self.memory.put(kind, key, seen, body).await
    }

    async fn put_all(&self, puts: Vec<Put>) -> Result<(), Error> {
        self.memory.put_all(puts).await?;
        if self.loses_answer.swap(false, Ordering::Relaxed) { Err(Error::Unknown(failed().into())) } else { Ok(()) }
    }

    async fn delete(&self, kind: Kind, key: &str, seen: Revision) -> Result<(), Error> {
        self.memory.delete(kind, key, seen).await
    }

    async fn list(&self, kind: Kind, after: Option<&str>, limit: usize) -> Result<Vec<(String, Document)>, Error> {
        if self.cannot_list.lock().unwrap().take_if(|unreadable| *unreadable == kind).is_some() {
            return Err(failed());
        }
        self.memory.list(kind, after, limit).await
    }

    async fn settle(&self) -> Result<(), Error> {
        self.memory.settle().await
    }
}
