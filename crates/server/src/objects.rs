//! Buckets and what is in them, as Amazon S3 has them: an index in the catalog over bytes in files.
//!
//! The document of a key lists the versions of its object. Bytes are on disk before a document names them, and let go of
//! after the last one that did is gone: what was acknowledged is there, and nothing half-done stays. It knows nothing of
//! HTTP; start reading at [`Objects::put`].

pub mod checksum;
pub mod content;
pub mod uploads;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use everstep_store::{Catalog, Document, Error as StoreError, Kind, Revision};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;

use crate::limits::{BUCKETS_MAX, DOCUMENTS_READ, OBJECT_VERSIONS_MAX};
use checksum::Checksum;
use content::{Content, Held, Piece, Reader};

/// A bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// Whether it keeps the versions of its objects.
    pub versioning: Versioning,
    /// What else was set, by the name of the setting, as it was sent.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Whether it was there from the start, and nobody has created one of that name since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub born: bool,
}

/// Whether a bucket keeps the versions of its objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// It never did.
    #[default]
    Off,
    /// It does.
    Enabled,
    /// It did once; those of that time are still there.
    Suspended,
}

/// A version of what is at a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its id: [`NULL`] if versions were not kept when it was made.
    pub id: String,
    /// When it was made, in milliseconds since the epoch.
    pub modified_millis: i64,
    /// The object; a version without one says that the object was deleted.
    pub object: Option<Object>,
}

/// The id of the version that is made while versions are not kept.
pub const NULL: &str = "null";

/// An object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its bytes.
    pub pieces: Vec<Piece>,
    /// How many bytes it has.
    pub size: u64,
    /// Its `ETag`, without quotes.
    pub etag: String,
    /// What its bytes can be checked with.
    #[serde(default)]
    pub checksum: Option<Checksum>,
    /// Headers that came with it and are returned with it, by their names in small letters.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The metadata of its owner.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Why something was not done. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such bucket.
    #[error("no bucket `{0}`")]
    NoSuchBucket(String),
    /// The bucket is there already.
    #[error("the bucket `{0}` is there already")]
    BucketExists(String),
    /// There are objects or uploads in the bucket.
    #[error("the bucket `{0}` is not empty")]
    BucketNotEmpty(String),
    /// There are as many buckets as there may be.
    #[error("there are {BUCKETS_MAX} buckets")]
    TooManyBuckets,
    /// There is no such object.
    #[error("no object `{0}`")]
    NoSuchKey(String),
    /// There is no such version of the object.
    #[error("no version `{1}` of `{0}`")]
    NoSuchVersion(String, String),
    /// The version says that the object was deleted.
    #[error("version `{1}` of `{0}` is a delete marker")]
    IsDeleteMarker(String, String),
    /// There is no such upload.
    #[error("no upload `{0}`")]
    NoSuchUpload(String),
    /// The object is not as the caller expects it.
    #[error("the object is not as `{0}` expects it")]
    PreconditionFailed(&'static str),
    /// The object has as many versions as it may have.
    #[error("`{0}` has {OBJECT_VERSIONS_MAX} versions")]
    TooManyVersions(String),
    /// The parts of an upload do not fit together.
    #[error(transparent)]
    Parts(#[from] uploads::PartsError),
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk's fault.
    #[error("bytes could not be read or written")]
    Disk(#[from] std::io::Error),
}

/// What must be so for an object to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Anything.
    Always,
    /// There is no object.
    Absent,
    /// There is an object with this `ETag`.
    Matches(String),
}

/// Which objects to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Those whose keys begin like that.
    pub prefix: String,
    /// What ends the part of a key, behind the prefix, up to which keys are listed as one.
    pub delimiter: Option<String>,
    /// Those that come after this one.
    pub after: Option<String>,
    /// At most so many, common prefixes counted too.
    pub limit: usize,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A key, with its versions, the newest one last.
    Key(String, Vec<Version>),
    /// What several keys begin with.
    Prefix(String),
}

