//! The function operations: one file each, what they share here.

pub mod aliases;
pub mod concurrency;
pub mod create_function;
pub mod delete_function;
pub mod event_invoke_configs;
pub mod get_account_settings;
pub mod get_function;
pub mod get_function_configuration;
pub mod invoke;
pub mod invoke_with_response_stream;
pub mod list_functions;
pub mod list_versions_by_function;
pub mod permissions;
pub mod publish_version;
pub mod tags;
pub mod update_function_code;
pub mod update_function_configuration;
pub mod url_configs;

mod role;
mod settings;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everstep_api::reference::FunctionReference;
use everstep_api::timestamp::iso;
use everstep_core::Timestamp;
use everstep_core::id::Version;
use everstep_worker::code;
use serde_json::{Map, Value, json};

pub(super) use crate::functions::now_millis;
use crate::functions::{CodeFacts, Configuration, Function};
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::layers::UsedLayer;

/// Reads the function that the path names.
fn named_function(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    services.functions.parse(request.parameter(0), request.query("Qualifier"))
}

/// Takes in the code of a function or a layer.
pub(super) async fn store_code(
    services: &Services,
    zip_file: Option<&str>,
    s3_bucket: Option<&str>,
    image_uri: Option<&str>,
) -> Result<CodeFacts, Error> {
    if image_uri.is_some() {
        return Err(Error::invalid_parameter(
            "Everstep runs no container images: upload a zip file (PackageType Zip).",
        ));
    }
    if s3_bucket.is_some() {
        return Err(Error::invalid_parameter(
            "Everstep does not fetch code from S3 yet: send the zip itself, as ZipFile.",
        ));
    }
    let text = zip_file.ok_or_else(|| Error::invalid_parameter("Please provide a source for function code."))?;
    let zip = STANDARD.decode(text).map_err(|error| Error::serialization(format!("ZipFile is not base64: {error}")))?;
    let store = std::sync::Arc::clone(&services.code);
    let stored = tokio::task::spawn_blocking(move || store.put(&zip)).await.expect("unzipping does not panic");
    match stored {
        Ok(code) => Ok(CodeFacts { sha256: code.sha256, digest: code.digest, size: code.size }),
        Err(code::Error::Refused(message)) => Err(Error::invalid_parameter(message)),
        Err(error @ code::Error::Io { .. }) => {
            tracing::error!(error = &error as &dyn std::error::Error, "code could not be stored");
            Err(Error::service("The code could not be stored; the server's log says why."))
        }
    }
}

/// Writes a version of a function. Source: Lambda API, `FunctionConfiguration`.
fn configuration(services: &Services, function: &Function, version: Version, qualified: bool) -> Value {
    let found = function.configuration(version).expect("the caller looked it up");
    let Configuration { code, logging_config, .. } = found;
    let arn = services.functions.place().function_arn(&function.name);
    let arn = if qualified { format!("{arn}:{version}") } else { arn };
    let group = crate::runner::log_group(&function.name, found);
    let format = logging_config.log_format.as_deref().unwrap_or("Text");
    let mut logging = json!({"LogFormat": format, "LogGroup": group});
    if format == "JSON" {
        logging["ApplicationLogLevel"] = logging_config.application_log_level.as_deref().unwrap_or("INFO").into();
        logging["SystemLogLevel"] = logging_config.system_log_level.as_deref().unwrap_or("INFO").into();
    }
    let mut shape = json!({
        "FunctionName": function.name.as_str(),
        "FunctionArn": arn,
        "Version": version.to_string(),
        "Runtime": found.runtime,
        "Handler": found.handler,
        "Role": found.role,
        "Description": found.description,
        "Timeout": found.timeout_seconds,
        "MemorySize": found.memory_mb,
        "CodeSize": code.size,
        "CodeSha256": code.sha256,
        "LastModified": iso(Timestamp::from_millis(found.last_modified_millis)),
        "RevisionId": found.revision_id,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": logging,
        "State": "Active",
        "LastUpdateStatus": "Successful",
    });
    let members = shape.as_object_mut().expect("written as an object");
    members.extend(found.kept.clone());
    if !found.environment.is_empty() {
        members.insert("Environment".into(), json!({"Variables": found.environment}));
    }
    if !found.layers.is_empty() {
        let layer = |layer: &UsedLayer| json!({"Arn": layer.arn, "CodeSize": layer.code.size});
        members.insert("Layers".into(), found.layers.iter().map(layer).collect());
    }
    if let Some(durable_config) = &found.durable_config {
        let retention = crate::runner::retention_days(durable_config);
        let mut config: Map<String, Value> =
            serde_json::from_value(json!(durable_config)).expect("written as an object");
        config.insert("RetentionPeriodInDays".into(), retention.into());
        members.insert("DurableConfig".into(), config.into());
    }
    shape
}

/// Refuses to go on if the revision is another one by now.
fn check_revision(given: Option<&str>, current: &str) -> Result<(), Error> {
    match given {
        Some(given) if given != current => Err(Error::precondition_failed("GetFunction/GetAlias")),
        Some(_) | None => Ok(()),
    }
}

/// Creates the log group of a function, so that it can be read before the first line.
async fn create_log_group(services: &Services, function: &Function) -> Result<(), Error> {
    let group = crate::runner::log_group(&function.name, &function.latest);
    Ok(services.logs.create_group(&group).await?)
}
