//! Repositories of images that somebody asked for. They are noted down, and nothing stands behind them: images are
//! neither kept nor run here.

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_core::id::Place;
use everstep_store::{Catalog, Error as StoreError, Kind};
use serde::{Deserialize, Serialize};

use crate::documents::Documents;
use crate::limits::REPOSITORIES_MAX;

/// A repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// Whether tags of images could be moved.
    pub tag_mutability: String,
    /// Whether images would be scanned.
    pub scan_on_push: bool,
    /// The tags of the repository itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Why a repository was not noted down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is there.
    #[error("the repository is there already")]
    Exists,
    /// There are too many.
    #[error("there are too many repositories")]
    TooMany,
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The repositories of this server.
pub struct Repositories {
    documents: Documents<Repository>,
    place: Place,
}

impl Repositories {
    /// Opens the repositories of a catalog.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, place: Place) -> Result<Self, StoreError> {
        Ok(Self { documents: Documents::open(catalog, Kind::Repository).await?, place })
    }

    /// Returns the ARN of a repository.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{name}", self.place.region, self.place.account)
    }

    /// Returns where images of a repository would be.
    pub fn uri(&self, name: &str) -> String {
        format!("{}.dkr.ecr.{}.amazonaws.com/{name}", self.place.account, self.place.region)
    }

    /// Returns the id of the registry: the account.
    pub fn registry(&self) -> String {
        self.place.account.to_string()
    }

    /// Returns a repository.
    pub fn find(&self, name: &str) -> Option<Arc<Repository>> {
        self.documents.get(name)
    }

    /// Returns every repository, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Repository>> {
        self.documents.all()
    }

    /// Notes a repository down.
    ///
    /// # Errors
    /// If there is one of that name, or too many.
    pub async fn create(&self, repository: Repository) -> Result<(), Error> {
        if self.documents.len() >= REPOSITORIES_MAX {
            return Err(Error::TooMany);
        }
        let name = repository.name.clone();
        if self.documents.create(&name, repository).await? { Ok(()) } else { Err(Error::Exists) }
    }

    /// Changes a repository. Returns whether it is there.
    ///
    /// # Errors
    /// What `change` refuses, and the store's.
    pub async fn change<E: From<StoreError>>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Repository) -> Result<(), E>,
    ) -> Result<bool, E> {
        Ok(self.documents.change(name, change).await?.is_some())
    }

    /// Forgets a repository. Returns it, if it was there.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &str) -> Result<Option<Arc<Repository>>, StoreError> {
        self.documents.delete(name, |_| Ok::<_, StoreError>(())).await
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[tokio::test]
    async fn there_may_be_so_many_repositories() {
        let place = crate::config::Config::new(std::path::Path::new("/")).place();
        let repositories = Repositories::open(Arc::new(Memory::new()), place).await.unwrap();
        let create = |name: String| {
            repositories.create(Repository {
                name,
                created_at_millis: 0,
                tag_mutability: "MUTABLE".into(),
                scan_on_push: false,
                tags: BTreeMap::new(),
            })
        };
        for number in 0..REPOSITORIES_MAX {
            create(number.to_string()).await.unwrap();
        }
        assert!(matches!(create("one more".into()).await, Err(Error::TooMany)));
        repositories.delete("0").await.unwrap();
        assert!(matches!(create("1".into()).await, Err(Error::Exists)));
        create("one more".into()).await.unwrap();
    }
}
