//! Functions with their versions and aliases, as the catalog keeps them: one document for each function.

mod known;

use std::collections::BTreeMap;
use std::sync::Arc;

use everstep_api::DurableConfig;
use everstep_api::function::LoggingConfig;
use everstep_api::reference::FunctionReference;
use everstep_core::id::{FunctionName, Place, Version};
use everstep_core::limits::PAGE_ITEMS_MAX;
use everstep_store::{Catalog, Error as StoreError, Kind, Revision};
use everstep_worker::limits::TMP_MB_DEFAULT;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::function_urls::FunctionUrl;
use crate::http::error::Error;
use crate::layers::UsedLayer;
use crate::policy::Policies;
use known::Known;
pub use known::Stored;

/// A function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: FunctionName,
    /// `$LATEST`.
    pub latest: Configuration,
    /// The published versions.
    pub versions: BTreeMap<u64, Configuration>,
    /// The number that the next version gets; numbers are never used again.
    pub next_version: u64,
    /// The aliases by name.
    pub aliases: BTreeMap<String, Alias>,
    /// Its URLs, by `$LATEST` or alias.
    #[serde(default)]
    pub urls: BTreeMap<String, FunctionUrl>,
    /// How asynchronous invocations are treated, by version or alias.
    #[serde(default)]
    pub event_invoke_configs: BTreeMap<String, EventInvokeConfig>,
    /// The tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Concurrency that is its own, over all versions; without it the function shares what others leave.
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
    /// Who else may invoke it.
    #[serde(default)]
    pub policies: Policies,
}

/// How one version of a function is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Changes with every change.
    pub revision_id: String,
    /// When it was changed last, in milliseconds since the epoch.
    pub last_modified_millis: i64,
    /// The code.
    pub code: CodeFacts,
    /// Words for people.
    pub description: String,
    /// The runtime's id.
    pub runtime: String,
    /// Where the handler is.
    pub handler: String,
    /// The role it runs as.
    pub role: String,
    /// How long an invocation may take, in seconds.
    pub timeout_seconds: u32,
    /// How much memory it gets, in MB.
    pub memory_mb: u32,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// What makes it durable.
    pub durable_config: Option<DurableConfig>,
    /// How it logs.
    #[serde(default)]
    pub logging_config: LoggingConfig,
    /// The layers it uses, in the order in which they are laid over each other.
    #[serde(default)]
    pub layers: Vec<UsedLayer>,
    /// Members that are kept and returned as they came: `TracingConfig`, `TenancyConfig`, `Architectures`, `EphemeralStorage`.
    #[serde(default)]
    pub kept: BTreeMap<String, Value>,
}

/// The code of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeFacts {
    /// `CodeSha256`, in base64.
    pub sha256: String,
    /// The name in the code store.
    pub digest: String,
    /// `CodeSize`, in bytes.
    pub size: u64,
}

/// A name for a version, or for two of which one gets a share of the invocations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// The version it points to.
    pub version: Version,
    /// The version that gets a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<AdditionalVersion>,
    /// Words for people.
    pub description: String,
    /// Changes with every change.
    pub revision_id: String,
}

/// A version that gets a share of an alias's invocations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdditionalVersion {
    /// Its number.
    pub version: u64,
    /// The share, from 0 to 1.
    pub weight: f64,
}

impl Alias {
    /// Returns the version that an invocation runs, by a number from 0 up to 1 that was drawn for it.
    pub fn version_for(&self, draw: f64) -> Version {
        match self.additional {
            Some(AdditionalVersion { version, weight }) if draw < weight => Version::Number(version),
            Some(_) | None => self.version,
        }
    }

    /// Tells whether the alias may lead to a version.
    pub fn leads_to(&self, version: Version) -> bool {
        let additional = self.additional.map(|additional| Version::Number(additional.version));
        self.version == version || additional == Some(version)
    }
}

/// How asynchronous invocations of a version or alias are treated. Source: Lambda API, `FunctionEventInvokeConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    /// When it was changed last, in milliseconds since the epoch.
    pub last_modified_millis: i64,
    /// How often an invocation that failed is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<u32>,
    /// How long after it was accepted an invocation may still begin, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_event_age_seconds: Option<u64>,
    /// The ARN of the function that is told of successes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    /// The ARN of the function that is told of failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
}

/// A version of a function that a reference led to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The function.
    pub function: Arc<Function>,
    /// The version.
    pub version: Version,
    /// Whether the reference named a version or an alias.
    pub qualified: bool,
    /// The alias that the reference named.
    pub alias: Option<String>,
}

impl Found {
    /// Returns how the version is configured.
    pub fn configuration(&self) -> &Configuration {
        self.function.configuration(self.version).expect("a version that was found is there")
    }

    /// Returns what an invocation runs: of an alias with weights the version that was drawn for it.
    pub fn drawn(mut self, draw: f64) -> Self {
        if let Some(alias) = self.alias.as_ref().and_then(|name| self.function.aliases.get(name)) {
            self.version = alias.version_for(draw);
        }
        self
    }

