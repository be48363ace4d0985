//! `UpdateFunctionCode`.

use everstep_api::function::{Code, UpdateFunctionCode};
use everstep_core::id::Version;
use serde_json::json;

use super::{check_revision, configuration, named_function, now_millis, store_code};
use crate::functions::new_revision_id;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::layers;

/// Replaces the code of `$LATEST`. Invocations under way finish with the old code.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let mut reference = named_function(services, request)?;
    reference.qualifier = None;
    let update: UpdateFunctionCode = request.json()?;
    let before = services.functions.find(&reference).await?;
    check_revision(update.revision_id.as_deref(), &before.function.latest.revision_id)?;
    let source = Code {
        zip_file: update.zip_file,
        s3_bucket: update.s3_bucket,
        s3_key: update.s3_key,
        s3_object_version: update.s3_object_version,
        image_uri: update.image_uri,
    };
    let (code, _pin) = store_code(services, &request.principal, source).await?;
    let _pins = layers::prepare(&services.code, &code, &before.function.latest.layers).await?;
    if update.dry_run.unwrap_or_default() {
        return Ok(Response::json(200, &configuration(services, &before.function, Version::Latest, false)));
    }
    let publish = update.publish.unwrap_or_default();
    let (function, (version, replaced)) = services
        .functions
        .change(&reference, |function| {
            check_revision(update.revision_id.as_deref(), &function.latest.revision_id)?;
            let replaced = function.latest.clone();
            function.latest.code = code.clone();
            function.latest.revision_id = new_revision_id();
            function.latest.last_modified_millis = now_millis();
            if let Some(architectures) = &update.architectures {
                function.latest.kept.insert("Architectures".into(), json!(architectures));
            }
            Ok((if publish { function.publish(None, now_millis()) } else { Version::Latest }, replaced))
        })
        .await?;
    services.runner.retire(&function.name, Version::Latest, &replaced);
    services.code.want_sweep();
    Ok(Response::json(200, &configuration(services, &function, version, publish)))
}
