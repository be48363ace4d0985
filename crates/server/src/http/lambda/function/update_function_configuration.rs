//! `UpdateFunctionConfiguration`.

use everstep_api::function::Settings;
use everstep_core::id::Version;

use super::{check_revision, configuration, create_log_group, named_function, now_millis, role, settings};
use crate::functions::new_revision_id;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::layers;

/// Changes the configuration of `$LATEST`. A function is durable from its creation on, or never.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    let given: Settings = request.json()?;
    settings::check(&given)?;
    if let Some(arn) = given.role.as_deref().filter(|role| !role.is_empty()) {
        role::check(services, &request.principal, arn)?;
    }
    let used_layers = match &given.layers {
        Some(arns) => {
            let found = services.functions.find(&reference).await?;
            let used = services.layers.resolve(arns).await?;
            let pins = layers::prepare(&services.code, &found.function.latest.code, &used).await?;
            Some((used, pins))
        }
        None => None,
    };
    let (function, before) = services
        .functions
        .change(&reference, |function| {
            check_revision(given.revision_id.as_deref(), &function.latest.revision_id)?;
            if given.durable_config.is_some() && function.latest.durable_config.is_none() {
                return Err(Error::invalid_parameter(
                    "DurableConfig cannot be added to a function that was created without it: create a new function.",
                ));
            }
            if given.tenancy_config.is_some() {
                return Err(Error::invalid_parameter(
                    "TenancyConfig cannot be changed after a function was created: create a new function.",
                ));
            }
            let before = function.latest.clone();
            settings::take_over(&given, &mut function.latest);
            if let Some((used, _)) = &used_layers {
                function.latest.layers.clone_from(used);
            }
            function.latest.revision_id = new_revision_id();
            function.latest.last_modified_millis = now_millis();
            Ok(before)
        })
        .await?;
    services.runner.retire(&function.name, Version::Latest, &before);
    services.code.want_sweep();
    create_log_group(services, &function).await?;
    Ok(Response::json(200, &configuration(services, &function, Version::Latest, false)))
}