impl Entry {
    /// Returns the key or the prefix.
    pub fn name(&self) -> &str {
        match self {
            Self::Key(name, _) | Self::Prefix(name) => name,
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries, in the order of their names.
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What came of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was deleted, or that was made to say so.
    pub version_id: Option<String>,
    /// Whether that version says that the object was deleted.
    pub delete_marker: bool,
}

/// The buckets of this server.
pub struct Objects {
    catalog: Arc<dyn Catalog>,
    content: Content,
    /// Shared by who adds to a bucket or an upload, alone for who ends one: nothing is added to what is gone.
    gate: RwLock<()>,
}

impl Objects {
    /// Opens the buckets of a catalog, whose bytes are below a data directory.
    ///
    /// # Errors
    /// If the store or the directory cannot be read, or what is in them.
    pub async fn open(catalog: Arc<dyn Catalog>, data: &Path) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut after = None;
        loop {
            let page = catalog.list(Kind::Object, after.as_deref(), DOCUMENTS_READ).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (key, document) in &page {
                pieces.extend(read::<Vec<Version>>(key, document)?.into_iter().flat_map(pieces_of));
            }
        }
        pieces.extend(uploads::pieces(&*catalog).await?);
        let data = data.to_path_buf();
        let content = tokio::task::spawn_blocking(move || Content::open(&data, pieces));
        let content = content.await.expect("opening does not panic")?;
        Ok(Self { catalog, content, gate: RwLock::default() })
    }

    /// Returns where bytes are taken in.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Creates a bucket.
    ///
    /// # Errors
    /// [`Error::BucketExists`], [`Error::TooManyBuckets`], or the store's.
    pub async fn create_bucket(&self, name: &str, now_millis: i64) -> Result<(), Error> {
        self.put_bucket(name, Bucket { created_millis: now_millis, ..Bucket::default() }).await
    }

    async fn put_bucket(&self, name: &str, bucket: Bucket) -> Result<(), Error> {
        let _gate = self.gate.write().await;
        match self.bucket(name).await {
            // What the server was born with gives way; what is in it and what was set on it stay.
            Ok(known) if known.born => return self.change_bucket(name, |known| known.born = false).await,
            Ok(_) => return Err(Error::BucketExists(name.into())),
            Err(Error::NoSuchBucket(_)) => {}
            Err(error) => return Err(error),
        }
        if self.catalog.list(Kind::Bucket, None, BUCKETS_MAX).await?.len() == BUCKETS_MAX {
            return Err(Error::TooManyBuckets);
        }
        self.catalog.put(Kind::Bucket, name, None, write(&bucket)).await?;
        Ok(())
    }

    /// Creates a bucket that the server has from its first start on; once deleted it stays so.
    ///
    /// # Errors
    /// The store's.
    pub async fn be_born_with(&self, name: &str, now_millis: i64) -> Result<(), Error> {
        if !self.catalog.list(Kind::Bucket, None, 1).await?.is_empty() {
            return Ok(());
        }
        self.put_bucket(name, Bucket { created_millis: now_millis, born: true, ..Bucket::default() }).await
    }

    /// Returns a bucket.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or the store's.
    pub async fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        let document = self.catalog.get(Kind::Bucket, name).await?;
        read(name, &document.ok_or_else(|| Error::NoSuchBucket(name.into()))?)
    }

