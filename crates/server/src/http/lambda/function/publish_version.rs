//! `PublishVersion`.

use everstep_api::function::PublishVersion;

use super::{check_revision, configuration, named_function, now_millis};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};

/// Publishes `$LATEST` as a version that does not change any more.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = named_function(services, request)?;
    let publish: PublishVersion = request.json()?;
    let (function, version) = services
        .functions
        .change(&reference, |function| {
            check_revision(publish.revision_id.as_deref(), &function.latest.revision_id)?;
            if publish.code_sha256.as_ref().is_some_and(|given| *given != function.latest.code.sha256) {
                let current = &function.latest.code.sha256;
                return Err(Error::invalid_parameter(format!(
                    "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with the CodeSHA256 in $LATEST.",
                    publish.code_sha256.as_deref().unwrap_or_default()
                )));
            }
            Ok(function.publish(publish.description.clone(), now_millis()))
        })
        .await?;
    Ok(Response::json(201, &configuration(services, &function, version, true)))
}
