//! `AutoPublishAlias`: a version that is published when the function changes, and an alias for it.
//!
//! The version's logical id holds a digest of what makes a new version, so that CloudFormation publishes one then,
//! and keeps the old ones: of the code, the environment and the memory; or of all properties, if the function says so.

use serde_json::{Map, Value, json};

use crate::sam::Context;
use crate::sam::fingerprint;
use crate::sam::intrinsic::{attribute, is_given, logical_id, reference};
use crate::sam::problem::Problem;
use crate::sam::resource::{Resource, Source};

/// A version and the alias for it.
pub struct Published {
    /// The version.
    pub version: Resource,
    /// The alias.
    pub alias: Resource,
    /// The alias' name.
    pub name: String,
}

/// Makes the version and the alias, if the function wants them.
///
/// # Errors
/// The alias' name or the code's digest is none.
pub fn publish(context: &Context, source: &Source, function: &mut Resource) -> Result<Option<Published>, Problem> {
    let Some(alias) = source.given("AutoPublishAlias") else { return Ok(None) };
    let Value::String(name) = context.parameters.resolve(alias) else {
        return Err(source.problem("'AutoPublishAlias' must be a string or a Ref to a template parameter"));
    };
    let code_digest = code_digest(context, source)?;
    if let Some(digest) = &code_digest {
        function.set("Description", description(context, source, digest));
    }
    let code = context.parameters.resolve(&function.properties["Code"]);
    function.set("Code", code);
    let fingerprint = match &code_digest {
        Some(digest) => fingerprint::shortened(digest).to_owned(),
        None => fingerprint::of_value(&changing(context, source, function)),
    };
    check_name(source, &name)?;

    let mut attributes = source.inherited();
    if !attributes.contains_key("DeletionPolicy") {
        let policy = match source.get("VersionDeletionPolicy") {
            Some(policy) => policy.clone(),
            None if source.get("CapacityProviderConfig").is_some() => "Delete".into(),
            None => "Retain".into(),
        };
        attributes.insert("DeletionPolicy".to_owned(), policy);
    }
    let scaling = source.get("CapacityProviderConfig").and_then(|_| source.get("FunctionScalingConfig"));
    let version = Resource::new(format!("{}Version{fingerprint}", source.id), "AWS::Lambda::Version", attributes)
        .with("FunctionName", reference(&source.id))
        .with("Description", source.get("VersionDescription").cloned())
        .with("FunctionScalingConfig", scaling.cloned());
    let alias_id = format!("{}Alias{}", source.id, name.replace('-', "D").replace('_', "U"));
    let alias = Resource::new(alias_id, "AWS::Lambda::Alias", source.inherited())
        .with("Name", Value::from(name.as_str()))
        .with("FunctionName", reference(&source.id))
        .with("FunctionVersion", attribute(&version.id, "Version"))
        .with("ProvisionedConcurrencyConfig", source.given("ProvisionedConcurrencyConfig").cloned());
    Ok(Some(Published { version, alias, name }))
}

fn code_digest(context: &Context, source: &Source) -> Result<Option<String>, Problem> {
    match source.given("AutoPublishCodeSha256").map(|digest| context.parameters.resolve(digest)) {
        None => Ok(None),
        Some(Value::String(digest)) => Ok(Some(digest)),
        Some(_) => Err(source.problem("AutoPublishCodeSha256 must be a string")),
    }
}

/// Adds the code's digest to the function's description, so that CloudFormation sees that the function has changed.
fn description(context: &Context, source: &Source, digest: &str) -> Value {
    match source.get("Description").map(|description| context.parameters.resolve(description)) {
        Some(Value::String(description)) if !description.is_empty() => format!("{description} {digest}").into(),
        Some(description) if is_given(&description) => json!({ "Fn::Join": [" ", [description, digest]] }),
        Some(_) | None => digest.into(),
    }
}

/// Returns what makes a new version when it changes.
fn changing(context: &Context, source: &Source, function: &Resource) -> Value {
    if source.given("AutoPublishAliasAllProperties").is_some() {
        return all_properties(context, function).into();
    }
    let mut changing = function.properties["Code"].as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(environment)) = source.get("Environment") {
        changing.extend(environment.clone());
    }
    if let Some(memory) = source.given("MemorySize") {
        changing.insert("MemorySize".to_owned(), memory.clone());
    }
    if let Some(snap_start) = source.given("SnapStart")
        && snap_start.get("ApplyOn").is_some_and(|apply_on| apply_on != "None")
    {
        changing.insert("SnapStart".to_owned(), snap_start.clone());
    }
    changing.into()
}

/// Returns the function's properties, and those of layers that say that a new one is to make a new version.
fn all_properties(context: &Context, function: &Resource) -> Map<String, Value> {
    let mut all = function.properties.clone();
    let layers = function.properties.get("Layers").and_then(Value::as_array).into_iter().flatten();
    for id in layers.filter_map(logical_id) {
        let properties = &context.resources[id]["Properties"];
        if is_given(&properties["PublishLambdaVersion"]) {
            all.insert(id.to_owned(), properties.clone());
        }
    }
    all
}

fn check_name(source: &Source, name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(source.problem("Alias name is required to create an alias"));
    }
    let allowed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if allowed && !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(source.problem(format!(
        "AutoPublishAlias name ('{name}') must contain only alphanumeric characters, hyphens, or underscores \
         matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern."
    )))
}
