//! A collection of documents that is small and asked all the time: held in memory, and written through to the catalog.
//!
//! What is read here is what is on disk: a document changes in memory after it was written, and this server is the only
//! one that writes it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use everstep_store::{Catalog, Document, Error as StoreError, Kind, Revision};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Documents of one kind.
pub struct Documents<T> {
    catalog: Arc<dyn Catalog>,
    kind: Kind,
    known: RwLock<BTreeMap<String, Known<T>>>,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<()>,
}

struct Known<T> {
    document: Arc<T>,
    revision: Revision,
}

/// Documents that are read at a time.
const PAGE: usize = 1_000;

impl<T: Clone + PartialEq + Serialize + DeserializeOwned> Documents<T> {
    /// Reads every document of a kind.
    ///
    /// # Errors
    /// The store's, also if it holds one that cannot be read.
    pub async fn open(catalog: Arc<dyn Catalog>, kind: Kind) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = catalog.list(kind, after.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            after = page.last().map(|(key, _)| key.clone());
            for (key, document) in page {
                let read = read(kind, &key, &document)?;
                known.insert(key, read);
            }
            if last {
                break;
            }
        }
        Ok(Self { catalog, kind, known: RwLock::new(known), writing: tokio::sync::Mutex::default() })
    }

    /// Returns a document.
    pub fn get(&self, key: &str) -> Option<Arc<T>> {
        self.read_known().get(key).map(|known| Arc::clone(&known.document))
    }

    /// Returns every document, in the order of their keys.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.read_known().values().map(|known| Arc::clone(&known.document)).collect()
    }

    /// Returns every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.read_known().keys().cloned().collect()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.read_known().len()
    }

    /// Creates a document. Returns whether there was none of that key.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, key: &str, document: T) -> Result<bool, StoreError> {
        let _writing = self.writing.lock().await;
        if self.get(key).is_some() {
            return Ok(false);
        }
        self.put(key, None, document).await?;
        Ok(true)
    }

    /// Changes a document. Returns it as it is now, `None` if there is none.
    ///
    /// # Errors
    /// What `change` refuses, and the store's.
    pub async fn change<E: From<StoreError>>(
        &self,
        key: &str,
        change: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Option<Arc<T>>, E> {
        let _writing = self.writing.lock().await;
        let Some((before, revision)) = self.at(key) else { return Ok(None) };
        let mut document = T::clone(&before);
        change(&mut document)?;
        if document == *before {
            return Ok(Some(before));
        }
        self.put(key, Some(revision), document).await?;
        Ok(self.get(key))
    }

    /// Removes a document if `may` has nothing against it. Returns it, `None` if there is none.
    ///
    /// # Errors
    /// What `may` refuses, and the store's.
    pub async fn delete<E: From<StoreError>>(
        &self,
        key: &str,
        may: impl FnOnce(&T) -> Result<(), E>,
    ) -> Result<Option<Arc<T>>, E> {
        let _writing = self.writing.lock().await;
        let Some((document, revision)) = self.at(key) else { return Ok(None) };
        may(&document)?;
        match self.catalog.delete(self.kind, key, revision).await {
            Ok(()) => {
                self.write_known().remove(key);
                Ok(Some(document))
            }
            Err(error) => {
                self.refresh(key).await;
                Err(error.into())
            }
        }
    }

    fn at(&self, key: &str) -> Option<(Arc<T>, Revision)> {
        self.read_known().get(key).map(|known| (Arc::clone(&known.document), known.revision))
    }

    async fn put(&self, key: &str, seen: Option<Revision>, document: T) -> Result<(), StoreError> {
        let body = serde_json::to_string(&document).expect("documents serialise");
        match self.catalog.put(self.kind, key, seen, body).await {
            Ok(revision) => {
                self.write_known().insert(key.into(), Known { document: Arc::new(document), revision });
                Ok(())
            }
            Err(error) => {
                self.refresh(key).await;
                Err(error)
            }
        }
    }

    /// Looks what is on disk, after a write of which that is not known.
    async fn refresh(&self, key: &str) {
        let Ok(found) = self.catalog.get(self.kind, key).await else { return };
        match found.map(|document| read(self.kind, key, &document)) {
            Some(Ok(read)) => drop(self.write_known().insert(key.into(), read)),
            None => drop(self.write_known().remove(key)),
            Some(Err(_)) => {}
        }
    }

    fn read_known(&self) -> RwLockReadGuard<'_, BTreeMap<String, Known<T>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_known(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Known<T>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<T: DeserializeOwned>(kind: Kind, key: &str, document: &Document) -> Result<Known<T>, StoreError> {
    let read = serde_json::from_str(&document.body).map_err(|error| StoreError::Failed {
        context: format!("the {} `{key}` in the store cannot be read: restore it from a backup", kind.as_str()),
        source: Some(error.into()),
    })?;
    Ok(Known { document: Arc::new(read), revision: document.revision })
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    async fn open(catalog: &Arc<Memory>) -> Documents<String> {
        Documents::open(catalog.clone(), Kind::Role).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_written_is_read_also_after_a_restart() {
        let catalog = Arc::new(Memory::new());
        let documents = open(&catalog).await;
        assert!(documents.create("b", "1".into()).await.unwrap());
        assert!(documents.create("a", "2".into()).await.unwrap());
        assert!(!documents.create("a", "3".into()).await.unwrap());
        let changed = documents.change::<StoreError>("a", |text| {
            text.push('!');
            Ok(())
        });
        assert_eq!(*changed.await.unwrap().unwrap(), "2!");
        assert_eq!(documents.change::<StoreError>("c", |_| Ok(())).await.unwrap(), None);
        for documents in [documents, open(&catalog).await] {
            let all: Vec<String> = documents.all().iter().map(|text| text.to_string()).collect();
            assert_eq!(all, ["2!", "1"]);
        }
        let documents = open(&catalog).await;
        assert!(documents.delete::<StoreError>("a", |_| Err(StoreError::Conflict)).await.is_err());
        assert_eq!(documents.delete::<StoreError>("a", |_| Ok(())).await.unwrap().unwrap().as_str(), "2!");
        assert_eq!((documents.len(), open(&catalog).await.len()), (1, 1));
    }

    #[tokio::test]
    async fn after_a_write_that_failed_memory_is_as_the_disk() {
        let catalog = Arc::new(Memory::new());
        let documents = open(&catalog).await;
        documents.create("a", "1".into()).await.unwrap();
        let document = catalog.get(Kind::Role, "a").await.unwrap().unwrap();
        catalog.put(Kind::Role, "a", Some(document.revision), "\"2\"".into()).await.unwrap();
        let changed = documents.change::<StoreError>("a", |text| {
            text.push('!');
            Ok(())
        });
        assert!(changed.await.is_err());
        assert_eq!(documents.get("a").unwrap().as_str(), "2");
    }
}
