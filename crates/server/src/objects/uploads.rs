//! Uploads in several parts: each part is kept by itself until they are put together, or given up.
//!
//! Putting together moves no bytes: the object refers to those of its parts. A part counts once its document is there.

use std::collections::BTreeMap;

use everstep_store::{Catalog, Error as StoreError, Kind};
use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksum, etag_of_parts};
use super::content::{Held, Piece};
use super::{Condition, Error, Object, Objects, Version, in_bucket, read, write};
use crate::limits::{DOCUMENTS_READ, PART_BYTES_MIN};

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The key of the object that it is to become.
    pub key: String,
    /// When it was begun, in milliseconds since the epoch.
    pub begun_millis: i64,
    /// What the object will be beside its bytes.
    pub object: Object,
    /// How its parts are checked, if that was asked for.
    pub algorithm: Option<Algorithm>,
    /// Whether the checksum of the object is made of those of its parts.
    pub composite: bool,
}

impl Upload {
    /// Returns by which algorithm the checksums of its parts are kept.
    pub fn kept_algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its bytes.
    pub piece: Piece,
    /// Its MD5, in hexadecimal digits, which is its `ETag`.
    pub md5: String,
    /// What its bytes can be checked with.
    pub checksum: Checksum,
    /// When it came, in milliseconds since the epoch.
    pub modified_millis: i64,
}

/// A part as the caller names it to put the parts together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its number.
    pub number: u32,
    /// Its `ETag`, without quotes.
    pub etag: String,
    /// Its checksum, if the caller says what it is.
    pub checksum: Option<String>,
}

/// How parts are to be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Which parts.
    pub parts: Vec<Named>,
    /// The checksum of the object, if the caller says what it is.
    pub checksum: Option<String>,
    /// What must be so for the object to be written.
    pub condition: Condition,
}

/// Why parts cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// One is not there, or another one is there.
    #[error("part {0} is not there, or is another one")]
    Invalid(u32),
    /// They are not in the order of their numbers, or none is named.
    #[error("the parts are not in the order of their numbers")]
    Order,
    /// There are none.
    #[error("no part is named")]
    None,
    /// Their bytes do not have the checksum that the caller says.
    #[error("the parts do not have the {name} checksum that was given", name = .0.name())]
    Checksum(Algorithm),
    /// One that is not the last is too small.
    #[error("part {number} has {size} bytes")]
    TooSmall {
        /// Its number.
        number: u32,
        /// Its length, in bytes.
        size: u64,
    },
}

impl Objects {
    /// Begins an upload. Returns its id.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or the store's.
    pub async fn begin_upload(&self, bucket: &str, upload: &Upload) -> Result<String, Error> {
        let _gate = self.gate.read().await;
        self.bucket(bucket).await?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        self.catalog.put(Kind::Upload, &format!("{bucket}/{id}"), None, write(upload)).await?;
        Ok(id)
    }

    /// Returns an upload to a key.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], or the store's.
    pub async fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload, Error> {
        let missing = || Error::NoSuchUpload(id.into());
        self.bucket(bucket).await?;
        let stored = format!("{bucket}/{id}");
        let document = self.catalog.get(Kind::Upload, &stored).await?.ok_or_else(missing)?;
        let upload: Upload = read(&stored, &document)?;
        if upload.key == key { Ok(upload) } else { Err(missing()) }
    }