    /// Returns every bucket, in the order of their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn buckets(&self) -> Result<Vec<(String, Bucket)>, Error> {
        let documents = self.catalog.list(Kind::Bucket, None, BUCKETS_MAX).await?;
        documents.into_iter().map(|(name, document)| Ok((name.clone(), read(&name, &document)?))).collect()
    }

    /// Changes a bucket. Returns what `change` does.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or the store's.
    pub async fn change_bucket<T>(&self, name: &str, mut change: impl FnMut(&mut Bucket) -> T) -> Result<T, Error> {
        loop {
            let document = self.catalog.get(Kind::Bucket, name).await?;
            let document = document.ok_or_else(|| Error::NoSuchBucket(name.into()))?;
            let mut bucket: Bucket = read(name, &document)?;
            let outcome = change(&mut bucket);
            match self.catalog.put(Kind::Bucket, name, Some(document.revision), write(&bucket)).await {
                Ok(_) => return Ok(outcome),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes a bucket in which nothing is.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::BucketNotEmpty`], or the store's.
    pub async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        let _gate = self.gate.write().await;
        let document = self.catalog.get(Kind::Bucket, name).await?;
        let revision = document.ok_or_else(|| Error::NoSuchBucket(name.into()))?.revision;
        for kind in [Kind::Object, Kind::Upload] {
            let first = self.catalog.list(kind, Some(&format!("{name}/")), 1).await?;
            if first.first().is_some_and(|(key, _)| in_bucket(name, key).is_some()) {
                return Err(Error::BucketNotEmpty(name.into()));
            }
        }
        Ok(self.catalog.delete(Kind::Bucket, name, revision).await?)
    }

    /// Writes an object, whose bytes are held, if the one before it is as expected. Returns the version that was made.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::PreconditionFailed`], [`Error::TooManyVersions`], or the store's.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        held: Vec<Held>,
        condition: &Condition,
        now_millis: i64,
    ) -> Result<Version, Error> {
        let _gate = self.gate.read().await;
        self.put_within(bucket, key, object, held, condition, now_millis).await
    }

    /// The same for who has passed the gate.
    async fn put_within(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        mut held: Vec<Held>,
        condition: &Condition,
        now_millis: i64,
    ) -> Result<Version, Error> {
        let versioning = self.bucket(bucket).await?.versioning;
        let id = match versioning {
            Versioning::Enabled => new_version_id(),
            Versioning::Off | Versioning::Suspended => NULL.to_string(),
        };
        let version = Version { id, modified_millis: now_millis, object: Some(object) };
        held.iter_mut().for_each(Held::hand_over);
        let written = self
            .change(bucket, key, |versions| {
                let current = versions.last().and_then(|version| version.object.as_ref());
                match condition {
                    Condition::Always => {}
                    Condition::Absent if current.is_none() => {}
                    Condition::Absent => return Err(Error::PreconditionFailed("If-None-Match")),
                    Condition::Matches(etag) => match current {
                        None => return Err(Error::NoSuchKey(key.into())),
                        Some(object) if object.etag == *etag => {}
                        Some(_) => return Err(Error::PreconditionFailed("If-Match")),
                    },
                }
                Ok(((), add(key, versions, version.clone())?))
            })
            .await;
        // If nobody knows whether the document was written, its bytes stay; the next start knows.
        if !matches!(written, Ok(()) | Err(Error::Store(StoreError::Unknown(_)))) {
            held.iter_mut().for_each(Held::take_back);
        }
        written.map(|()| version)
    }

    /// Returns an object: a version of it, or the newest one.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`], [`Error::NoSuchVersion`], [`Error::IsDeleteMarker`], or the store's.
    pub async fn find(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<(Version, Object), Error> {
        let versions = self.versions(bucket, key).await?.0;
        let found = match version_id {
            None => versions.into_iter().next_back(),
            Some(id) => Some(
                versions
                    .into_iter()
                    .find(|version| version.id == id)
                    .ok_or_else(|| Error::NoSuchVersion(key.into(), id.into()))?,
            ),
        };
        let missing = || Error::NoSuchKey(key.into());
        let version = found.ok_or_else(missing)?;
        match version.object.clone() {
            Some(object) => Ok((version, object)),
            None => Err(Error::IsDeleteMarker(key.into(), version.id)),
        }
    }

    /// Opens an object to be read as a file: a version of it, or the newest one.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<(Version, Object, Reader), Error> {
        loop {
            let (version, object) = self.find(bucket, key, version_id).await?;
            // It may have been replaced since the document was read.
            if let Some(held) = self.content.hold_all(&object.pieces) {
                return Ok((version, object, Reader::new(held)));
            }
        }
    }

    /// Changes the tags of an object. Returns the version that has them.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn tag(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Result<Version, Error> {
        let (found, _) = self.find(bucket, key, version_id).await?;
        self.change(bucket, key, |versions| {
            let missing = || Error::NoSuchKey(key.into());
            let version = versions.iter_mut().find(|version| version.id == found.id).ok_or_else(missing)?;
            version.object.as_mut().ok_or_else(missing)?.tags.clone_from(tags);
            Ok((version.clone(), Vec::new()))
        })
        .await
    }

    /// Deletes an object, or a version of it. It need not be there.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::TooManyVersions`], or the store's.
    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        now_millis: i64,
    ) -> Result<Deleted, Error> {
        let _gate = self.gate.read().await;
        let versioning = self.bucket(bucket).await?.versioning;
        self.change(bucket, key, |versions| {
            if let Some(id) = version_id {
                let gone = take(versions, id);
                let delete_marker = gone.iter().any(|version| version.object.is_none());
                return Ok((Deleted { version_id: Some(id.into()), delete_marker }, gone));
            }
            let id = match versioning {
                Versioning::Off => return Ok((Deleted::default(), take(versions, NULL))),
                Versioning::Enabled => new_version_id(),
                Versioning::Suspended => NULL.to_string(),
            };
            let marker = Version { id: id.clone(), modified_millis: now_millis, object: None };
            let gone = add(key, versions, marker)?;
            Ok((Deleted { version_id: Some(id), delete_marker: true }, gone))
        })
        .await
    }

    /// Returns a page of the keys of a bucket, those too of which only older versions are left.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or the store's.
    pub async fn list(&self, bucket: &str, query: &Query, wanted: impl Fn(&[Version]) -> bool) -> Result<Page, Error> {
        self.bucket(bucket).await?;
        let Query { prefix, delimiter, after, limit } = query;
        let common = |key: &str| {
            let delimiter = delimiter.as_ref().filter(|delimiter| !delimiter.is_empty())?;
            let at = key.strip_prefix(prefix.as_str())?.find(delimiter.as_str())?;
            Some(key[..prefix.len() + at + delimiter.len()].to_string())
        };
        let mut page = Page::default();
        if *limit == 0 {
            return Ok(page);
        }
        // The keys under a common prefix are passed over at once.
        let past = |prefix: &str| format!("{bucket}/{prefix}{}", char::MAX);
        let first = format!("{bucket}/{prefix}");
        let mut position = match after {
            Some(after) if common(after).as_ref() == Some(after) => past(after),
            Some(after) => format!("{bucket}/{after}"),
            None => String::new(),
        };
        let mut found = Vec::new();
        if position < first {
            // The catalog lists what follows a key: the key that is the prefix itself is looked up.
            found.extend(self.catalog.get(Kind::Object, &first).await?.map(|document| (first.clone(), document)));
            position = first;
        }
        loop {
            let listed = self.catalog.list(Kind::Object, Some(&position), DOCUMENTS_READ.min(limit + 1)).await?;
            let end = listed.is_empty();
            found.extend(listed);
            for (stored, document) in std::mem::take(&mut found) {
                if stored < position {
                    continue;
                }
                let Some(key) = in_bucket(bucket, &stored).filter(|key| key.starts_with(prefix.as_str())) else {
                    return Ok(page);
                };
                position.clone_from(&stored);
                let versions: Vec<Version> = read(&stored, &document)?;
                if !wanted(&versions) {
                    continue;
                }
                if page.entries.len() == *limit {
                    page.truncated = true;
                    return Ok(page);
                }
                match common(key) {
                    Some(prefix) => {
                        position = past(&prefix);
                        page.entries.push(Entry::Prefix(prefix));
                    }
                    None => page.entries.push(Entry::Key(key.into(), versions)),
                }
            }
            if end {
                return Ok(page);
            }
        }
    }

    /// Returns the versions of a key, the newest one last; none if there is no such key.
    async fn versions(&self, bucket: &str, key: &str) -> Result<(Vec<Version>, Option<Revision>), Error> {
        let stored = stored_key(bucket, key);
        match self.catalog.get(Kind::Object, &stored).await? {
            Some(document) => Ok((read(&stored, &document)?, Some(document.revision))),
            None => {
                self.bucket(bucket).await?;
                Ok((Vec::new(), None))
            }
        }
    }

    /// Changes the versions of a key, and tries again if somebody else changed them meanwhile. `change` says too which
    /// versions are gone; their bytes are let go of.
    async fn change<T>(
        &self,
        bucket: &str,
        key: &str,
        mut change: impl FnMut(&mut Vec<Version>) -> Result<(T, Vec<Version>), Error>,
    ) -> Result<T, Error> {
        let stored = stored_key(bucket, key);
        loop {
            let (mut versions, seen) = self.versions(bucket, key).await?;
            let (outcome, gone) = change(&mut versions)?;
            let written = match (seen, versions.is_empty()) {
                (None, true) => Ok(()),
                (Some(revision), true) => self.catalog.delete(Kind::Object, &stored, revision).await,
                (seen, false) => self.catalog.put(Kind::Object, &stored, seen, write(&versions)).await.map(|_| ()),
            };
            match written {
                Ok(()) => {
                    self.content.release(gone.into_iter().flat_map(pieces_of).collect()).await;
                    return Ok(outcome);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Adds a version as the newest one. Returns the one that it replaces: of the id [`NULL`] there is only one.
fn add(key: &str, versions: &mut Vec<Version>, version: Version) -> Result<Vec<Version>, Error> {
    let replaced = if version.id == NULL { take(versions, NULL) } else { Vec::new() };
    if versions.len() >= OBJECT_VERSIONS_MAX {
        return Err(Error::TooManyVersions(key.into()));
    }
    versions.push(version);
    Ok(replaced)
}

/// Takes out the version with an id, if it is there.
fn take(versions: &mut Vec<Version>, id: &str) -> Vec<Version> {
    versions.extract_if(.., |version| version.id == id).collect()
}

fn pieces_of(version: Version) -> Vec<Piece> {
    version.object.map(|object| object.pieces).unwrap_or_default()
}

fn stored_key(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

/// Returns the key of what is stored, if it is of this bucket.
fn in_bucket<'k>(bucket: &str, stored: &'k str) -> Option<&'k str> {
    stored.strip_prefix(bucket)?.strip_prefix('/')
}

fn new_version_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn read<T: for<'d> Deserialize<'d>>(key: &str, document: &Document) -> Result<T, Error> {
    serde_json::from_str(&document.body).map_err(|error| {
        Error::Store(StoreError::Failed {
            context: format!("the document `{key}` of a bucket cannot be read: restore it from a backup"),
            source: Some(error.into()),
        })
    })
}

fn write(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("it serialises")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use async_trait::async_trait;
    use everstep_store::Put;
    use everstep_store::memory::Memory;

    use super::*;

    /// A store that writes and never says so.
    #[derive(Default)]
    struct Silent(Memory);

    #[async_trait]
    impl Catalog for Silent {
        async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, StoreError> {
            self.0.get(kind, key).await
        }

        async fn put(
            &self,
            kind: Kind,
            key: &str,
            seen: Option<Revision>,
            body: String,
        ) -> Result<Revision, StoreError> {
            let written = self.0.put(kind, key, seen, body).await;
            if kind == Kind::Object {
                std::future::pending::<()>().await;
            }
            written
        }

        async fn put_all(&self, puts: Vec<Put>) -> Result<(), StoreError> {
            self.0.put_all(puts).await
        }

        async fn delete(&self, kind: Kind, key: &str, seen: Revision) -> Result<(), StoreError> {
            self.0.delete(kind, key, seen).await
        }

        async fn list(
            &self,
            kind: Kind,
            after: Option<&str>,
            limit: usize,
        ) -> Result<Vec<(String, Document)>, StoreError> {
            self.0.list(kind, after, limit).await
        }

        async fn settle(&self) -> Result<(), StoreError> {
            self.0.settle().await
        }
    }

    /// Takes bytes in and makes an object of them.
    async fn object(objects: &Objects, bytes: &[u8]) -> (Object, Vec<Held>) {
        let mut incoming = objects.content().begin().await.unwrap();
        incoming.write(bytes).await.unwrap();
        let held = incoming.finish().await.unwrap();
        (Object { pieces: vec![held.piece().clone()], size: held.piece().size, ..Object::default() }, vec![held])
    }

    #[tokio::test]
    async fn bytes_of_an_object_stay_when_whoever_writes_it_goes_away() {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(Arc::new(Silent::default()), data.path()).await.unwrap();
        objects.create_bucket("b", 1).await.unwrap();
        let (object, held) = object(&objects, b"bytes").await;
        tokio::select! {
            biased;
            _ = objects.put("b", "k", object, held, &Condition::Always, 2) => unreachable!("the store says nothing"),
            () = std::future::ready(()) => {}
        }
        let (_, _, mut reader) = objects.open_object("b", "k", None).await.unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bytes");
    }

    #[tokio::test]
    async fn bytes_of_an_object_that_is_refused_go() {
        let data = tempfile::tempdir().unwrap();
        let objects = Objects::open(Arc::new(Memory::new()), data.path()).await.unwrap();
        objects.create_bucket("b", 1).await.unwrap();
        let (object, held) = object(&objects, b"bytes").await;
        let condition = Condition::Matches("another".into());
        objects.put("b", "k", object, held, &condition, 2).await.unwrap_err();
        assert_eq!(data.path().join("objects").read_dir().unwrap().count(), 0);
    }
}
