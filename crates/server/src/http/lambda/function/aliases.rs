//! `CreateAlias`, `GetAlias`, `UpdateAlias`, `DeleteAlias`, `ListAliases`: names for versions.

use everstep_api::function::AliasRequest;
use everstep_api::reference::FunctionReference;
use everstep_core::id::{Version, is_word};
use serde_json::{Value, json};

use super::{check_revision, named_function};
use crate::functions::{Alias, Function, new_revision_id};
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};
use crate::limits::ALIAS_CHARACTERS_MAX;

/// Creates an alias.
pub async fn create(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = unqualified(services, request)?;
    let given: AliasRequest = request.json()?;
    check_routing(&given)?;
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
            let alias = Alias {
                version,
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
    check_routing(&given)?;
    let name = request.parameter(1);
    let (function, ()) = services
        .functions
        .change(&reference, |function| {
            let version = match &given.function_version {
                Some(text) => Some(version_of(services, function, text)?),
                None => None,
            };
            let missing = alias_missing(&arn(services, function, name));
            let alias = function.aliases.get_mut(name).ok_or(missing)?;
            check_revision(given.revision_id.as_deref(), &alias.revision_id)?;
            alias.version = version.unwrap_or(alias.version);
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

fn check_routing(given: &AliasRequest) -> Result<(), Error> {
    let weights = given.routing_config.as_ref().and_then(|config| config.get("AdditionalVersionWeights"));
    if weights.and_then(Value::as_object).is_some_and(|weights| !weights.is_empty()) {
        return Err(Error::invalid_parameter("Everstep does not serve weighted aliases yet: leave RoutingConfig out."));
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
    Ok(json!({
        "AliasArn": arn,
        "Name": name,
        "FunctionVersion": alias.version.to_string(),
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }))
}
