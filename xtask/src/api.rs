//! `crates/sdk/api.txt`: the public API of the Rust SDK, so that no change of it goes unseen.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use public_api::Builder;

use crate::run::{cargo, root, run};

const LIST: &str = "crates/sdk/api.txt";

/// Where rustdoc works: apart, because what it needs to write JSON would have other builds done again.
const TARGET: &str = "target/api";

/// Writes the list.
pub fn generate() -> anyhow::Result<()> {
    fs::write(root().join(LIST), list()?).with_context(|| format!("cannot write {LIST}"))
}

/// Fails if the list is not up to date.
pub fn check() -> anyhow::Result<()> {
    let written = fs::read_to_string(root().join(LIST)).unwrap_or_default();
    let present = list()?;
    // rustdoc does not look into bodies.
    let whole = ["check", "--quiet", "--package", "everstep", "--all-features", "--lib", "--target-dir", TARGET];
    run(&cargo(), &whole, &[("RUSTC_BOOTSTRAP", "1")])?;
    ensure!(
        written == present,
        "the public API of the SDK changed; if that is meant, run `cargo xtask generate`:\n{}",
        difference(&written, &present).join("\n")
    );
    Ok(())
}

/// Asks rustdoc for the API. JSON is not stable yet, so that it has to be told that this is meant.
fn list() -> anyhow::Result<String> {
    let arguments =
        ["rustdoc", "--quiet", "--package", "everstep", "--all-features", "--lib", "--target-dir", TARGET, "--"];
    let json = ["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"];
    run(&cargo(), &[&arguments[..], &json].concat(), &[("RUSTC_BOOTSTRAP", "1")])?;
    let path: PathBuf = root().join(TARGET).join("doc/everstep.json");
    let builder = Builder::from_rustdoc_json(path).omit_blanket_impls(true).omit_auto_trait_impls(true);
    let api = builder.omit_auto_derived_impls(true).build().context(
        "the JSON of this Rust's rustdoc cannot be read: the gate's Rust and `public-api` of xtask/Cargo.toml go together",
    )?;
    Ok(format!("{api}"))
}

/// Returns the lines that went and that came.
fn difference(before: &str, after: &str) -> Vec<String> {
    let went = before.lines().filter(|line| !after.lines().any(|other| other == *line)).map(|line| format!("- {line}"));
    let came = after.lines().filter(|line| !before.lines().any(|other| other == *line)).map(|line| format!("+ {line}"));
    went.chain(came).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_lines_that_went_and_came() {
        let check = |before: &str, after: &str, expected: &[&str]| assert_eq!(difference(before, after), expected);
        check("a\nb\n", "a\nb\n", &[]);
        check("a\nb\n", "b\nc\n", &["- a", "+ c"]);
        check("", "a\n", &["+ a"]);
    }
}
