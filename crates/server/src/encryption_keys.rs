//! Keys of KMS that somebody asked for, and their aliases. They are noted down, and nothing stands behind them: there is
//! no key material, so nothing is encrypted or signed with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_core::id::Place;
use everstep_store::{Catalog, Error as StoreError, Kind};
use serde::{Deserialize, Serialize};

use crate::documents::Documents;
use crate::limits::{ENCRYPTION_KEY_ALIASES_MAX, ENCRYPTION_KEYS_MAX};

/// A key, without any material.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncryptionKey {
    /// Its id.
    pub id: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// Words for people.
    pub description: String,
    /// `SYMMETRIC_DEFAULT`, say.
    pub spec: String,
    /// `ENCRYPT_DECRYPT`, say.
    pub usage: String,
    /// Whether it could be used.
    pub enabled: bool,
    /// The tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Another name of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// It begins with `alias/`.
    pub name: String,
    /// The id of the key.
    pub key: String,
    /// When it was created, in milliseconds since the epoch.
    pub created_at_millis: i64,
    /// When it was given to another key.
    pub updated_at_millis: i64,
}

/// Why something was not noted down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is an alias of that name.
    #[error("the alias is there already")]
    Exists,
    /// There is no such key or alias.
    #[error("there is no such key or alias")]
    Missing,
    /// There are too many.
    #[error("there are too many keys, or aliases of a key")]
    TooMany,
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keys of this server.
pub struct EncryptionKeys {
    keys: Documents<EncryptionKey>,
    aliases: Documents<Alias>,
    place: Place,
    /// Held by whoever changes which alias belongs to which key.
    naming: tokio::sync::Mutex<()>,
}