    /// Tells whether the reference may lead to a version, whatever was drawn.
    pub fn leads_to(&self, version: Version) -> bool {
        let alias = self.alias.as_ref().and_then(|name| self.function.aliases.get(name));
        alias.map_or(self.version == version, |alias| alias.leads_to(version))
    }

    /// Returns the alias or version that the reference named.
    pub fn qualifier(&self) -> Option<String> {
        self.alias.clone().or_else(|| self.qualified.then(|| self.version.to_string()))
    }
}

impl Configuration {
    /// Tells whether a process may only ever serve one tenant.
    pub fn isolates_tenants(&self) -> bool {
        self.kept.contains_key("TenancyConfig")
    }

    /// Tells whether its invocations are traced, unless whoever invokes it says something else.
    pub fn is_traced(&self) -> bool {
        self.kept.get("TracingConfig").is_some_and(|tracing| tracing["Mode"] == "Active")
    }

    /// Returns the size of `/tmp`, in MB.
    pub fn tmp_mb(&self) -> u32 {
        let size = self.kept.get("EphemeralStorage").and_then(|storage| storage["Size"].as_u64());
        size.and_then(|size| u32::try_from(size).ok()).unwrap_or(TMP_MB_DEFAULT)
    }
}

impl Function {
    /// Returns how a version is configured.
    pub fn configuration(&self, version: Version) -> Option<&Configuration> {
        match version {
            Version::Latest => Some(&self.latest),
            Version::Number(number) => self.versions.get(&number),
        }
    }

    /// Forgets what was configured for a version or alias that is gone. Returns the URL that it had.
    pub fn forget_qualifier(&mut self, qualifier: &str) -> Option<FunctionUrl> {
        self.policies.forget(qualifier);
        self.event_invoke_configs.remove(qualifier);
        self.urls.remove(qualifier)
    }

    /// Publishes `$LATEST` unless the newest version is the same already. Returns the version.
    pub fn publish(&mut self, description: Option<String>, now_millis: i64) -> Version {
        let mut published = Configuration { last_modified_millis: now_millis, ..self.latest.clone() };
        published.description = description.unwrap_or(published.description);
        if let Some((number, newest)) = self.versions.last_key_value() {
            let same = Configuration {
                revision_id: newest.revision_id.clone(),
                last_modified_millis: newest.last_modified_millis,
                ..published.clone()
            };
            if *newest == same {
                return Version::Number(*number);
            }
        }
        published.revision_id = new_revision_id();
        let number = self.next_version;
        self.next_version += 1;
        self.versions.insert(number, published);
        Version::Number(number)
    }
}

/// Makes a revision id.
pub fn new_revision_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Returns wall time in milliseconds, which is what configurations and roles go by.
pub fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Draws a number from 0 up to 1, for [`Found::drawn`].
pub fn draw() -> f64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    // As many bits as an f64 holds exactly.
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The functions of this server.
#[derive(Clone)]
pub struct Functions {
    catalog: Arc<dyn Catalog>,
    known: Arc<Known>,
    place: Place,
}

