//! `FunctionUrlConfig`: the URL, and for one that is open to all the two permissions that it needs.

use serde_json::Value;

use super::Target;
use crate::sam::Made;
use crate::sam::intrinsic::{is_given, is_intrinsic};
use crate::sam::problem::Problem;
use crate::sam::property::should_be;
use crate::sam::resource::{Resource, Source};

/// What `Cors` may hold, and what Python calls the type of it.
const CORS: [(&str, &str); 6] = [
    ("AllowOrigins", "list"),
    ("AllowMethods", "list"),
    ("AllowCredentials", "bool"),
    ("AllowHeaders", "list"),
    ("ExposeHeaders", "list"),
    ("MaxAge", "int"),
];

/// Adds the URL, if the function wants one.
///
/// # Errors
/// `AuthType` or `Cors` is wrong.
pub fn add(source: &Source, target: &Target, made: &mut Made) -> Result<(), Problem> {
    let Some(config) = source.given("FunctionUrlConfig") else { return Ok(()) };
    if !is_intrinsic(config) {
        check_auth_type(source, &config["AuthType"])?;
        check_cors(source, &config["Cors"])?;
    }
    let permission = |suffix: &str, action: &str| {
        Resource::new(format!("{}{suffix}", source.id), "AWS::Lambda::Permission", source.inherited())
            .with("Action", Value::from(action))
            .with("FunctionName", target.reference.clone())
            .with("Principal", Value::from("*"))
    };
    if config["AuthType"] == "NONE" {
        let url = permission("UrlPublicPermissions", "lambda:InvokeFunctionUrl");
        let invoke = permission("URLInvokeAllowPublicAccess", "lambda:InvokeFunction");
        made.resources.push(url.with("FunctionUrlAuthType", Value::from("NONE")));
        made.resources.push(invoke.with("InvokedViaFunctionUrl", Value::from(true)));
    }
    made.resources.push(
        Resource::new(format!("{}Url", source.id), "AWS::Lambda::Url", source.inherited())
            .with("TargetFunctionArn", target.reference.clone())
            .with("AuthType", config.get("AuthType").cloned())
            .with("Cors", config.get("Cors").filter(|cors| is_given(cors)).cloned())
            .with("InvokeMode", config.get("InvokeMode").cloned()),
    );
    Ok(())
}

fn check_auth_type(source: &Source, auth_type: &Value) -> Result<(), Problem> {
    if is_intrinsic(auth_type) || ["AWS_IAM", "NONE"].iter().any(|known| auth_type == known) {
        return Ok(());
    }
    Err(source.problem(
        "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.",
    ))
}

fn check_cors(source: &Source, cors: &Value) -> Result<(), Problem> {
    if !is_given(cors) || is_intrinsic(cors) {
        return Ok(());
    }
    let Some(cors) = cors.as_object() else {
        return Err(source.problem(should_be("FunctionUrlConfig.Cors", "map")));
    };
    for (name, value) in cors {
        let Some((_, kind)) = CORS.iter().find(|(known, _)| known == name) else {
            return Err(source.problem(format!("{name} is not a valid property for configuring Cors.")));
        };
        let fits = match value {
            Value::Array(_) => *kind == "list",
            Value::Bool(_) => *kind == "bool",
            Value::Number(number) => *kind == "int" && !number.is_f64(),
            Value::Null | Value::String(_) | Value::Object(_) => false,
        };
        if !fits && !is_intrinsic(value) {
            return Err(source.problem(format!("{name} must be of type {kind}.")));
        }
    }
    Ok(())
}
