//! `ValidateTemplate`.

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
    template_body: Option<String>,
    #[serde(rename = "TemplateURL")]
    template_url: Option<String>,
}

/// Says whether a template can be read, and what it takes and needs.
pub async fn handle(services: &Services, request: &Request) -> Result<Value, Error> {
    let given: Given = request.form()?;
    let source = source(given.template_body, given.template_url, false)?;
    let text = text(services, &Sender::of(request), None, &source).await?;
    let summary = summary(services, &text)?;
    let parameter = |(name, parameter): (&str, &everstep_template::Parameter)| {
        json!({
            "ParameterKey": name,
            "DefaultValue": parameter.default,
            "NoEcho": parameter.no_echo,
            "Description": parameter.description,
        })
    };
    let parameters: Vec<Value> = summary.parameters.iter().map(parameter).collect();
    Ok(json!({
        "Parameters": parameters,
        "Description": summary.description,
        "Capabilities": summary.capabilities,
        "CapabilitiesReason": summary.capabilities_reason,
        "DeclaredTransforms": summary.transforms,
    }))
}