    /// Adds a part to an upload, in place of the one that has its number.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], or the store's.
    pub async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        number: u32,
        part: &Part,
        mut held: Held,
    ) -> Result<(), Error> {
        let _gate = self.gate.read().await;
        self.upload(bucket, key, id).await?;
        let stored = part_key(id, number);
        loop {
            let before = self.catalog.get(Kind::Part, &stored).await?;
            let replaced: Option<Part> = before.as_ref().map(|document| read(&stored, document)).transpose()?;
            let seen = before.map(|document| document.revision);
            held.hand_over();
            match self.catalog.put(Kind::Part, &stored, seen, write(part)).await {
                Ok(_) => {
                    self.content.release(replaced.into_iter().map(|part| part.piece).collect()).await;
                    return Ok(());
                }
                Err(StoreError::Conflict) => held.take_back(),
                // If nobody knows whether it was written, its bytes stay; the next start knows.
                Err(error @ StoreError::Unknown(_)) => return Err(error.into()),
                Err(error) => {
                    held.take_back();
                    return Err(error.into());
                }
            }
        }
    }

    /// Returns the parts of an upload, by their numbers.
    ///
    /// # Errors
    /// The store's.
    pub async fn parts(&self, id: &str) -> Result<BTreeMap<u32, Part>, Error> {
        let first = format!("{id}/");
        let mut after = first.clone();
        let mut parts = BTreeMap::new();
        loop {
            let page = self.catalog.list(Kind::Part, Some(&after), DOCUMENTS_READ).await?;
            let Some((last, _)) = page.last() else { return Ok(parts) };
            after = last.clone();
            for (stored, document) in &page {
                let Some(number) = stored.strip_prefix(&first).and_then(|number| number.parse().ok()) else {
                    return Ok(parts);
                };
                parts.insert(number, read(stored, document)?);
            }
        }
    }

    /// Puts the parts that are named together to the object, if its checksum is the one that the caller says, and ends the
    /// upload.
    ///
    /// # Errors
    /// [`Error::Parts`], [`Error::NoSuchUpload`], or those of [`Objects::put`].
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        completion: &Completion,
        now_millis: i64,
    ) -> Result<Version, Error> {
        let Completion { parts, checksum, condition } = completion;
        // Alone: no part comes while they are put together.
        let gate = self.gate.write().await;
        let upload = self.upload(bucket, key, id).await?;
        let chosen = choose(parts, &self.parts(id).await?, upload.algorithm.is_some())?;
        let algorithm = upload.kept_algorithm();
        let values: Vec<_> = chosen.iter().map(|part| (part.checksum.value.as_str(), part.piece.size)).collect();
        let whole = Checksum::of_parts(algorithm, upload.composite, &values);
        if checksum.as_ref().is_some_and(|given| whole.as_ref().is_none_or(|whole| whole.value != *given)) {
            return Err(PartsError::Checksum(algorithm).into());
        }
        let pieces: Vec<Piece> = chosen.iter().map(|part| part.piece.clone()).collect();
        let held = self.content.hold_all(&pieces).expect("the upload refers to its parts");
        let object = Object {
            size: pieces.iter().map(|piece| piece.size).sum(),
            etag: etag_of_parts(chosen.iter().map(|part| part.md5.as_str())),
            checksum: whole,
            pieces,
            ..upload.object
        };
        let version = self.put_within(bucket, key, object, held, condition, now_millis).await?;
        // If the server dies here, the upload is there yet, and putting it together again makes the same object.
        self.end_upload(bucket, id).await?;
        drop(gate);
        self.forget_parts(id).await;
        Ok(version)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], or the store's.
    pub async fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> Result<(), Error> {
        let gate = self.gate.write().await;
        self.upload(bucket, key, id).await?;
        self.end_upload(bucket, id).await?;
        drop(gate);
        self.forget_parts(id).await;
        Ok(())
    }

    /// Returns the uploads to a bucket with their ids, in the order of their keys and beginnings.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], or the store's.
    pub async fn uploads(&self, bucket: &str) -> Result<Vec<(String, Upload)>, Error> {
        self.bucket(bucket).await?;
        let mut after = format!("{bucket}/");
        let mut uploads = Vec::new();
        'pages: loop {
            let page = self.catalog.list(Kind::Upload, Some(&after), DOCUMENTS_READ).await?;
            let Some((last, _)) = page.last() else { break };
            after = last.clone();
            for (stored, document) in &page {
                let Some(id) = in_bucket(bucket, stored) else { break 'pages };
                uploads.push((id.to_string(), read::<Upload>(stored, document)?));
            }
        }
        uploads.sort_by(|(_, one), (_, other)| (&one.key, one.begun_millis).cmp(&(&other.key, other.begun_millis)));
        Ok(uploads)
    }

    async fn end_upload(&self, bucket: &str, id: &str) -> Result<(), Error> {
        let stored = format!("{bucket}/{id}");
        if let Some(document) = self.catalog.get(Kind::Upload, &stored).await? {
            self.catalog.delete(Kind::Upload, &stored, document.revision).await?;
        }
        Ok(())
    }

    /// Removes the parts of an upload that has ended. What is left of them is removed by the next start.
    async fn forget_parts(&self, id: &str) {
        let forgotten = async {
            for (number, part) in self.parts(id).await? {
                let stored = part_key(id, number);
                if let Some(document) = self.catalog.get(Kind::Part, &stored).await? {
                    self.catalog.delete(Kind::Part, &stored, document.revision).await?;
                    self.content.release(vec![part.piece]).await;
                }
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "parts of an upload that has ended are still there"
            );
        }
    }
}

