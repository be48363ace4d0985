//! Where code and layers are: `CodeUri`, `ContentUri`, `InlineCode`, `ImageUri`.

use serde_json::{Map, Value, json};

use super::intrinsic::is_given;
use super::problem::Problem;
use super::resource::Source;

/// How code is packed, if nothing is said.
const ZIP: &str = "Zip";

/// The other way: a container image.
const IMAGE: &str = "Image";

/// Returns the `Code` of a function.
///
/// # Errors
/// The function does not say where its code is, or says it in a way that cannot be read.
pub fn of_function(source: &Source) -> Result<Map<String, Value>, Problem> {
    let package_type = source.given("PackageType").cloned().unwrap_or_else(|| ZIP.into());
    let mut code = if package_type == IMAGE {
        match source.get("ImageUri") {
            None => return Err(source.problem("'ImageUri' must be set.")),
            Some(uri) if is_given(uri) => Map::from_iter([("ImageUri".to_owned(), uri.clone())]),
            Some(_) => {
                return Err(source.problem("'ImageUri' requires that a image hosted at a registry be specified."));
            }
        }
    } else if package_type != ZIP {
        let package_type = package_type.as_str().map_or_else(|| package_type.to_string(), str::to_owned);
        return Err(source.problem(format!("invalid 'PackageType' : {package_type}")));
    } else if let Some(code) = source.get("InlineCode") {
        Map::from_iter([("ZipFile".to_owned(), code.clone())])
    } else if let Some(uri) = source.get("CodeUri") {
        location(source, "CodeUri", uri)?
    } else {
        return Err(source.problem("Only one of 'InlineCode' or 'CodeUri' can be set."));
    };
    if let Some(key) = source.given("SourceKMSKeyArn").filter(|_| package_type == ZIP) {
        code.insert("SourceKMSKeyArn".to_owned(), key.clone());
    }
    check_package(source, package_type == IMAGE)?;
    Ok(code)
}

/// Reads where something is in S3: `s3://bucket/key`, perhaps with `?versionId=…`, or an object.
///
/// # Errors
/// It is neither; `name` is the property that says it.
pub fn location(source: &Source, name: &str, uri: &Value) -> Result<Map<String, Value>, Problem> {
    let location = match uri {
        Value::Object(location) => location.clone(),
        Value::String(uri) if is_secret(uri) => {
            return Err(source.problem(format!(
                "Unsupported dynamic reference detected in '{name}'. Please consider using alternative 'FunctionCode' object format."
            )));
        }
        Value::String(uri) => parse(uri).ok_or_else(|| {
            source.problem(format!(
                "'{name}' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter."
            ))
        })?,
        _ => return Err(source.problem(format!("'{name}' must be of type dict or string."))),
    };
    if !["Bucket", "Key"].iter().all(|part| location.get(*part).is_some_and(is_given)) {
        return Err(source.problem(format!("'{name}' requires Bucket and Key properties to be specified.")));
    }
    let parts = [
        ("Bucket", "S3Bucket"),
        ("Key", "S3Key"),
        ("Version", "S3ObjectVersion"),
        ("StorageMode", "S3ObjectStorageMode"),
    ];
    let given = parts.into_iter().filter_map(|(part, name)| Some((name.to_owned(), location.get(part)?.clone())));
    Ok(given.collect())
}

fn check_package(source: &Source, is_image: bool) -> Result<(), Problem> {
    let any = |names: &[&str]| names.iter().any(|name| source.given(name).is_some());
    let refusal = match is_image {
        true if any(&["Handler", "Runtime", "Layers"]) => {
            "Runtime, Handler, Layers cannot be present when PackageType is of type `Image`"
        }
        false if !any(&["Runtime"]) || !any(&["Handler"]) => {
            "Runtime and Handler needs to be present when PackageType is of type `Zip`"
        }
        false if any(&["ImageConfig"]) => "ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`",
        true | false => return Ok(()),
    };
    Err(source.problem(refusal))
}

/// Tells whether there is a dynamic reference with a `/` in a text.
fn is_secret(text: &str) -> bool {
    text.split("{{resolve:").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(inside, _)| {
        inside.split_once(':').is_some_and(|(service, path)| {
            matches!(service, "ssm" | "ssm-secure" | "secretsmanager") && path.contains('/')
        })
    })
}

fn parse(uri: &str) -> Option<Map<String, Value>> {
    let rest = uri.split('#').next()?;
    let rest = rest.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("s3://")).map(|_| &rest[5..])?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, key) = path.split_once('/').filter(|(bucket, _)| !bucket.is_empty())?;
    let mut location = json!({ "Bucket": bucket, "Key": key.trim_start_matches('/') });
    let mut versions =
        query.split('&').filter_map(|pair| pair.strip_prefix("versionId=")).filter(|version| !version.is_empty());
    if let (Some(version), None) = (versions.next(), versions.next()) {
        location["Version"] = version.into();
    }
    location.as_object().cloned()
}
