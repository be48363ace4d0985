//! `GetTemplateSummary`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::source;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::stacks::prepare::{Sender, summary, text};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    stack_name: Option<String>,
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
}

/// Says what a template takes and needs.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let text = match given.stack_name.filter(|name| !name.is_empty()) {
        Some(name) => {
            let stack = services.stacks.find(&name).await?;
            let template = services.stacks.shown_template(&stack).await?;
            template.ok_or_else(|| Error::validation(format!("Stack [{name}] has no template")))?.original
        }
        None => {
            let source = source(given.template_body, given.template_url, false)?;
            text(services, &Sender::of(request), None, &source).await?
        }
    };
    let summary = summary(services, &text)?;
    let parameter = |(name, parameter): (&str, &everstep_template::Parameter)| {
        json!({
            "ParameterKey": name,
            "DefaultValue": parameter.default,
            "ParameterType": parameter.parameter_type,
            "NoEcho": parameter.no_echo,
            "Description": parameter.description,
            "ParameterConstraints": {"AllowedValues": parameter.allowed_values},
        })
    };
    let parameters: Vec<Value> = summary.parameters.iter().map(parameter).collect();
    Ok(json!({
        "Parameters": parameters,
        "Description": summary.description,
        "Capabilities": summary.capabilities,
        "CapabilitiesReason": summary.capabilities_reason,
        "ResourceTypes": summary.resource_types,
        "Version": "2010-09-09",
        "Metadata": summary.metadata,
        "DeclaredTransforms": summary.transforms,
    }))
}
