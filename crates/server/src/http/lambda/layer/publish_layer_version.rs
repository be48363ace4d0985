//! `PublishLayerVersion`.

use everstep_api::layer::PublishLayerVersion;
use everstep_api::validation::Violations;

use super::shape;
use crate::http::Services;
use crate::http::error::Error;
use crate::http::lambda::function::{now_millis, store_code};
use crate::http::request::{Request, Response};
use crate::layers::LayerVersion;
use crate::limits::{
    COMPATIBLE_ARCHITECTURES_MAX, COMPATIBLE_RUNTIMES_MAX, DESCRIPTION_CHARACTERS_MAX, LICENSE_INFO_CHARACTERS_MAX,
};
use crate::policy::Policy;

/// Publishes the next version of a layer, which is made if need be.
pub async fn handle(services: &Services, request: &Request) -> Result<Response, Error> {
    let reference = services.layers.parse(request.parameter(0))?;
    let given: PublishLayerVersion = request.json()?;
    check(&given)?;
    let content = given.content.ok_or_else(|| Error::missing("content"))?;
    let (code, _pin) = store_code(services, &request.principal, content).await?;
    let version = LayerVersion {
        code,
        created_millis: now_millis(),
        description: given.description.unwrap_or_default(),
        license_info: given.license_info,
        compatible_runtimes: given.compatible_runtimes.unwrap_or_default(),
        compatible_architectures: given.compatible_architectures.unwrap_or_default(),
        policy: Policy::default(),
    };
    let number = services.layers.publish(&reference.name, &version).await?;
    Ok(Response::json(201, &shape(services, request, &reference.name, number, &version)))
}

/// Any word may name a runtime: a layer can be meant for one that this server does not have.
fn check(given: &PublishLayerVersion) -> Result<(), Error> {
    let mut violations = Violations::default();
    let mut count = |list: &Option<Vec<String>>, path: &str, max: usize| {
        let list = list.as_deref().unwrap_or_default();
        let constraint = format!("Member must have length less than or equal to {max}");
        violations.require(list.len() <= max, format!("[{}]", list.join(", ")), path, constraint);
    };
    count(&given.compatible_runtimes, "compatibleRuntimes", COMPATIBLE_RUNTIMES_MAX);
    count(&given.compatible_architectures, "compatibleArchitectures", COMPATIBLE_ARCHITECTURES_MAX);
    if let Some(description) = &given.description {
        violations.length(description, "description", 0, DESCRIPTION_CHARACTERS_MAX);
    }
    if let Some(license_info) = &given.license_info {
        violations.length(license_info, "licenseInfo", 0, LICENSE_INFO_CHARACTERS_MAX);
    }
    for architecture in given.compatible_architectures.iter().flatten() {
        violations.one_of(architecture, "compatibleArchitectures", &[("x86_64", ()), ("arm64", ())]);
    }
    violations.finish().map_err(Error::validation)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check_layer(layer: Value, expected: Result<(), &str>) {
        let found = check(&serde_json::from_value(layer.clone()).unwrap()).map_err(|error| error.message);
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{layer}"),
            Err(part) => assert!(found.clone().is_err_and(|message| message.contains(part)), "{layer}: {found:?}"),
        }
    }

    #[test]
    fn layers_hold_their_limits() {
        check_layer(json!({"LicenseInfo": "l".repeat(512)}), Ok(()));
        check_layer(json!({"LicenseInfo": "l".repeat(513)}), Err("'licenseInfo'"));
        check_layer(json!({"Description": "d".repeat(257)}), Err("'description'"));
        check_layer(json!({"CompatibleRuntimes": vec!["r"; 15]}), Ok(()));
        check_layer(json!({"CompatibleRuntimes": vec!["r"; 16]}), Err("'compatibleRuntimes'"));
        check_layer(json!({"CompatibleArchitectures": ["arm64", "x86_64"]}), Ok(()));
        check_layer(json!({"CompatibleArchitectures": vec!["arm64"; 3]}), Err("'compatibleArchitectures'"));
        check_layer(json!({"CompatibleArchitectures": ["z80"]}), Err("[x86_64, arm64]"));
    }
}
