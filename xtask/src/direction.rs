//! Which crate may use which: the walls of the house.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::run::{cargo, output};

/// A crate and the crates of the workspace that it may use. Tests may use more.
const ALLOWED: &[(&str, &[&str])] = &[
    ("everstep-core", &[]),
    ("everstep-iam", &[]),
    ("everstep-api", &["everstep-core"]),
    ("everstep-store", &["everstep-core"]),
    ("everstep-engine", &["everstep-core", "everstep-store"]),
    ("everstep-template", &[]),
    ("everstep-worker", &[]),
    (
        "everstep-server",
        &[
            "everstep-api",
            "everstep-core",
            "everstep-engine",
            "everstep-iam",
            "everstep-store",
            "everstep-template",
            "everstep-worker",
        ],
    ),
    ("everstep", &["everstep-api", "everstep-core", "everstep-engine", "everstep-store"]),
    ("everstep-conformance", &["everstep"]),
    ("everstep-otel", &["everstep"]),
    ("everstep-client", &[]),
    ("everstep-cli", &["everstep-client", "everstep-core", "everstep-server", "everstep-store", "everstep-template"]),
    (
        "everstep-bench",
        &[
            "everstep",
            "everstep-api",
            "everstep-client",
            "everstep-core",
            "everstep-engine",
            "everstep-store",
            "everstep-worker",
        ],
    ),
    ("xtask", &[]),
];

/// Fails if a crate uses one that it must not, or is not in the list.
pub fn check() -> anyhow::Result<()> {
    let metadata = output(&cargo(), &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata is not JSON")?;
    let packages = metadata["packages"].as_array().context("cargo's metadata has no packages")?;
    let names: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
        let allowed = allowed.with_context(|| format!("crate {name} is not in the list of xtask/src/direction.rs"))?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let counts = dependency["kind"].is_null() && names.contains(used);
            ensure!(!counts || allowed.contains(&used), "{name} must not use {used}: see the table of ARCHITECTURE.md");
        }
    }
    Ok(())
}
