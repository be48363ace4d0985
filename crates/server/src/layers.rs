//! Layers with their versions, as the catalog keeps them: one document for each layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_api::layer::LayerReference;
use everstep_core::id::Place;
use everstep_core::limits::PAGE_ITEMS_MAX;
use everstep_store::{Catalog, Error as StoreError, Kind, Revision};
use everstep_worker::code::{self, Pin};
use everstep_worker::limits::CODE_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::functions::CodeFacts;
use crate::http::error::Error;
use crate::limits::LAYERS_MAX;
use crate::policy::Policy;

/// A layer. It stays when its last version is deleted, because numbers are never used again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The versions there are.
    pub versions: BTreeMap<u64, LayerVersion>,
    /// The number that the next version gets.
    pub next_version: u64,
}

/// A version of a layer. Of it only the policy ever changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// What is in it.
    pub code: CodeFacts,
    /// When it was published, in milliseconds since the epoch.
    pub created_millis: i64,
    /// Words for people.
    pub description: String,
    /// Under which terms it may be used.
    pub license_info: Option<String>,
    /// The runtimes that it is meant for: any if there is none.
    pub compatible_runtimes: Vec<String>,
    /// The architectures that it is meant for: any if there is none.
    pub compatible_architectures: Vec<String>,
    /// Who else may use it.
    #[serde(default)]
    pub policy: Policy,
}

/// A version of a layer that a function uses. It goes on using it when the version is deleted, as on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedLayer {
    /// Its ARN.
    pub arn: String,
    /// What is in it.
    pub code: CodeFacts,
}

/// The layers of this server.
#[derive(Clone)]
pub struct Layers {
    catalog: Arc<dyn Catalog>,
    place: Place,
}

