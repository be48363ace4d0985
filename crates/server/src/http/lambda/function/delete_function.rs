//! `DeleteFunction`.

use everstep_core::id::Version;

use super::named_function;
use crate::functions::Function;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::runner::own_log_group;

/// Deletes a function, or one version of it. Executions that need it fail when they are invoked next.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let Some(qualifier) = reference.qualifier.as_deref() else {
        let function = services.functions.delete(&reference).await?;
        retire_all(services, &function);
        services.code.want_sweep();
        for url in function.urls.values() {
            services.function_urls.forget(&url.id).await?;
        }
        services.concurrency.forget(&function.name).await?;
        services.log_groups.forget_unused(&own_log_group(&function.name)).await?;
        return Ok(Response::empty(204));
    };
    let number = match qualifier.parse::<Version>() {
        Ok(Version::Number(number)) => number,
        Ok(Version::Latest) => {
            return Err(Error::invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
        }
        Err(_) => return Err(Error::invalid_parameter("Deletion of aliases is not currently supported.")),
    };
    let (function, removed) = services
        .functions
        .change(&reference, |function| {
            let aliased = function.aliases.iter().find(|(_, alias)| alias.leads_to(Version::Number(number)));
            if let Some((alias, _)) = aliased {
                return Err(Error::conflict(format!(
                    "Version {number} is used by alias {alias}: point it elsewhere first."
                )));
            }
            function.forget_qualifier(qualifier);
            Ok(function.versions.remove(&number))
        })
        .await?;
    if let Some(removed) = removed {
        services.runner.retire(&function.name, Version::Number(number), &removed);
        services.code.want_sweep();
    }
    Ok(Response::empty(204))
}

fn retire_all(services: &Services, function: &Function) {
    services.runner.retire(&function.name, Version::Latest, &function.latest);
    for (number, configuration) in &function.versions {
        services.runner.retire(&function.name, Version::Number(*number), configuration);
    }
}
