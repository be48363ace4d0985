//! What the Rust SDK promises to those who depend on it: how much it drags in, and which Rust it needs.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::run::{cargo, output, root, run, say};

/// How many crates the SDK and all below it may be, as it is by default.
const CRATES_MAX: usize = 99;

/// Where it is said which Rust is needed, and how.
const STATED: [(&str, &str); 3] = [
    ("crates/sdk/src/lib.rs", "The minimum supported Rust version is VERSION."),
    ("crates/sdk/README.md", "Rust VERSION or newer"),
    ("docs/rust-sdk.md", "Rust VERSION or newer"),
];

/// Checks both, as far as it can be done with the Rust that is here.
pub fn check() -> anyhow::Result<()> {
    let tree = tree(&[])?;
    ensure!(
        tree.len() <= CRATES_MAX,
        "the SDK is {} crates, of which {CRATES_MAX} are allowed; see `cargo tree -p everstep -e normal`",
        tree.len()
    );
    let database = self::tree(&["--features", "test"])?.into_iter().find(|name| name.contains("sqlite"));
    ensure!(database.is_none(), "the SDK's test kit needs {database:?}: it is to do with the store in memory");
    let metadata: Value = serde_json::from_str(&output(&cargo(), &["metadata", "--format-version", "1"])?)?;
    let packages = metadata["packages"].as_array().context("cargo's metadata has no packages")?;
    let needed = stated(packages)?;
    for (file, sentence) in STATED {
        let sentence = sentence.replace("VERSION", needed);
        let text = fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))?;
        ensure!(text.contains(&sentence), "{file} must say \"{sentence}\", as `rust-version` of crates/sdk does");
    }
    let too_new = newer(packages, &tree, needed);
    ensure!(too_new.is_empty(), "the SDK is to be built by Rust {needed}, but {} need more", too_new.join(", "));
    Ok(())
}

/// Builds the SDK with the oldest Rust that it is for.
pub fn oldest() -> anyhow::Result<()> {
    let metadata: Value = serde_json::from_str(&output(&cargo(), &["metadata", "--format-version", "1"])?)?;
    let needed = stated(metadata["packages"].as_array().context("cargo's metadata has no packages")?)?;
    say(&format!("the SDK with Rust {needed}"));
    run("rustup", &["toolchain", "install", needed, "--profile", "minimal"], &[])?;
    let build = ["run", needed, "cargo", "check", "--package", "everstep", "--target-dir", "target/oldest"];
    run("rustup", &build, &[])
}

/// Lints and tests the SDK with every feature. That takes too long for the checks, which only compile it.
pub fn features() -> anyhow::Result<()> {
    say("the SDK with every feature");
    let all = ["--package", "everstep", "--all-features", "--quiet"];
    let deny = ["--all-targets", "--", "--deny", "warnings"];
    run(&cargo(), &[&["clippy"][..], &all, &deny].concat(), &[])?;
    run(&cargo(), &[&["test"][..], &all].concat(), &[])
}

/// Returns what the SDK needs with these features, as `name version`, itself among it.
fn tree(features: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let tree = ["tree", "--package", "everstep", "--edges", "normal", "--prefix", "none"];
    Ok(crates(&output(&cargo(), &[&tree[..], features].concat())?))
}

fn crates(tree: &str) -> BTreeSet<String> {
    let name_and_version = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
    };
    tree.lines().filter_map(name_and_version).collect()
}

fn stated(packages: &[Value]) -> anyhow::Result<&str> {
    let sdk = packages.iter().find(|package| package["name"] == "everstep").context("there is no package everstep")?;
    sdk["rust_version"].as_str().context("the package everstep has no rust-version")
}

/// Returns those packages of a tree that need a newer Rust.
fn newer(packages: &[Value], tree: &BTreeSet<String>, needed: &str) -> Vec<String> {
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let name = |package: &Value| format!("{} {}", text(package, "name"), text(package, "version"));
    let is_newer = |package: &&Value| numbers(&text(package, "rust_version")) > numbers(needed);
    packages.iter().filter(|package| tree.contains(&name(package))).filter(is_newer).map(name).collect()
}

/// Reads `1.91` as 1, 91 and 0.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_names_each_crate_once() {
        let tree = "everstep v0.1.0 (/somewhere)\nbytes v1.10.1\nhttp v1.3.1\nbytes v1.10.1 (*)\n\nserde v1.0.1 (proc-macro)\n";
        let expected = ["bytes 1.10.1", "everstep 0.1.0", "http 1.3.1", "serde 1.0.1"];
        assert_eq!(crates(tree).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn crates_that_need_a_newer_rust_are_found() {
        let package =
            |name: &str, rust_version: &str| json!({"name": name, "version": "1.0.0", "rust_version": rust_version});
        let packages = [
            package("old", "1.70"),
            package("new", "1.91.1"),
            package("elsewhere", "1.99"),
            json!({"name": "silent", "version": "1.0.0"}),
        ];
        let tree = crates("old v1.0.0\nnew v1.0.0\nsilent v1.0.0\n");
        assert_eq!(newer(&packages, &tree, "1.91"), ["new 1.0.0"]);
        assert!(newer(&packages, &tree, "1.91.1").is_empty());
    }
}
