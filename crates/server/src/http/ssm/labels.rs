//! `LabelParameterVersion` and `UnlabelParameterVersion`: names for versions. A label is at one version at a time.

use serde::Deserialize;
use serde_json::{Value, json};

use super::missing;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{PARAMETER_LABEL_CHARACTERS_MAX, PARAMETER_LABELS_MAX};
use crate::parameters::ParameterVersion;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Given {
    name: Option<String>,
    parameter_version: Option<u64>,
    labels: Vec<String>,
}

/// Moves labels to a version.
pub async fn add(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { name, parameter_version, labels } = request.json()?;
    let name = name.ok_or_else(|| Error::missing("name"))?;
    let (good, invalid): (Vec<String>, Vec<String>) = labels.into_iter().partition(|label| is_label(label));
    let number = services
        .parameters
        .change(&name, |found| {
            let mut parameter = found.ok_or_else(missing)?;
            let number = parameter_version.unwrap_or(parameter.latest().number);
            for version in &mut parameter.versions {
                version.labels.retain(|label| !good.contains(label));
            }
            let version = version(&mut parameter.versions, number, &name)?;
            version.labels.extend(good);
            if version.labels.len() > PARAMETER_LABELS_MAX {
                let message = format!("A version can have at most {PARAMETER_LABELS_MAX} labels.");
                return Err(Error::named(400, "ParameterVersionLabelLimitExceeded", message));
            }
            Ok((parameter, number))
        })
        .await?;
    Ok(json!({"InvalidLabels": invalid, "ParameterVersion": number}))
}

/// Removes labels from a version.
pub async fn remove(services: &Services, request: &Request) -> Result<Value, Error> {
    let Given { name, parameter_version, labels } = request.json()?;
    let name = name.ok_or_else(|| Error::missing("name"))?;
    let number = parameter_version.ok_or_else(|| Error::missing("parameterVersion"))?;
    let (removed, invalid) = services
        .parameters
        .change(&name, |found| {
            let mut parameter = found.ok_or_else(missing)?;
            let version = version(&mut parameter.versions, number, &name)?;
            let outcome: (Vec<String>, Vec<String>) =
                labels.into_iter().partition(|label| version.labels.remove(label));
            Ok((parameter, outcome))
        })
        .await?;
    Ok(json!({"RemovedLabels": removed, "InvalidLabels": invalid}))
}

fn version<'a>(
    versions: &'a mut [ParameterVersion],
    number: u64,
    name: &str,
) -> Result<&'a mut ParameterVersion, Error> {
    versions.iter_mut().find(|version| version.number == number).ok_or_else(|| {
        let message =
            format!("Systems Manager could not find version {number} of {name}. Verify the version and try again.");
        Error::named(400, "ParameterVersionNotFound", message)
    })
}

fn is_label(label: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let lower = label.to_ascii_lowercase();
    !label.is_empty()
        && label.len() <= PARAMETER_LABEL_CHARACTERS_MAX
        && label.bytes().all(known)
        && !label.starts_with(|first: char| first.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
}
