//! `cargo xtask check`: what must hold before anything is tested.

use anyhow::{bail, ensure};

use crate::run::{cargo, root, run, say};
use crate::{api, direction, generate, sdk, tools};

/// Documents that a stranger looks for.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/limits.md",
    "docs/command-line.md",
    "docs/recordings.md",
];

/// Checks everything that needs no test.
pub fn check() -> anyhow::Result<()> {
    let cargo = cargo();
    say("formatting");
    run(&cargo, &["fmt", "--all", "--check"], &[])?;
    say("dependency direction");
    direction::check()?;
    say("documents");
    for document in DOCUMENTS {
        ensure!(root().join(document).is_file(), "{document} is missing");
    }
    generate::check()?;
    say("the Rust SDK: its API, its size, and the Rust it needs");
    api::check()?;
    sdk::check()?;
    say("lints");
    run(&cargo, &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"], &[])?;
    say("docs");
    let deny = [("RUSTDOCFLAGS", "--deny warnings")];
    run(&cargo, &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"], &deny)?;
    say("licences, bans and sources");
    let deny = tools::cargo_deny()?.display().to_string();
    run(&deny, &["--log-level", "error", "check", "licenses", "bans", "sources"], &[])?;
    println!("\nall checks hold");
    Ok(())
}

/// Asks the advisory database.
pub fn advisories() -> anyhow::Result<()> {
    let deny = tools::cargo_deny()?.display().to_string();
    say("fetching the advisory database");
    if run(&deny, &["--log-level", "error", "fetch", "db"], &[]).is_err() {
        bail!("the advisory database cannot be reached from here, so nothing is known of advisories");
    }
    run(&deny, &["--log-level", "error", "check", "advisories"], &[])
}
