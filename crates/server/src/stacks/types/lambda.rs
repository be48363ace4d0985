//! The types of AWS Lambda.

pub mod alias;
pub mod event_invoke_config;
pub mod function;
pub mod layer_version;
pub mod permission;
pub mod url;
pub mod version;

use everstep_api::reference::FunctionReference;

use super::Site;
use crate::http::error::Error;

/// Returns the ARN that a function's name or ARN stands for.
fn function_arn(site: &Site, text: &str) -> Result<String, Error> {
    let reference = site.services.functions.parse(text, None)?;
    Ok(site.services.functions.arn(&reference))
}

/// Reads a function's name or ARN, without what it says of a version or an alias.
fn unqualified(site: &Site, text: &str) -> Result<FunctionReference, Error> {
    let mut reference = site.services.functions.parse(text, None)?;
    reference.qualifier = None;
    Ok(reference)
}

/// Splits the ARN of a version or an alias in what comes before the last colon and after it.
fn split(arn: &str) -> (&str, &str) {
    arn.rsplit_once(':').unwrap_or((arn, ""))
}
