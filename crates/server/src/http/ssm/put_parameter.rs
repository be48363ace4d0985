//! `PutParameter`: a new parameter, or a new version of one.

use std::collections::{BTreeMap, BTreeSet};

use everstep_api::validation::Violations;
use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{Tag, read_tags};
use crate::functions::now_millis;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::limits::{
    PARAMETER_ADVANCED_BYTES_MAX, PARAMETER_BYTES_MAX, PARAMETER_DESCRIPTION_CHARACTERS_MAX, PARAMETER_LEVELS_MAX,
    PARAMETER_NAME_CHARACTERS_MAX, PARAMETER_VERSIONS_MAX, PARAMETERS_MAX,
};
use crate::parameters::{Parameter, ParameterVersion};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PutParameter {
    name: Option<String>,
    value: Option<String>,
    r#type: Option<String>,
    description: Option<String>,
    overwrite: bool,
    allowed_pattern: Option<String>,
    key_id: Option<String>,
    tier: Option<String>,
    data_type: Option<String>,
    tags: Vec<Tag>,
    policies: Option<String>,
}

/// Puts a value.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: PutParameter = request.json()?;
    let name = given.name.clone().ok_or_else(|| Error::missing("name"))?;
    check_name(&name)?;
    check(&given)?;
    let value = given.value.clone().ok_or_else(|| Error::missing("value"))?;
    let tags = read_tags(given.tags)?;
    if given.overwrite && !tags.is_empty() {
        return Err(Error::validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let full = services.parameters.count(PARAMETERS_MAX).await? >= PARAMETERS_MAX;
    let modified_by = services.identities.principal_arn(&request.principal);
    let (number, tier) = services
        .parameters
        .change(&name, |found| {
            let mut parameter = match found {
                // What the server was born with gives way.
                Some(parameter) if given.overwrite || parameter.born => parameter,
                Some(_) => return Err(Error::named(400, "ParameterAlreadyExists", EXISTS)),
                None if full => return Err(Error::named(400, "ParameterLimitExceeded", format!("There are {PARAMETERS_MAX} parameters, which is as many as there may be."))),
                None => Parameter {
                    name: name.clone(),
                    tier: "Standard".into(),
                    data_type: "text".into(),
                    key_id: None,
                    tags: BTreeMap::new(),
                    versions: Vec::new(),
                    born: false,
                },
            };
            let before = parameter.versions.last().cloned();
            let kind = given.r#type.clone().or_else(|| before.as_ref().map(|before| before.kind.clone()));
            let kind = kind.ok_or_else(|| Error::validation("A parameter type is required when you create a parameter."))?;
            let allowed_pattern =
                given.allowed_pattern.clone().or_else(|| before.as_ref().and_then(|before| before.allowed_pattern.clone()));
            let description =
                given.description.clone().or_else(|| before.as_ref().and_then(|before| before.description.clone()));
            parameter.tier = tier(given.tier.as_deref(), &parameter.tier, &value)?;
            parameter.data_type = given.data_type.clone().unwrap_or(parameter.data_type);
            parameter.key_id = given.key_id.clone().or(parameter.key_id);
            parameter.tags.extend(tags);
            parameter.born = false;
            let number = before.map_or(1, |before| before.number + 1);
            parameter.versions.push(ParameterVersion {
                number,
                kind,
                value,
                description,
                allowed_pattern,
                modified_at_millis: now_millis(),
                modified_by,
                labels: BTreeSet::new(),
            });
            if parameter.versions.len() > PARAMETER_VERSIONS_MAX {
                let oldest = &parameter.versions[0];
                if !oldest.labels.is_empty() {
                    return Err(Error::named(400, "ParameterMaxVersionLimitExceeded", format!("Version {} has a label, and would have to be forgotten: move its labels to a newer version.", oldest.number)));
                }
                parameter.versions.remove(0);
            }
            let tier = parameter.tier.clone();
            Ok((parameter, (number, tier)))
        })
        .await?;
    Ok(json!({"Version": number, "Tier": tier}))
}

const EXISTS: &str =
    "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";

fn tier(asked: Option<&str>, before: &str, value: &str) -> Result<String, Error> {
    let large = value.len() > PARAMETER_BYTES_MAX;
    let tier = match asked {
        Some("Intelligent-Tiering") if large => "Advanced",
        Some("Intelligent-Tiering") | None => before,
        Some(tier) => tier,
    };
    let max = if tier == "Advanced" { PARAMETER_ADVANCED_BYTES_MAX } else { PARAMETER_BYTES_MAX };
    if value.len() > max {
        return Err(Error::validation(format!(
            "{tier} tier parameters support a maximum parameter value of {max} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )));
    }
    Ok(tier.into())
}

fn check(given: &PutParameter) -> Result<(), Error> {
    let mut violations = Violations::default();
    if let Some(kind) = &given.r#type {
        violations.one_of(kind, "type", &[("SecureString", ()), ("StringList", ()), ("String", ())]);
    }
    if let Some(tier) = &given.tier {
        violations.one_of(tier, "tier", &[("Standard", ()), ("Advanced", ()), ("Intelligent-Tiering", ())]);
    }
    if let Some(value) = &given.value {
        violations.length(value, "value", 1, usize::MAX);
    }
    let description = given.description.as_deref().unwrap_or_default();
    violations.length(description, "description", 0, PARAMETER_DESCRIPTION_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)?;
    if given.allowed_pattern.as_ref().is_some_and(|pattern| !pattern.is_empty()) {
        return Err(Error::named(
            400,
            "InvalidAllowedPatternException",
            "Everstep does not check values by AllowedPattern: leave it out.",
        ));
    }
    if given.policies.as_ref().is_some_and(|policies| !policies.is_empty() && policies != "[]") {
        return Err(Error::named(
            400,
            "InvalidPolicyTypeException",
            "Everstep has no parameter policies: leave them out.",
        ));
    }
    match given.data_type.as_deref() {
        None | Some("text" | "aws:ec2:image" | "aws:ssm:integration") => Ok(()),
        Some(other) => Err(Error::validation(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        ))),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let mut violations = Violations::default();
    violations.length(name, "name", 1, PARAMETER_NAME_CHARACTERS_MAX);
    violations.finish().map_err(Error::validation)?;
    if !name.bytes().all(known) || name.ends_with('/') || name.contains("//") {
        return Err(Error::validation(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Error::validation("Parameter name must be a fully qualified name."));
    }
    let bare = name.trim_start_matches('/').to_ascii_lowercase();
    if bare.starts_with("aws") {
        return Err(Error::named(
            400,
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if bare.starts_with("ssm") {
        return Err(Error::validation("Parameter name: can't be prefixed with \"ssm\" (case-insensitive)."));
    }
    if name.matches('/').count() > PARAMETER_LEVELS_MAX {
        return Err(Error::named(
            400,
            "HierarchyLevelLimitExceededException",
            format!("Hierarchies can have a maximum of {PARAMETER_LEVELS_MAX} levels."),
        ));
    }
    Ok(())
}
