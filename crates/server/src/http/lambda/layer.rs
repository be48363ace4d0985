//! The layer operations: one file each, what they share here.

pub mod delete_layer_version;
pub mod get_layer_version;
pub mod get_layer_version_by_arn;
pub mod list_layer_versions;
pub mod list_layers;
pub mod permissions;
pub mod publish_layer_version;

use everstep_api::timestamp::iso;
use everstep_api::validation::Violations;
use everstep_core::Timestamp;
use serde_json::{Value, json};

use crate::http::Services;
use crate::http::error::Error;
use crate::http::request::Request;
use crate::layers::{Layer, LayerVersion};
use crate::limits::LAYERS_LISTED_MAX;

/// Reads the number of a version that the path names.
fn number(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Error::serialization(format!("`{text}` is not a number, in VersionNumber")))
}

/// Writes a version for a list. Source: Lambda API, `LayerVersionsListItem`.
fn item(services: &Services, name: &str, number: u64, version: &LayerVersion) -> Value {
    let mut shape = json!({
        "LayerVersionArn": format!("{}:{number}", services.layers.arn(name)),
        "Version": number,
        "Description": version.description,
        "CreatedDate": iso(Timestamp::from_millis(version.created_millis)),
    });
    if !version.compatible_runtimes.is_empty() {
        shape["CompatibleRuntimes"] = json!(version.compatible_runtimes);
    }
    if !version.compatible_architectures.is_empty() {
        shape["CompatibleArchitectures"] = json!(version.compatible_architectures);
    }
    if let Some(license_info) = &version.license_info {
        shape["LicenseInfo"] = json!(license_info);
    }
    shape
}

/// Writes a version in full. Source: Lambda API, `GetLayerVersionResponse`.
fn shape(services: &Services, request: &Request, name: &str, number: u64, version: &LayerVersion) -> Value {
    let mut shape = item(services, name, number, version);
    shape["LayerArn"] = services.layers.arn(name).into();
    shape["Content"] = json!({
        "CodeSha256": version.code.sha256,
        "CodeSize": version.code.size,
        "Location": services.downloads.location(request, &version.code.digest),
    });
    shape
}

/// What a list is asked for.
struct Filter<'a> {
    runtime: Option<&'a str>,
    architecture: Option<&'a str>,
    items_max: usize,
}

impl<'a> Filter<'a> {
    fn read(request: &'a Request) -> Result<Self, Error> {
        let architecture = request.query("CompatibleArchitecture");
        let mut violations = Violations::default();
        if let Some(architecture) = architecture {
            violations.one_of(architecture, "compatibleArchitecture", &[("x86_64", ()), ("arm64", ())]);
        }
        violations.finish().map_err(Error::validation)?;
        let items_max = request.max_items()?.min(LAYERS_LISTED_MAX);
        Ok(Self { runtime: request.query("CompatibleRuntime"), architecture, items_max })
    }

    /// Returns the versions of a layer that are wanted, the newest first.
    fn versions<'l>(&self, layer: &'l Layer) -> impl Iterator<Item = (u64, &'l LayerVersion)> {
        let has = |known: &[String], wanted: Option<&str>| {
            wanted.is_none_or(|wanted| known.iter().any(|known| known == wanted))
        };
        let wanted = move |version: &LayerVersion| {
            has(&version.compatible_runtimes, self.runtime) && has(&version.compatible_architectures, self.architecture)
        };
        let versions = layer.versions.iter().rev().map(|(number, version)| (*number, version));
        versions.filter(move |(_, version)| wanted(version)).collect::<Vec<_>>().into_iter()
    }
}