impl Functions {
    /// Opens the functions of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>, place: Place) -> Self {
        Self { catalog, known: Arc::default(), place }
    }

    /// Returns Region and account.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Reads the name of a function as a caller wrote it, with the qualifier that came beside it.
    ///
    /// # Errors
    /// AWS's, if it is none, names two qualifiers, or leads elsewhere.
    pub fn parse(&self, text: &str, qualifier: Option<&str>) -> Result<FunctionReference, Error> {
        let mut reference = FunctionReference::parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(140).collect();
            Error::validation(format!(
                "1 validation error detected: Value '{shown}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
            ))
        })?;
        match (&reference.qualifier, qualifier) {
            (Some(named), Some(given)) if named != given => {
                return Err(Error::invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (None, Some(given)) if !everstep_api::reference::is_qualifier(given) => {
                return Err(Error::validation(format!(
                    "1 validation error detected: Value '{given}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
                )));
            }
            (None, Some(given)) => reference.qualifier = Some(given.into()),
            (_, None) | (Some(_), Some(_)) => {}
        }
        if !reference.is_in(&self.place) {
            return Err(self.missing(&reference));
        }
        Ok(reference)
    }

    /// Finds the version that a reference leads to.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub async fn find(&self, reference: &FunctionReference) -> Result<Found, Error> {
        let Some((function, _)) = self.load(&reference.function).await? else {
            return Err(self.missing(reference));
        };
        let qualifier = reference.qualifier.as_deref();
        let (version, alias) = match qualifier.map(str::parse::<Version>) {
            None => (Version::Latest, None),
            Some(Ok(version)) => (version, None),
            Some(Err(_)) => {
                let name = qualifier.expect("it was just parsed");
                let alias = function.aliases.get(name).ok_or_else(|| self.missing(reference))?;
                (alias.version, Some(name.to_string()))
            }
        };
        if function.configuration(version).is_none() {
            return Err(self.missing(reference));
        }
        Ok(Found { function, version, qualified: qualifier.is_some(), alias })
    }

    /// Returns a function.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(&self, name: &FunctionName) -> Result<Option<Stored>, Error> {
        let since = match self.known.find(name) {
            Ok(known) => return Ok(Some(known)),
            Err(since) => since,
        };
        let Some(document) = self.catalog.get(Kind::Function, name.as_str()).await? else { return Ok(None) };
        let stored = (Arc::new(read(name.as_str(), &document.body)?), document.revision);
        self.known.keep(stored.clone(), since);
        Ok(Some(stored))
    }

    /// Creates a function.
    ///
    /// # Errors
    /// `ResourceConflictException` if there is one of that name.
    pub async fn create(&self, function: &Function) -> Result<(), Error> {
        match self.put(function, None).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict) => Err(Error::conflict(format!("Function already exist: {}", function.name))),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes a function, and tries again if somebody else changed it meanwhile. Returns it as it is now.
    ///
    /// # Errors
    /// What `change` refuses.
    pub async fn change<T>(
        &self,
        reference: &FunctionReference,
        mut change: impl FnMut(&mut Function) -> Result<T, Error>,
    ) -> Result<(Function, T), Error> {
        loop {
            let (before, revision) = self.load(&reference.function).await?.ok_or_else(|| self.missing(reference))?;
            let mut function = Function::clone(&before);
            let outcome = change(&mut function)?;
            if function == *before {
                return Ok((function, outcome));
            }
            match self.put(&function, Some(revision)).await {
                Ok(_) => return Ok((function, outcome)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes a function with all of its versions. Returns what it was.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub async fn delete(&self, reference: &FunctionReference) -> Result<Arc<Function>, Error> {
        loop {
            let (function, revision) = self.load(&reference.function).await?.ok_or_else(|| self.missing(reference))?;
            let deleted = self.catalog.delete(Kind::Function, function.name.as_str(), revision).await;
            self.known.forget(&function.name);
            match deleted {
                Ok(()) => return Ok(function),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn put(&self, function: &Function, revision: Option<Revision>) -> Result<Revision, StoreError> {
        let put = self.catalog.put(Kind::Function, function.name.as_str(), revision, write(function)).await;
        self.known.forget(&function.name);
        put
    }

    /// Returns functions whose names follow `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<Function>, Error> {
        let documents = self.catalog.list(Kind::Function, after, limit).await?;
        documents.into_iter().map(|(name, document)| read(&name, &document.body)).collect()
    }

    /// Returns every function.
    ///
    /// # Errors
    /// The store's.
    pub async fn all(&self) -> Result<Vec<Function>, Error> {
        let mut all: Vec<Function> = Vec::new();
        loop {
            let after = all.last().map(|function| function.name.to_string());
            let page = self.list(after.as_deref(), PAGE_ITEMS_MAX).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Says that there is nothing behind a reference.
    pub fn missing(&self, reference: &FunctionReference) -> Error {
        Error::not_found(format!("Function not found: {}", self.arn(reference)))
    }

    /// Returns the ARN that a reference stands for.
    pub fn arn(&self, reference: &FunctionReference) -> String {
        let place = Place {
            region: reference.region.as_deref().map_or_else(|| self.place.region.clone(), Into::into),
            account: reference.account.as_deref().map_or_else(|| self.place.account.clone(), Into::into),
        };
        let arn = place.function_arn(&reference.function);
        match &reference.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}

fn read(name: &str, body: &str) -> Result<Function, Error> {
    serde_json::from_str(body).map_err(|error| {
        tracing::error!(function.name = name, %error, "the document of a function cannot be read");
        Error::service("The function's document cannot be read; the server's log says why.")
    })
}

fn write(function: &Function) -> String {
    serde_json::to_string(function).expect("a function serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(weight: f64, draw: f64, expected: u64) {
        let additional = Some(AdditionalVersion { version: 2, weight });
        let alias =
            Alias { version: Version::Number(1), additional, description: String::new(), revision_id: String::new() };
        assert_eq!(alias.version_for(draw), Version::Number(expected), "{weight} {draw}");
        assert!(alias.leads_to(Version::Number(1)) && alias.leads_to(Version::Number(2)));
        assert!(!alias.leads_to(Version::Number(3)));
    }

    #[test]
    fn weights_share_the_draws() {
        check(0.0, 0.0, 1);
        check(0.25, 0.249, 2);
        check(0.25, 0.25, 1);
        check(1.0, 1.0 - f64::EPSILON, 2);
    }

    #[test]
    fn draws_are_at_least_zero_and_below_one() {
        assert!((0..1_000).map(|_| draw()).all(|draw| (0.0..1.0).contains(&draw)));
    }
}
