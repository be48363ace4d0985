//! `Create`, `Get`, `Update`, `Delete` and `ListFunctionUrlConfig(s)`.

use std::sync::Arc;

use everstep_api::function_url::{Cors, FunctionUrlConfigRequest};
use everstep_api::reference::FunctionReference;
use everstep_api::validation::Violations;
use everstep_core::id::Version;
use serde_json::{Value, json};

use super::{named_function, now_millis};
use crate::function_urls::{AuthType, FunctionUrl, InvokeMode, LATEST};
use crate::functions::Function;
use crate::http::error::Error;
use crate::http::request::{Request, Response, page};
use crate::http::{Services, marker};
use crate::limits::{CORS_ITEMS_MAX, CORS_MAX_AGE_SECONDS_MAX, CORS_METHODS_MAX, FUNCTION_URLS_MAX};
use crate::runner::UNQUALIFIED;

/// Gives a function, or an alias of it, a URL.
pub async fn create(services: &Services, request: &Request) -> Result<Response, Error> {
    let (reference, qualifier) = named(services, request)?;
    let given: FunctionUrlConfigRequest = request.json()?;
    let Checked { auth_type, invoke_mode } = check(&given)?;
    let auth_type = auth_type.ok_or_else(|| Error::missing("authType"))?;
    let function = load(services, &reference).await?;
    let version = function.aliases.get(&qualifier).map_or(Version::Latest, |alias| alias.version);
    let durable = function.configuration(version).is_some_and(|configuration| configuration.durable_config.is_some());
    if durable && reference.qualifier.is_none() {
        return Err(Error::invalid_parameter(UNQUALIFIED));
    }
    let now = now_millis();
    let id = services.function_urls.reserve(&function.name, &qualifier).await?;
    let url = FunctionUrl {
        id: id.clone(),
        auth_type,
        invoke_mode: invoke_mode.unwrap_or(InvokeMode::Buffered),
        cors: given.cors,
        created_millis: now,
        last_modified_millis: now,
    };
    let created = services
        .functions
        .change(&reference, |function| {
            if qualifier != LATEST && !function.aliases.contains_key(&qualifier) {
                return Err(function_missing());
            }
            if function.urls.contains_key(&qualifier) {
                let arn = services.functions.arn(&reference);
                return Err(Error::conflict(format!(
                    "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
                )));
            }
            function.urls.insert(qualifier.clone(), url.clone());
            Ok(())
        })
        .await;
    match created {
        Ok((function, ())) => Ok(Response::json(201, &shape(services, &function, &qualifier)?)),
        Err(error) => {
            services.function_urls.forget(&id).await?;
            Err(error)
        }
    }
}

/// Shows the URL of a function or an alias.
pub async fn get(services: &Services, request: &Request) -> Result<Response, Error> {
    let (reference, qualifier) = named(services, request)?;
    let function = load(services, &reference).await?;
    Ok(Response::json(200, &shape(services, &function, &qualifier)?))
}

/// Changes what is given and leaves the rest.
pub async fn update(services: &Services, request: &Request) -> Result<Response, Error> {
    let (reference, qualifier) = named(services, request)?;
    let given: FunctionUrlConfigRequest = request.json()?;
    let Checked { auth_type, invoke_mode } = check(&given)?;
    load(services, &reference).await?;
    let (function, ()) = services
        .functions
        .change(&reference, |function| {
            let url = function.urls.get_mut(&qualifier).ok_or_else(missing)?;
            url.auth_type = auth_type.unwrap_or(url.auth_type);
            url.invoke_mode = invoke_mode.unwrap_or(url.invoke_mode);
            if let Some(cors) = &given.cors {
                // An empty one takes it back.
                url.cors = Some(cors.clone()).filter(|cors| *cors != Cors::default());
            }
            url.last_modified_millis = now_millis();
            Ok(())
        })
        .await?;
    Ok(Response::json(200, &shape(services, &function, &qualifier)?))
}

/// Takes the URL of a function or an alias away. The next one is another.
pub async fn delete(services: &Services, request: &Request) -> Result<Response, Error> {
    let (reference, qualifier) = named(services, request)?;
    load(services, &reference).await?;
    let (_, removed) =
        services.functions.change(&reference, |function| function.urls.remove(&qualifier).ok_or_else(missing)).await?;
    services.function_urls.forget(&removed.id).await?;
    Ok(Response::empty(204))
}