impl Layers {
    /// Opens the layers of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>, place: Place) -> Self {
        Self { catalog, place }
    }

    /// Returns the ARN of a layer.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:layer:{name}", self.place.region, self.place.account)
    }

    /// Reads the name or the ARN of a layer of this server.
    ///
    /// # Errors
    /// AWS's, if it is none.
    pub fn parse(&self, text: &str) -> Result<LayerReference, Error> {
        let reference = LayerReference::parse(text).filter(|reference| reference.version.is_none());
        reference.filter(|reference| reference.is_in(&self.place)).ok_or_else(|| {
            let shown: String = text.chars().take(140).collect();
            Error::validation(format!(
                "1 validation error detected: Value '{shown}' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:\\d{{12}}:layer:[a-zA-Z0-9-_]{{1,140}}|[a-zA-Z0-9-_]{{1,140}})"
            ))
        })
    }

    /// Returns a layer.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(&self, name: &str) -> Result<Option<(Layer, Revision)>, Error> {
        let Some(document) = self.catalog.get(Kind::Layer, name).await? else { return Ok(None) };
        Ok(Some((read(name, &document.body)?, document.revision)))
    }

    /// Returns a version of a layer.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub async fn find(&self, name: &str, version: u64) -> Result<LayerVersion, Error> {
        let found = self.load(name).await?.and_then(|(mut layer, _)| layer.versions.remove(&version));
        found.ok_or_else(|| Error::not_found("The resource you requested does not exist."))
    }

    /// Publishes the next version of a layer. Returns its number.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish(&self, name: &str, version: &LayerVersion) -> Result<u64, Error> {
        loop {
            let (mut layer, seen) = match self.load(name).await? {
                Some((layer, revision)) => (layer, Some(revision)),
                None => (Layer { name: name.into(), versions: BTreeMap::new(), next_version: 1 }, None),
            };
            let number = layer.next_version;
            layer.next_version += 1;
            layer.versions.insert(number, version.clone());
            match self.catalog.put(Kind::Layer, name, seen, write(&layer)).await {
                Ok(_) => return Ok(number),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Changes the policy of a version. Returns it.
    ///
    /// # Errors
    /// What `change` refuses, and `ResourceNotFoundException`.
    pub async fn change_policy(
        &self,
        name: &str,
        version: u64,
        change: impl Fn(&mut Policy) -> Result<(), Error>,
    ) -> Result<Policy, Error> {
        loop {
            let missing = || Error::not_found("The resource you requested does not exist.");
            let (mut layer, revision) = self.load(name).await?.ok_or_else(missing)?;
            let policy = &mut layer.versions.get_mut(&version).ok_or_else(missing)?.policy;
            change(policy)?;
            let changed = policy.clone();
            match self.catalog.put(Kind::Layer, name, Some(revision), write(&layer)).await {
                Ok(_) => return Ok(changed),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Deletes a version of a layer; it need not be there.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &str, version: u64) -> Result<(), Error> {
        loop {
            let Some((mut layer, revision)) = self.load(name).await? else { return Ok(()) };
            if layer.versions.remove(&version).is_none() {
                return Ok(());
            }
            match self.catalog.put(Kind::Layer, name, Some(revision), write(&layer)).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns layers whose names follow `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<Layer>, Error> {
        let documents = self.catalog.list(Kind::Layer, after, limit).await?;
        documents.into_iter().map(|(name, document)| read(&name, &document.body)).collect()
    }

    /// Returns every layer.
    ///
    /// # Errors
    /// The store's.
    pub async fn all(&self) -> Result<Vec<Layer>, Error> {
        let mut all: Vec<Layer> = Vec::new();
        loop {
            let after = all.last().map(|layer| layer.name.clone());
            let page = self.list(after.as_deref(), PAGE_ITEMS_MAX).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Finds the layers that a function is to use, in their order.
    ///
    /// # Errors
    /// AWS's, if there are too many, one twice, or one that is not there.
    pub async fn resolve(&self, arns: &[String]) -> Result<Vec<UsedLayer>, Error> {
        if arns.len() > LAYERS_MAX {
            return Err(Error::invalid_parameter(format!("Cannot reference more than {LAYERS_MAX} layers.")));
        }
        let mut names = Vec::new();
        let mut used = Vec::new();
        for arn in arns {
            let missing = || no_layer(arn);
            let reference = LayerReference::parse(arn).filter(|_| arn.starts_with("arn:"));
            let Some(LayerReference { name, version: Some(version), .. }) =
                reference.filter(|reference| reference.is_in(&self.place))
            else {
                return Err(missing());
            };
            if names.contains(&name) {
                return Err(Error::invalid_parameter(
                    "Two different versions of the same layer are not allowed to be referenced in the same function.",
                ));
            }
            let found = self.load(&name).await?.and_then(|(mut layer, _)| layer.versions.remove(&version));
            used.push(UsedLayer { arn: arn.clone(), code: found.ok_or_else(missing)?.code });
            names.push(name);
        }
        Ok(used)
    }
}

/// Returns the names of layers' packages in the code store, in their order.
pub fn digests(layers: &[UsedLayer]) -> Vec<String> {
    layers.iter().map(|layer| layer.code.digest.clone()).collect()
}

/// Gets the layers of a function ready, if they and its code are not too large together. Returns what keeps them in the
/// store until the function's document names them.
///
/// # Errors
/// AWS's, if they are, or if one was deleted meanwhile.
pub async fn prepare(store: &Arc<code::Store>, code: &CodeFacts, layers: &[UsedLayer]) -> Result<Vec<Pin>, Error> {
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let replaced = || Error::conflict("The operation cannot be performed at this time. An update is in progress.");
    let mut pins = vec![store.pin(&code.digest).ok_or_else(replaced)?];
    for UsedLayer { arn, code } in layers {
        pins.push(store.pin(&code.digest).ok_or_else(|| no_layer(arn))?);
    }
    let (store, code, digests) = (Arc::clone(store), code.digest.clone(), digests(layers));
    let prepared = tokio::task::spawn_blocking(move || {
        let mut bytes = store.unzipped_bytes(&code)?;
        for digest in &digests {
            bytes += store.unzipped_bytes(digest)?;
        }
        let merge = check_size(bytes).is_ok().then(|| store.merge(&digests)).transpose()?;
        Ok::<_, code::Error>((bytes, merge))
    });
    match prepared.await.expect("merging does not panic") {
        Ok((bytes, merge)) => {
            pins.extend(merge);
            check_size(bytes).map(|()| pins)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "layers could not be merged");
            Err(Error::service("The layers could not be merged; the server's log says why."))
        }
    }
}

fn no_layer(arn: &str) -> Error {
    Error::invalid_parameter(format!("Layer version {arn} does not exist."))
}

/// Checks what code and layers come to together, in bytes.
fn check_size(bytes: u64) -> Result<(), Error> {
    if bytes <= CODE_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!(
        "Function code combined with layers exceeds the maximum allowed size of {CODE_BYTES_MAX} bytes. The actual size is {bytes} bytes."
    )))
}

fn read(name: &str, body: &str) -> Result<Layer, Error> {
    serde_json::from_str(body).map_err(|error| {
        tracing::error!(layer.name = name, %error, "the document of a layer cannot be read");
        Error::service("The layer's document cannot be read; the server's log says why.")
    })
}

fn write(layer: &Layer) -> String {
    serde_json::to_string(layer).expect("a layer serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_layers_hold_their_limit_together() {
        assert_eq!(check_size(262_144_000), Ok(()));
        assert!(check_size(262_144_001).unwrap_err().message.contains("The actual size is 262144001 bytes."));
    }
}
