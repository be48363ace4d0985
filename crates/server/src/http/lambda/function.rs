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
use everstep_api::function::Code;
use everstep_api::reference::FunctionReference;
use everstep_api::timestamp::iso;
use everstep_core::Timestamp;
use everstep_core::id::Version;
use everstep_worker::code::{self, CodeRef, Pin};
use serde_json::{Map, Value, json};

use crate::access::Principal;
pub(super) use crate::functions::now_millis;
use crate::functions::{CodeFacts, Configuration, Function};
use crate::http::Services;
use crate::http::authorize::may_read_object;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::layers::UsedLayer;
use crate::objects;

/// Reads the function that the path names.
fn named_function(services: &Services, request: &Request) -> Result<FunctionReference, Error> {
    services.functions.parse(request.parameter(0), request.query("Qualifier"))
}

/// Takes in the code of a function or a layer. It is copied: what it was copied from may go. Returns too what keeps it in
/// the store until a document names it.
pub(super) async fn store_code(
    services: &Services,
    principal: &Principal,
    source: Code,
) -> Result<(CodeFacts, Pin), Error> {
    if source.image_uri.is_some() {
        return Err(Error::invalid_parameter(
            "Everstep runs no container images: upload a zip file (PackageType Zip).",
        ));
    }
    let store = std::sync::Arc::clone(&services.code);
    let stored = match source {
        Code { zip_file: Some(_), s3_bucket: Some(_), .. } => {
            return Err(Error::invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ));
        }
        Code { zip_file: Some(text), .. } => {
            let zip = STANDARD.decode(text);
            let zip = zip.map_err(|error| Error::serialization(format!("ZipFile is not base64: {error}")))?;
            tokio::task::spawn_blocking(move || store.put(&zip)).await
        }
        Code { s3_bucket: Some(bucket), s3_key: Some(key), s3_object_version, .. } => {
            let object = open_object(services, principal, &bucket, &key, s3_object_version.as_deref()).await?;
            tokio::task::spawn_blocking(move || store.copy(object)).await
        }
        Code { s3_bucket: Some(_), .. } => return Err(Error::invalid_parameter("Please provide an S3Key, too.")),
        Code { .. } => return Err(Error::invalid_parameter("Please provide a source for function code.")),
    };
    match stored.expect("unzipping does not panic") {
        Ok(CodeRef { sha256, digest, size, pin }) => Ok((CodeFacts { sha256, digest, size }, pin)),
        Err(code::Error::Refused(message)) => Err(Error::invalid_parameter(message)),
        Err(error @ code::Error::Io { .. }) => {
            tracing::error!(error = &error as &dyn std::error::Error, "code could not be stored");
            Err(Error::service("The code could not be stored; the server's log says why."))
        }
    }
}

/// Opens the object in which code is.
async fn open_object(
    services: &Services,
    principal: &Principal,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> Result<crate::objects::content::Reader, Error> {
    if !may_read_object(services, principal, bucket, key) {
        return Err(Error::access_denied(format!(
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for {bucket}/{key}. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
        )));
    }
    let missing = |code: &str, message: &str| {
        Error::invalid_parameter(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        ))
    };
    match services.objects.open_object(bucket, key, version_id).await {
        Ok((_, _, object)) => Ok(object),
        Err(objects::Error::NoSuchBucket(_)) => Err(missing("NoSuchBucket", "The specified bucket does not exist")),
        Err(objects::Error::NoSuchKey(_) | objects::Error::IsDeleteMarker(..)) => {
            Err(missing("NoSuchKey", "The specified key does not exist."))
        }
        Err(objects::Error::NoSuchVersion(..)) => {
            Err(missing("NoSuchVersion", "The specified version does not exist."))
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "an object could not be opened");
            Err(Error::service("The object could not be read; the server's log says why."))
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