/// Returns the bytes that parts refer to, and removes the parts whose upload is gone.
pub(super) async fn pieces(catalog: &dyn Catalog) -> Result<Vec<Piece>, Error> {
    let mut ids = std::collections::BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = catalog.list(Kind::Upload, after.as_deref(), DOCUMENTS_READ).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        ids.extend(page.iter().filter_map(|(stored, _)| stored.rsplit_once('/')).map(|(_, id)| id.to_string()));
    }
    let mut pieces = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = catalog.list(Kind::Part, after.as_deref(), DOCUMENTS_READ).await?;
        let Some((last, _)) = page.last() else { return Ok(pieces) };
        after = Some(last.clone());
        for (stored, document) in &page {
            if stored.split_once('/').is_some_and(|(id, _)| ids.contains(id)) {
                pieces.push(read::<Part>(stored, document)?.piece);
            } else {
                catalog.delete(Kind::Part, stored, document.revision).await?;
            }
        }
    }
}

/// Returns the parts that are named, in their order. Whether what the caller says of their checksums counts is a matter of
/// whether one was asked for.
fn choose(named: &[Named], parts: &BTreeMap<u32, Part>, with_checksums: bool) -> Result<Vec<Part>, PartsError> {
    if named.is_empty() {
        return Err(PartsError::None);
    }
    if named.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(PartsError::Order);
    }
    let chosen = named.iter().map(|Named { number, etag, checksum }| {
        let checksum = checksum.as_ref().filter(|_| with_checksums);
        let is_meant =
            |part: &&Part| part.md5 == *etag && checksum.is_none_or(|checksum| part.checksum.value == *checksum);
        parts.get(number).filter(is_meant).cloned().ok_or(PartsError::Invalid(*number))
    });
    let chosen: Vec<Part> = chosen.collect::<Result<_, _>>()?;
    let all_but_last = named.iter().zip(&chosen).take(named.len() - 1);
    match all_but_last.into_iter().find(|(_, part)| part.piece.size < PART_BYTES_MIN) {
        Some((Named { number, .. }, part)) => Err(PartsError::TooSmall { number: *number, size: part.piece.size }),
        None => Ok(chosen),
    }
}

fn part_key(id: &str, number: u32) -> String {
    format!("{id}/{number:05}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(size: u64) -> Part {
        let checksum = Checksum { algorithm: Algorithm::Crc32, value: "AAAAAA==".into(), composite: false };
        Part { piece: Piece { digest: String::new(), size }, md5: "e".into(), checksum, modified_millis: 0 }
    }

    #[track_caller]
    fn check(sizes: &[u64], named: &[(u32, &str, Option<&str>)], expected: Result<usize, PartsError>) {
        let parts: BTreeMap<u32, Part> = (1..).zip(sizes.iter().map(|size| part(*size))).collect();
        let name = |(number, etag, checksum): &(u32, &str, Option<&str>)| Named {
            number: *number,
            etag: etag.to_string(),
            checksum: checksum.map(Into::into),
        };
        let named: Vec<Named> = named.iter().map(name).collect();
        assert_eq!(choose(&named, &parts, true).map(|chosen| chosen.len()), expected, "{sizes:?} {named:?}");
    }

    #[test]
    fn parts_are_put_together_if_they_are_those_that_are_meant() {
        let (least, e) = (PART_BYTES_MIN, "e");
        check(&[least, 1], &[(1, e, None), (2, e, Some("AAAAAA=="))], Ok(2));
        check(&[least, 1, 1], &[(1, e, None), (3, e, None)], Ok(2));
        check(&[1], &[(1, e, None)], Ok(1));
        check(&[1], &[], Err(PartsError::None));
        check(&[least, 1], &[(2, e, None), (1, e, None)], Err(PartsError::Order));
        check(&[least, 1], &[(1, e, None), (1, e, None)], Err(PartsError::Order));
        check(&[1], &[(2, e, None)], Err(PartsError::Invalid(2)));
        check(&[1], &[(1, "f", None)], Err(PartsError::Invalid(1)));
        check(&[1], &[(1, e, Some("BBBBBB=="))], Err(PartsError::Invalid(1)));
        let small = PartsError::TooSmall { number: 1, size: least - 1 };
        check(&[least - 1, 1], &[(1, e, None), (2, e, None)], Err(small));
    }
}