/// Returns a page of the URLs of a function.
pub async fn list(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    let items_max = request.max_items()?.min(FUNCTION_URLS_MAX);
    let now = services.engine.clock().now();
    let after = request.query("Marker").map(|text| marker::open(text, now)).transpose()?;
    let function = load(services, &reference).await?;
    let mut qualifiers: Vec<&String> =
        function.urls.keys().filter(|name| after.as_ref().is_none_or(|after| *name > after)).collect();
    let more = qualifiers.len() > items_max;
    qualifiers.truncate(items_max);
    let next = qualifiers.last().filter(|_| more).map(|last| marker::seal(last, now));
    let shapes = qualifiers.iter().map(|name| shape(services, &function, name)).collect::<Result<_, _>>()?;
    Ok(Response::json(200, &page("FunctionUrlConfigs", shapes, next)))
}

/// Reads the function, and the alias whose URL it is; without one it is that of `$LATEST`.
fn named(services: &Services, request: &Request) -> Result<(FunctionReference, String), Error> {
    let reference = named_function(services, request)?;
    let Some(qualifier) = reference.qualifier.clone() else { return Ok((reference, LATEST.into())) };
    if qualifier.parse::<Version>().is_ok() {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^\\d+$)^[0-9a-zA-Z-_]+$"
        )));
    }
    Ok((reference, qualifier))
}

async fn load(services: &Services, reference: &FunctionReference) -> Result<Arc<Function>, Error> {
    Ok(services.functions.load(&reference.function).await?.ok_or_else(function_missing)?.0)
}

fn function_missing() -> Error {
    Error::not_found("Function does not exist")
}

fn missing() -> Error {
    Error::not_found("The resource you requested does not exist.")
}

struct Checked {
    auth_type: Option<AuthType>,
    invoke_mode: Option<InvokeMode>,
}

fn check(given: &FunctionUrlConfigRequest) -> Result<Checked, Error> {
    let mut violations = Violations::default();
    let auth_type = given.auth_type.as_deref().and_then(|text| violations.one_of(text, "authType", &AuthType::NAMES));
    let invoke_mode =
        given.invoke_mode.as_deref().and_then(|text| violations.one_of(text, "invokeMode", &InvokeMode::NAMES));
    if let Some(cors) = &given.cors {
        let mut length = |items: &Option<Vec<String>>, path: &str, max: usize| {
            let items = items.as_deref().unwrap_or_default();
            let constraint = format!("Member must have length less than or equal to {max}");
            violations.require(items.len() <= max, format!("[{}]", items.join(", ")), path, constraint);
        };
        length(&cors.allow_headers, "cors.allowHeaders", CORS_ITEMS_MAX);
        length(&cors.allow_methods, "cors.allowMethods", CORS_METHODS_MAX);
        length(&cors.allow_origins, "cors.allowOrigins", CORS_ITEMS_MAX);
        length(&cors.expose_headers, "cors.exposeHeaders", CORS_ITEMS_MAX);
        if let Some(seconds) = cors.max_age {
            violations.range(seconds, "cors.maxAge", 0, CORS_MAX_AGE_SECONDS_MAX);
        }
        for text in [&cors.allow_headers, &cors.allow_methods, &cors.allow_origins, &cors.expose_headers]
            .into_iter()
            .flatten()
            .flatten()
        {
            let parsed = http::HeaderValue::from_str(text);
            violations.pattern(parsed, text, "cors", "[\\x20-\\x7E]+");
        }
    }
    violations.finish().map_err(Error::validation)?;
    Ok(Checked { auth_type, invoke_mode })
}

fn shape(services: &Services, function: &Function, qualifier: &str) -> Result<Value, Error> {
    let FunctionUrl { id, auth_type, invoke_mode, cors, created_millis, last_modified_millis } =
        function.urls.get(qualifier).ok_or_else(missing)?;
    let place = services.functions.place();
    let arn = place.function_arn(&function.name);
    let mut shape = json!({
        "FunctionUrl": services.function_urls.url(id, place),
        "FunctionArn": if qualifier == LATEST { arn } else { format!("{arn}:{qualifier}") },
        "AuthType": auth_type,
        "InvokeMode": invoke_mode,
        "CreationTime": time(*created_millis),
        "LastModifiedTime": time(*last_modified_millis),
    });
    if let Some(cors) = cors {
        shape["Cors"] = json!(cors);
    }
    Ok(shape)
}

fn time(millis: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
