//! The service `kms`: keys and their aliases, as records behind which nothing stands.
//!
//! Templates make keys and tools look them up. What would need the material of a key is not served, and says so.
//! Requests are AWS's JSON 1.1. What is kept is in `encryption_keys`.

mod aliases;
mod create_key;
mod keys;

use everstep_api::timestamp::seconds;
use everstep_core::Timestamp;
use serde_json::{Value, json};

use super::Services;
use super::authorize::Need;
use super::error::Error;
use super::operation::{declare_operations, of_target};
use super::request::{Request, Response};
use crate::encryption_keys::{self, EncryptionKey};
pub use create_key::{SPEC_DEFAULT, USAGE_DEFAULT, create};

/// How the header names the API.
const TARGET: &str = "TrentService.";

macro_rules! operations {
    ($($name:ident on $target:ident;)*) => {
        declare_operations! { "the Key Management Service", "kms": $($name)* }

        impl Operation {
            fn target(self) -> Target {
                match self { $(Self::$name => Target::$target,)* }
            }
        }
    };
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Nothing in particular.
    Everything,
    /// The key that `KeyId` names.
    Key,
    /// The alias that `AliasName` names, and the key that has it or that `TargetKeyId` names.
    Alias,
}

operations! {
    CreateAlias on Alias;
    CreateKey on Everything;
    DeleteAlias on Alias;
    DescribeKey on Key;
    ListAliases on Everything;
    ListKeys on Everything;
    ListResourceTags on Key;
    ScheduleKeyDeletion on Key;
    UpdateAlias on Alias;
}

impl Operation {
    /// Finds the operation that a target names.
    ///
    /// # Errors
    /// If it is none of this service, or none that is served.
    pub fn find(target: &str) -> Result<Self, Error> {
        let name = of_target(target, TARGET)?;
        let found = Self::ALL.iter().find(|operation| operation.name() == name).copied();
        found.ok_or_else(|| {
            Error::not_served(format!(
                "Everstep does not serve {name}: it notes keys down and has no material for them, so nothing is encrypted or signed with them. Leave it out, or pass requests on to the real service by a table [forward.kms] in the configuration file."
            ))
        })
    }

    /// Returns what it takes of its sender.
    pub fn needs(self, services: &Services, request: &Request) -> Vec<Need> {
        let keys = &services.encryption_keys;
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let named = |member: &str| body[member].as_str();
        let key = |named: &str| keys.find(named).map_or_else(|| keys.arn(keys.name_of(named)), |key| keys.arn(&key.id));
        let resources = match self.target() {
            Target::Everything => vec!["*".into()],
            Target::Key => vec![key(named("KeyId").unwrap_or_default())],
            Target::Alias => {
                let alias = named("AliasName").unwrap_or_default();
                let had = keys.find(alias).map(|key| keys.arn(&key.id));
                let shall_have = named("TargetKeyId").map(key);
                [keys.arn(alias)].into_iter().chain(had).chain(shall_have).collect()
            }
        };
        resources.into_iter().map(|resource| Need::new(self.action(), resource)).collect()
    }
}

/// Carries out an operation.
pub async fn serve(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    let answer = match operation {
        Operation::CreateKey => create_key::handle(services, request).await,
        Operation::DescribeKey => keys::describe(services, request),
        Operation::ListKeys => keys::list(services, request),
        Operation::ListResourceTags => keys::tags(services, request),
        Operation::ScheduleKeyDeletion => keys::delete(services, request).await,
        Operation::CreateAlias => aliases::create(services, request).await,
        Operation::UpdateAlias => aliases::update(services, request).await,
        Operation::DeleteAlias => aliases::delete(services, request).await,
        Operation::ListAliases => aliases::list(services, request),
    };
    Ok(Response::json(200, &answer?))
}

fn shape(services: &Services, key: &EncryptionKey) -> Value {
    let EncryptionKey { id, created_at_millis, description, spec, usage, enabled, tags: _ } = key;
    json!({
        "AWSAccountId": services.encryption_keys.account(),
        "KeyId": id,
        "Arn": services.encryption_keys.arn(id),
        "CreationDate": seconds(Timestamp::from_millis(*created_at_millis)),
        "Enabled": enabled,
        "Description": description,
        "KeyUsage": usage,
        "KeyState": if *enabled { "Enabled" } else { "Disabled" },
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": spec,
        "KeySpec": spec,
        "MultiRegion": false,
    })
}

/// Says that there is no such key or alias.
fn missing(services: &Services, named: &str) -> Error {
    let keys = &services.encryption_keys;
    let name = keys.name_of(named);
    let arn = keys.arn(name);
    let message = match name.starts_with("alias/") {
        true => format!("Alias {arn} is not found."),
        false => format!("Key '{arn}' does not exist"),
    };
    Error::named(400, "NotFoundException", message)
}

/// Says why something about a key or an alias was not noted down.
pub fn refused(services: &Services, named: &str, error: encryption_keys::Error) -> Error {
    match error {
        encryption_keys::Error::Exists => {
            let arn = services.encryption_keys.arn(named);
            Error::named(400, "AlreadyExistsException", format!("An alias with the name {arn} already exists"))
        }
        encryption_keys::Error::Missing => missing(services, named),
        encryption_keys::Error::TooMany => {
            Error::named(400, "LimitExceededException", "There are too many keys, or too many aliases of a key.")
        }
        encryption_keys::Error::Store(error) => error.into(),
    }
}

/// Cuts a list to the page that is asked for. Returns the marker of the next one, if there is one.
fn page<T>(
    services: &Services,
    items: &mut Vec<T>,
    name: impl Fn(&T) -> String,
    marker: Option<&str>,
    limit: usize,
) -> Result<Option<String>, Error> {
    let now = services.engine.clock().now();
    let after = marker.map(|marker| super::marker::open(marker, now)).transpose();
    let after = after.map_err(|_| Error::named(400, "InvalidMarkerException", "Could not deserialize marker"))?;
    items.retain(|item| after.as_ref().is_none_or(|after| name(item) > *after));
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(items.last().filter(|_| more).map(|last| super::marker::seal(&name(last), now)))
}

/// Returns how many items a page may have.
fn limit(asked: Option<i64>, max: usize, default: usize) -> Result<usize, Error> {
    let limit = asked.unwrap_or(default as i64);
    let mut violations = everstep_api::validation::Violations::default();
    violations.range(limit, "limit", 1, max as i64);
    violations.finish().map_err(Error::validation)?;
    Ok(limit as usize)
}
