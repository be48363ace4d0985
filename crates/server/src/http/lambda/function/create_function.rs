//! `CreateFunction`.

use std::collections::BTreeMap;

use everstep_api::function::{CreateFunction, LoggingConfig, Settings};
use everstep_core::id::Version;

use super::{configuration, create_log_group, now_millis, role, settings, store_code, tags};
use crate::functions::{Configuration, Function, new_revision_id};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::layers;
use crate::limits::{MEMORY_MB_DEFAULT, TIMEOUT_SECONDS_DEFAULT};
use crate::policy::Policies;

/// Creates a function.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let (create, given) = request.json_pair::<CreateFunction, Settings>()?;
    let name = create.function_name.ok_or_else(|| Error::missing("functionName"))?;
    let reference = services.functions.parse(&name, None)?;
    settings::check(&given)?;
    let tags = given.tags.clone().unwrap_or_default();
    tags::check(&tags, request.on_behalf)?;
    let runtime = given.runtime.clone().ok_or_else(|| {
        Error::invalid_parameter("Runtime is mandatory for functions created with deployment packages.")
    })?;
    let handler = given.handler.clone().unwrap_or_default();
    if handler.is_empty() && !runtime.starts_with("provided") {
        return Err(Error::invalid_parameter("Handler is mandatory for functions created with deployment packages."));
    }
    let role_arn = given.role.as_deref().filter(|role| !role.is_empty()).ok_or_else(|| Error::missing("role"))?;
    role::check(services, &request.principal, role_arn)?;
    if services.functions.load(&reference.function).await?.is_some() {
        return Err(Error::conflict(format!("Function already exist: {}", reference.function)));
    }
    let source = create.code.ok_or_else(|| Error::missing("code"))?;
    let (code, _pin) = store_code(services, &request.principal, source).await?;
    let used_layers = services.layers.resolve(given.layers.as_deref().unwrap_or_default()).await?;
    let _pins = layers::prepare(&services.code, &code, &used_layers).await?;
    let mut latest = Configuration {
        revision_id: new_revision_id(),
        last_modified_millis: now_millis(),
        code,
        description: String::new(),
        runtime,
        handler,
        role: String::new(),
        timeout_seconds: TIMEOUT_SECONDS_DEFAULT,
        memory_mb: MEMORY_MB_DEFAULT,
        environment: BTreeMap::new(),
        durable_config: None,
        logging_config: LoggingConfig::default(),
        layers: used_layers,
        kept: BTreeMap::new(),
    };
    settings::take_over(&given, &mut latest);
    let mut function = Function {
        name: reference.function,
        latest,
        versions: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        tags,
        reserved_concurrency: None,
        policies: Policies::default(),
        urls: BTreeMap::new(),
        event_invoke_configs: BTreeMap::new(),
    };
    let publish = create.publish.unwrap_or_default();
    let version = if publish { function.publish(None, now_millis()) } else { Version::Latest };
    create_log_group(services, &function).await?;
    services.functions.create(&function).await?;
    Ok(Response::json(201, &configuration(services, &function, version, publish)))
}
