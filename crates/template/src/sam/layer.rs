//! `AWS::Serverless::LayerVersion`: a layer whose logical id holds a digest of it, so that old versions stay.

use serde_json::{Map, Value, json};

use super::intrinsic::is_intrinsic;
use super::problem::{Problem, listed};
use super::property::{Property, Shape, optional, required};
use super::resource::{Resource, Source};
use super::{Context, Made, code, fingerprint};

/// The type that this is about.
pub const KIND: &str = "AWS::Serverless::LayerVersion";

/// What becomes of a version that a newer one replaces.
const RETENTION_POLICIES: [&str; 2] = ["Retain", "Delete"];

/// The properties. Source: `aws-sam-translator`, `SamLayerVersion`.
const PROPERTIES: [Property; 8] = [
    optional("LayerName", Shape::TextOrMap),
    optional("Description", Shape::Text),
    optional("PublishLambdaVersion", Shape::Boolean),
    required("ContentUri", Shape::TextOrMap),
    optional("CompatibleArchitectures", Shape::TextsAndMaps),
    optional("CompatibleRuntimes", Shape::TextsAndMaps),
    optional("LicenseInfo", Shape::Text),
    optional("RetentionPolicy", Shape::Text),
];

/// Makes the plain layer.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn translate(context: &Context, id: &str, resource: &Value) -> Result<Made, Problem> {
    let mut source = Source::read(id, resource, KIND, &PROPERTIES)?;
    for name in ["LayerName", "LicenseInfo", "Description", "RetentionPolicy"] {
        if let Some(value) = source.given(name) {
            let value = context.parameters.resolve(value);
            if !value.is_string() && !value.is_object() {
                let message = format!("Could not resolve parameter for '{name}' or parameter is not a String.");
                return Err(source.problem(message));
            }
            source.set(name, value);
        }
    }
    let mut attributes = source.inherited();
    match retention_policy(&source)? {
        Some(policy) => attributes.insert("DeletionPolicy".to_owned(), policy.into()),
        None if attributes.contains_key("DeletionPolicy") => None,
        None => attributes.insert("DeletionPolicy".to_owned(), RETENTION_POLICIES[0].into()),
    };
    source.id += &fingerprint::of_value(&json!({ id: fingerprinted(&source) }));
    let mut layer = Resource::new(&source.id, "AWS::Lambda::LayerVersion", attributes)
        .depending_on(source.depends_on.clone())
        .with("Content", Value::Object(code::location(&source, "ContentUri", &source.properties()["ContentUri"])?))
        .with("LayerName", source.given("LayerName").cloned().unwrap_or_else(|| id.into()));
    for name in ["Description", "CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo"] {
        layer.set(name, source.get(name).cloned());
    }
    check_architectures(&source)?;
    Ok(Made { resources: vec![layer], new_id: Some(source.id), ..Made::default() })
}

/// Returns what makes a new version: the whole resource, but for what becomes of it and is said about it.
fn fingerprinted(source: &Source) -> Map<String, Value> {
    let mut resource = Resource::new(&source.id, KIND, source.attributes()).depending_on(source.depends_on.clone());
    resource
        .attributes
        .retain(|name, _| !["DeletionPolicy", "UpdateReplacePolicy", "Metadata"].contains(&name.as_str()));
    resource.properties = source.properties().clone();
    match resource.into_json() {
        Value::Object(members) => members,
        other => unreachable!("a resource is an object, not {other}"),
    }
}

fn retention_policy(source: &Source) -> Result<Option<&'static str>, Problem> {
    let options = listed(&RETENTION_POLICIES);
    match source.get("RetentionPolicy") {
        None => Ok(None),
        Some(policy) if is_intrinsic(policy) => Err(source.problem(format!(
            "'RetentionPolicy' does not accept intrinsic functions, please use one of the following options: {options}"
        ))),
        Some(Value::String(policy)) => {
            match RETENTION_POLICIES.into_iter().find(|known| known.eq_ignore_ascii_case(policy)) {
                Some(known) => Ok(Some(known)),
                None => {
                    Err(source.problem(format!("'RetentionPolicy' must be one of the following options: {options}.")))
                }
            }
        }
        Some(_) => Err(source
            .problem(format!("Invalid 'RetentionPolicy' type, please use one of the following options: {options}"))),
    }
}

fn check_architectures(source: &Source) -> Result<(), Problem> {
    let architectures = source.get("CompatibleArchitectures").and_then(Value::as_array).into_iter().flatten();
    let known = |architecture: &Value| {
        is_intrinsic(architecture) || ["x86_64", "arm64"].iter().any(|known| architecture == known)
    };
    if architectures.into_iter().all(known) {
        return Ok(());
    }
    Err(source.problem("CompatibleArchitectures needs to be a list of 'x86_64' or 'arm64'"))
}
