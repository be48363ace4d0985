//! `CreateAlias`, `GetAlias`, `UpdateAlias`, `DeleteAlias`, `ListAliases`: names for versions.

use everstep_api::function::{AliasRequest, RoutingConfig};
use everstep_api::reference::FunctionReference;
use everstep_api::validation::Violations;
use everstep_core::id::{Version, is_word};
use serde_json::{Value, json};

use super::{check_revision, named_function};
use crate::functions::{AdditionalVersion, Alias, Function, new_revision_id};
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};
use crate::limits::ALIAS_CHARACTERS_MAX;

/// Creates an alias.
pub async fn create(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let given: AliasRequest = request.json()?;
    let name = given.name.clone().unwrap_or_default();
    let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
    if name.is_empty() || numeric || !is_word(&name) || name.len() > ALIAS_CHARACTERS_MAX {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        )));
    }
    let function_version = given.function_version.as_deref().ok_or_else(|| Error::missing("functionVersion"))?;
    let (function, ()) = services
        .functions
        .change(&reference, |function| {
            let version = version_of(services, function, function_version)?;
            if function.aliases.contains_key(&name) {
                let arn = arn(services, function, &name);
                return Err(Error::conflict(format!("Alias already exists: {arn}")));
            }
            let additional = match &given.routing_config {
                Some(config) => additional_of(services, function, version, config)?,
                None => None,
            };
            let alias = Alias {
                version,
                additional,
                description: given.description.clone().unwrap_or_default(),
                revision_id: new_revision_id(),
            };
            function.aliases.insert(name.clone(), alias);
            Ok(())
        })
        .await?;
    Ok(Response::json(201, &shape(services, &function, &name)?))
}

/// Describes an alias.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let found = services.functions.find(&reference).await?;
    Ok(Response::json(200, &shape(services, &found.function, request.parameter(1))?))
}

/// Points an alias elsewhere.
pub async fn update(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let given: AliasRequest = request.json()?;
    let name = request.parameter(1);
    let (function, ()) = services
        .functions
        .change(&reference, |function| {
            let missing = alias_missing(&arn(services, function, name));
            let before = function.aliases.get(name).ok_or(missing)?;
            check_revision(given.revision_id.as_deref(), &before.revision_id)?;
            let version = match &given.function_version {
                Some(text) => version_of(services, function, text)?,
                None => before.version,
            };
            let additional = match &given.routing_config {
                Some(config) => additional_of(services, function, version, config)?,
                None => before.additional,
            };
            check_pair(function, version, additional)?;
            let alias = function.aliases.get_mut(name).expect("it was just there");
            alias.version = version;
            alias.additional = additional;
            alias.description = given.description.clone().unwrap_or_else(|| alias.description.clone());
            alias.revision_id = new_revision_id();
            Ok(())
        })
        .await?;
    Ok(Response::json(200, &shape(services, &function, name)?))
}

/// Deletes an alias; it need not be there.
pub async fn delete(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let name = request.parameter(1);
    let (_, url) = services
        .functions
        .change(&reference, |function| {
            function.aliases.remove(name);
            Ok(function.forget_qualifier(name))
        })
        .await?;
    if let Some(url) = url {
        services.function_urls.forget(&url.id).await?;
    }
    Ok(Response::empty(204))
}

/// Returns a page of aliases, with `FunctionVersion` only those that point to it.
pub async fn list(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let items_max = request.max_items()?;
    let now = services.engine.clock().now();
    let after = request.query("Marker").map(|text| marker::open(text, now)).transpose()?;
    let found = services.functions.find(&reference).await?;
    let version = request.query("FunctionVersion");
    let mut names: Vec<&String> = found
        .function
        .aliases
        .iter()
        .filter(|(name, alias)| {
            after.as_ref().is_none_or(|after| *name > after)
                && version.is_none_or(|version| version == alias.version.to_string())
        })
        .map(|(name, _)| name)
        .collect();
    let more = names.len() > items_max;
    names.truncate(items_max);
    let next = names.last().filter(|_| more).map(|last| marker::seal(last, now));
    let shapes = names.iter().map(|name| shape(services, &found.function, name)).collect::<Result<_, _>>()?;
    Ok(Response::json(200, &page("Aliases", shapes, next)))
}

fn unqualified(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    Ok(reference)
}

/// Reads which other version gets a share; nothing given is none.
fn additional_of(
    services: &Services,
    function: &Function,
    version: Version,
    config: &RoutingConfig,
) -> Result<Option<AdditionalVersion>, Error> {
    let weights = config.additional_version_weights.iter().flatten();
    let mut violations = Violations::default();
    let path = "routingConfig.additionalVersionWeights";
    for (number, weight) in weights.clone() {
        let is_number = number.parse::<u64>().is_ok();
        let pattern = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+]";
        violations.require(is_number, number, path, pattern);
        let range = "Map value must satisfy constraint: [Member must have value between 0.0 and 1.0]";
        violations.require((0.0..=1.0).contains(weight), weight, path, range);
    }
    violations.finish().map_err(Error::validation)?;
    let mut weights = weights;
    let Some((number, weight)) = weights.next() else { return Ok(None) };
    if weights.next().is_some() {
        return Err(Error::invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    version_of(services, function, number)?;
    let additional = AdditionalVersion { version: number.parse().expect("it was checked"), weight: *weight };
    check_pair(function, version, Some(additional))?;
    Ok(Some(additional))
}

/// Checks that two versions can share an alias. Source: Lambda Developer Guide, weighted aliases.
fn check_pair(function: &Function, version: Version, additional: Option<AdditionalVersion>) -> Result<(), Error> {
    let Some(AdditionalVersion { version: number, .. }) = additional else { return Ok(()) };
    if version == Version::Latest {
        return Err(Error::invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    if version == Version::Number(number) {
        return Err(Error::invalid_parameter(format!(
            "Invalid function version {number}. Function version {number} is already included in routing configuration."
        )));
    }
    let both = (function.configuration(version), function.configuration(Version::Number(number)));
    let (Some(first), Some(second)) = both else { return Ok(()) };
    if first.role != second.role {
        return Err(Error::invalid_parameter("The versions of an alias must have the same execution role."));
    }
    if first.durable_config.is_some() != second.durable_config.is_some() {
        return Err(Error::invalid_parameter("The versions of an alias must both be durable, or neither of them."));
    }
    Ok(())
}

fn version_of(services: &Services, function: &Function, text: &str) -> Result<Version, Error> {
    let version = text.parse().ok().filter(|version| function.configuration(*version).is_some());
    version.ok_or_else(|| missing(services, function, text))
}

fn missing(services: &Services, function: &Function, qualifier: &str) -> Error {
    Error::not_found(format!("Function not found: {}", arn(services, function, qualifier)))
}

fn alias_missing(arn: &str) -> Error {
    Error::not_found(format!("Cannot find alias arn: {arn}"))
}

fn arn(services: &Services, function: &Function, qualifier: &str) -> String {
    format!("{}:{qualifier}", services.functions.place().function_arn(&function.name))
}

fn shape(services: &Services, function: &Function, name: &str) -> Result<Value, Error> {
    let arn = arn(services, function, name);
    let alias = function.aliases.get(name).ok_or_else(|| alias_missing(&arn))?;
    let mut shape = json!({
        "AliasArn": arn,
        "Name": name,
        "FunctionVersion": alias.version.to_string(),
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    });
    if let Some(AdditionalVersion { version, weight }) = alias.additional {
        shape["RoutingConfig"] = json!({"AdditionalVersionWeights": {version.to_string(): weight}});
    }
    Ok(shape)
}
