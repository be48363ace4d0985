//! Parameters with their versions, as the catalog keeps them: one document for each.
//!
//! The value of a `SecureString` is kept as it is: a key beside it in the same data directory would hide it from nobody.
//! That directory is readable by its owner only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use everstep_core::id::Place;
use everstep_store::{Catalog, Error as StoreError, Kind, Revision};
use serde::{Deserialize, Serialize};

use crate::functions::now_millis;
use crate::http::error::Error;
use crate::identities::once;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `Standard` or `Advanced`.
    pub tier: String,
    /// `text` mostly.
    pub data_type: String,
    /// The key that the sender named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The newest versions, the newest last.
    pub versions: Vec<ParameterVersion>,
    /// Whether it was there from the start, and nobody has put one of that name since.
    #[serde(default)]
    pub born: bool,
}

/// A version of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParameterVersion {
    /// Its number.
    pub number: u64,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// Words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What values must be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_pattern: Option<String>,
    /// When it was put, in milliseconds since the epoch.
    pub modified_at_millis: i64,
    /// Who put it.
    pub modified_by: String,
    /// Names for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<String>,
}

impl Parameter {
    /// Returns the newest version.
    pub fn latest(&self) -> &ParameterVersion {
        self.versions.last().expect("a parameter has a version")
    }

    /// Returns the version of a number or a label.
    pub fn version(&self, selector: &str) -> Option<&ParameterVersion> {
        match selector.parse::<u64>() {
            Ok(number) => self.versions.iter().find(|version| version.number == number),
            Err(_) => self.versions.iter().find(|version| version.labels.contains(selector)),
        }
    }
}

/// The parameters of this server.
pub struct Parameters {
    catalog: Arc<dyn Catalog>,
    place: Place,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<()>,
}

/// What CDK's bootstrap leaves behind, which `cdk deploy` looks for.
const BOOTSTRAP: (&str, &str) = ("/cdk-bootstrap/hnb659fds/version", "30");

/// Documents that are read at a time.
const PAGE: usize = 100;

impl Parameters {
    /// Opens the parameters of a catalog, after what a server is born with was made.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, place: Place) -> Result<Self, StoreError> {
        let parameters = Self { catalog: catalog.clone(), place, writing: tokio::sync::Mutex::default() };
        once(&*catalog, "cdk parameter", async {
            let (name, value) = BOOTSTRAP;
            let version = ParameterVersion {
                number: 1,
                kind: "String".into(),
                value: value.into(),
                description: None,
                allowed_pattern: None,
                modified_at_millis: now_millis(),
                modified_by: format!("arn:aws:iam::{}:root", parameters.place.account),
                labels: BTreeSet::new(),
            };
            let parameter = Parameter {
                name: name.into(),
                tier: "Standard".into(),
                data_type: "text".into(),
                key_id: None,
                tags: BTreeMap::new(),
                versions: vec![version],
                born: true,
            };
            match catalog.put(Kind::Parameter, name, None, write(&parameter)).await {
                Ok(_) | Err(StoreError::Conflict) => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await?;
        Ok(parameters)
    }

    /// Returns the ARN of a parameter.
    pub fn arn(&self, name: &str) -> String {
        let Place { region, account } = &self.place;
        format!("arn:aws:ssm:{region}:{account}:parameter/{}", name.trim_start_matches('/'))
    }

    /// Returns the name of a parameter that may be named by its ARN.
    pub fn name_of<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        match text.strip_prefix(&self.arn("")) {
            // The ARN does not say whether the name begins with a slash: a name that has one does.
            Some(name) if name.contains('/') => format!("/{name}").into(),
            Some(name) => name.into(),
            None => text.into(),
        }
    }

    /// Returns a parameter.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, name: &str) -> Result<Option<Parameter>, Error> {
        Ok(self.at(name).await?.map(|(parameter, _)| parameter))
    }

    /// Changes a parameter, or makes it. Returns what `change` returns beside it.
    ///
    /// # Errors
    /// What `change` refuses, and the store's.
    pub async fn change<T>(
        &self,
        name: &str,
        change: impl FnOnce(Option<Parameter>) -> Result<(Parameter, T), Error>,
    ) -> Result<T, Error> {
        let _writing = self.writing.lock().await;
        let found = self.at(name).await?;
        let revision = found.as_ref().map(|(_, revision)| *revision);
        let (parameter, outcome) = change(found.map(|(parameter, _)| parameter))?;
        self.catalog.put(Kind::Parameter, name, revision, write(&parameter)).await?;
        Ok(outcome)
    }

    /// Removes a parameter. Returns whether it was there.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        let _writing = self.writing.lock().await;
        let Some((_, revision)) = self.at(name).await? else { return Ok(false) };
        self.catalog.delete(Kind::Parameter, name, revision).await?;
        Ok(true)
    }

    /// Counts the parameters, as far as `max`.
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, max: usize) -> Result<usize, Error> {
        Ok(self.catalog.list(Kind::Parameter, None, max).await?.len())
    }

    /// Returns the first parameters after one whose names begin with `prefix` and that are wanted, and whether there are more.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        wanted: impl Fn(&Parameter) -> bool,
    ) -> Result<(Vec<Parameter>, bool), Error> {
        let mut found = Vec::new();
        // Names that begin with the prefix follow it, but for the prefix itself.
        let mut after = after.map_or_else(|| prefix.to_string(), Into::into);
        loop {
            let page = self.catalog.list(Kind::Parameter, Some(&after), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok((found, false)) };
            after = last.clone();
            for (name, document) in page {
                if !name.starts_with(prefix) {
                    return Ok((found, false));
                }
                let parameter = read(&name, &document.body)?;
                if !wanted(&parameter) {
                    continue;
                }
                if found.len() == limit {
                    return Ok((found, true));
                }
                found.push(parameter);
            }
        }
    }

    async fn at(&self, name: &str) -> Result<Option<(Parameter, Revision)>, Error> {
        let Some(document) = self.catalog.get(Kind::Parameter, name).await? else { return Ok(None) };
        Ok(Some((read(name, &document.body)?, document.revision)))
    }
}

fn read(name: &str, body: &str) -> Result<Parameter, Error> {
    serde_json::from_str(body).map_err(|error| {
        tracing::error!(parameter = name, %error, "the document of a parameter cannot be read");
        Error::service("The parameter's document cannot be read; the server's log says why.")
    })
}

fn write(parameter: &Parameter) -> String {
    serde_json::to_string(parameter).expect("a parameter serialises")
}