impl EncryptionKeys {
    /// Opens the keys of a catalog.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, place: Place) -> Result<Self, StoreError> {
        Ok(Self {
            keys: Documents::open(catalog.clone(), Kind::EncryptionKey).await?,
            aliases: Documents::open(catalog, Kind::EncryptionKeyAlias).await?,
            place,
            naming: tokio::sync::Mutex::default(),
        })
    }

    /// Returns the account that the keys belong to.
    pub fn account(&self) -> String {
        self.place.account.to_string()
    }

    /// Returns the ARN of a key, by its id, or of an alias, by its name.
    pub fn arn(&self, id: &str) -> String {
        let kind = if id.starts_with("alias/") { "" } else { "key/" };
        format!("{}{kind}{id}", self.arn_prefix())
    }

    /// Returns a key by its id, its ARN, the name of an alias or the ARN of one.
    pub fn find(&self, named: &str) -> Option<Arc<EncryptionKey>> {
        let id = self.name_of(named);
        match self.aliases.get(id) {
            Some(alias) => self.keys.get(&alias.key),
            None => self.keys.get(id),
        }
    }

    /// Returns what a key or an alias is called, which may be named by its ARN.
    pub fn name_of<'a>(&self, named: &'a str) -> &'a str {
        let name = named.strip_prefix(&self.arn_prefix()).unwrap_or(named);
        name.strip_prefix("key/").unwrap_or(name)
    }

    /// Returns an alias.
    pub fn alias(&self, name: &str) -> Option<Arc<Alias>> {
        self.aliases.get(name)
    }

    /// Returns every key, in the order of their ids.
    pub fn all(&self) -> Vec<Arc<EncryptionKey>> {
        self.keys.all()
    }

    /// Returns every alias, in the order of their names.
    pub fn aliases(&self) -> Vec<Arc<Alias>> {
        self.aliases.all()
    }

    /// Notes a key down.
    ///
    /// # Errors
    /// If there are too many.
    pub async fn create(&self, key: EncryptionKey) -> Result<(), Error> {
        if self.keys.len() >= ENCRYPTION_KEYS_MAX {
            return Err(Error::TooMany);
        }
        let id = key.id.clone();
        let created = self.keys.create(&id, key).await?;
        assert!(created, "an id that was just drawn is new");
        Ok(())
    }

    /// Changes a key.
    ///
    /// # Errors
    /// If there is no such key.
    pub async fn change(&self, id: &str, change: impl FnOnce(&mut EncryptionKey)) -> Result<(), Error> {
        let change = |key: &mut EncryptionKey| {
            change(key);
            Ok::<_, Error>(())
        };
        self.keys.change(id, change).await?.map(drop).ok_or(Error::Missing)
    }

    /// Forgets a key and its aliases.
    ///
    /// # Errors
    /// If there is no such key.
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let _naming = self.naming.lock().await;
        for alias in self.aliases.all().iter().filter(|alias| alias.key == id) {
            self.aliases.delete(&alias.name, |_| Ok::<_, Error>(())).await?;
        }
        self.keys.delete(id, |_| Ok::<_, Error>(())).await?.map(drop).ok_or(Error::Missing)
    }

    /// Gives a key another name.
    ///
    /// # Errors
    /// If the name is taken, there is no such key, or it has too many names.
    pub async fn name(&self, name: &str, key: &str, now_millis: i64) -> Result<(), Error> {
        let _naming = self.naming.lock().await;
        self.check_can_be_named(key)?;
        let (created_at_millis, updated_at_millis) = (now_millis, now_millis);
        let alias = Alias { name: name.into(), key: key.into(), created_at_millis, updated_at_millis };
        if self.aliases.create(name, alias).await? { Ok(()) } else { Err(Error::Exists) }
    }

    /// Gives a name to another key.
    ///
    /// # Errors
    /// If there is no such name or key, or the key has too many names.
    pub async fn rename(&self, name: &str, key: &str, now_millis: i64) -> Result<(), Error> {
        let _naming = self.naming.lock().await;
        if self.aliases.get(name).is_some_and(|alias| alias.key == key) {
            return Ok(());
        }
        self.check_can_be_named(key)?;
        let change = |alias: &mut Alias| {
            alias.key = key.into();
            alias.updated_at_millis = now_millis;
            Ok::<_, Error>(())
        };
        self.aliases.change(name, change).await?.map(drop).ok_or(Error::Missing)
    }

    /// Forgets a name.
    ///
    /// # Errors
    /// If there is none.
    pub async fn forget_name(&self, name: &str) -> Result<(), Error> {
        let _naming = self.naming.lock().await;
        self.aliases.delete(name, |_| Ok::<_, Error>(())).await?.map(drop).ok_or(Error::Missing)
    }

    fn check_can_be_named(&self, key: &str) -> Result<(), Error> {
        self.keys.get(key).ok_or(Error::Missing)?;
        let names = self.aliases.all().iter().filter(|alias| alias.key == key).count();
        if names < ENCRYPTION_KEY_ALIASES_MAX { Ok(()) } else { Err(Error::TooMany) }
    }

    fn arn_prefix(&self) -> String {
        format!("arn:aws:kms:{}:{}:", self.place.region, self.place.account)
    }
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    async fn opened() -> EncryptionKeys {
        let place = crate::config::Config::new(std::path::Path::new("/")).place();
        EncryptionKeys::open(Arc::new(Memory::new()), place).await.unwrap()
    }

    fn key(id: &str) -> EncryptionKey {
        EncryptionKey {
            id: id.into(),
            created_at_millis: 0,
            description: String::new(),
            spec: "SYMMETRIC_DEFAULT".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            enabled: true,
            tags: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn there_may_be_so_many_keys() {
        let keys = opened().await;
        for number in 0..ENCRYPTION_KEYS_MAX {
            keys.create(key(&number.to_string())).await.unwrap();
        }
        assert!(matches!(keys.create(key("one more")).await, Err(Error::TooMany)));
    }

    #[tokio::test]
    async fn a_key_may_have_so_many_names_also_if_they_come_from_another_key() {
        let keys = opened().await;
        keys.create(key("1")).await.unwrap();
        keys.create(key("2")).await.unwrap();
        for number in 0..ENCRYPTION_KEY_ALIASES_MAX {
            keys.name(&format!("alias/{number}"), "1", 0).await.unwrap();
        }
        keys.name("alias/of-2", "2", 0).await.unwrap();
        assert!(matches!(keys.name("alias/one-more", "1", 0).await, Err(Error::TooMany)));
        assert!(matches!(keys.rename("alias/of-2", "1", 0).await, Err(Error::TooMany)));
        keys.rename("alias/0", "1", 0).await.unwrap();
        keys.rename("alias/0", "2", 0).await.unwrap();
        keys.name("alias/one-more", "1", 0).await.unwrap();
    }

    #[tokio::test]
    async fn names_go_with_their_key() {
        let keys = opened().await;
        keys.create(key("1")).await.unwrap();
        keys.name("alias/a", "1", 0).await.unwrap();
        for named in ["1", "alias/a", &keys.arn("1"), &keys.arn("alias/a")] {
            assert_eq!(keys.find(named).map(|key| key.id.clone()), Some("1".into()), "{named}");
        }
        keys.delete("1").await.unwrap();
        assert!(keys.aliases().is_empty());
        assert!(matches!(keys.name("alias/a", "1", 0).await, Err(Error::Missing)));
    }
}
