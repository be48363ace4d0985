//! Dynamic references of templates: `{{resolve:ssm:name:version}}`, whose values are read when a resource is made.
//!
//! What is read is the deployer's to read. Secrets are not: whatever a stack knows can be asked for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::access::Principal;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::on_behalf::Call;
use crate::http::ssm::Operation;

/// How a dynamic reference begins.
const BEGINNING: &str = "{{resolve:";

/// The values of references that were read so far.
#[derive(Default)]
pub struct Dynamic {
    known: Mutex<BTreeMap<Reference, String>>,
}

/// The service and the key of a reference.
pub type Reference = (String, String);

impl Dynamic {
    /// Returns the value of a reference, if it was read.
    pub fn find(&self, reference: &Reference) -> Option<String> {
        self.lock().get(reference).cloned()
    }

    /// Reads the value of a reference, if somebody may.
    ///
    /// # Errors
    /// Says why it cannot be had.
    pub async fn read(&self, reference: Reference, services: &Services, principal: &Principal) -> Result<(), String> {
        let value = value(services, principal, &reference).await?;
        self.lock().insert(reference, value);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reference, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn value(services: &Services, principal: &Principal, (service, key): &Reference) -> Result<String, String> {
    if service != "ssm" {
        return Err(format!(
            "Could not resolve the dynamic reference {BEGINNING}{service}:{key}}}}}: {}",
            way_out(service)
        ));
    }
    let get = Call::new(Operation::GetParameter, &[]).body(json!({"Name": key}));
    let found = Box::pin(services.call(principal, get)).await;
    let found = found.map_err(|error| match error.code {
        "ParameterNotFound" | "ParameterVersionNotFound" => {
            format!("Parameters: [{BEGINNING}ssm:{key}}}}}] cannot be found.")
        }
        _ => error.message,
    })?;
    let parameter = &found["Parameter"];
    match (parameter["Type"].as_str(), parameter["Value"].as_str()) {
        (Some("SecureString"), _) | (_, None) => Err(format!(
            "SSM Secure reference is not supported in: {BEGINNING}ssm:{key}}}}}. {}",
            way_out("ssm-secure")
        )),
        (_, Some(value)) => Ok(value.to_string()),
    }
}

fn way_out(service: &str) -> String {
    format!(
        "Everstep resolves {BEGINNING}ssm:…}}}}, and nothing of `{service}`: let the function read the secret itself, or pass it as a parameter with NoEcho"
    )
}

/// Checks that what a template makes refers to nothing that is not served: its outputs, and the properties of the
/// `resources` that are to be there. Elsewhere a reference is text like any other.
///
/// # Errors
/// If it does, with the way out.
pub fn check<'a>(processed: &Value, resources: impl IntoIterator<Item = &'a String>) -> Result<(), Error> {
    let mut properties = resources.into_iter().map(|name| &processed["Resources"][name]["Properties"]);
    properties.try_for_each(check_value)?;
    let outputs = processed["Outputs"].as_object().into_iter().flat_map(|outputs| outputs.values());
    outputs.flat_map(|output| [&output["Value"], &output["Export"]]).try_for_each(check_value)
}

fn check_value(value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) => {
            for reference in text.split(BEGINNING).skip(1) {
                let service = reference.split([':', '}']).next().unwrap_or_default();
                if service != "ssm" {
                    let shown = reference.split("}}").next().unwrap_or_default();
                    return Err(Error::validation(format!(
                        "Template error: the dynamic reference {BEGINNING}{shown}}}}} is not served. {}.",
                        way_out(service)
                    )));
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(check_value),
        Value::Object(members) => members.values().try_for_each(check_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_secrets_are_refused() {
        for (text, expected) in [
            ("{{resolve:ssm:/a/b:1}}", None),
            ("plain", None),
            ("{{resolve:ssm:a}}-{{resolve:secretsmanager:s:SecretString:p}}", Some("`secretsmanager`")),
            ("{{resolve:ssm-secure:a}}", Some("`ssm-secure`")),
        ] {
            for template in [
                json!({"Resources": {"R": {"Properties": {"List": [text]}}}}),
                json!({"Outputs": {"O": {"Value": text}}}),
                json!({"Outputs": {"O": {"Value": "", "Export": {"Name": text}}}}),
            ] {
                let message = check(&template, &["R".to_string()]).err().map(|error| error.message);
                assert_eq!(message.is_some(), expected.is_some(), "{template}");
                assert!(message.unwrap_or_default().contains(expected.unwrap_or_default()), "{template}");
            }
        }
    }

    #[test]
    fn references_that_are_not_resolved_are_text() {
        let text = "{{resolve:secretsmanager:s}}";
        let template = json!({
            "Description": text,
            "Metadata": {"M": text},
            "Resources": {"R": {"Metadata": text, "Properties": {}}, "Unused": {"Properties": {"P": text}}},
            "Outputs": {"O": {"Description": text, "Value": ""}},
        });
        assert!(check(&template, &["R".to_string()]).is_ok());
    }
}
