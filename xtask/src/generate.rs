//! `docs/limits.md`: every limit with its unit and source, out of the code that enforces it.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::run::root;

/// The files that define limits, and what they are limits of.
const SOURCES: [(&str, &str); 7] = [
    ("crates/core/src/limits.rs", "Executions"),
    ("crates/server/src/limits.rs", "Requests and function configurations"),
    ("crates/iam/src/limits.rs", "Policies"),
    ("crates/template/src/limits.rs", "CloudFormation templates"),
    ("crates/worker/src/limits.rs", "Functions as processes"),
    ("crates/sdk/src/limits.rs", "The Rust SDK"),
    ("crates/sdk-otel/src/limits.rs", "Traces of the Rust SDK"),
];

const INTRODUCTION: &str = "\
# Limits

Generated from the source by `cargo xtask generate`. Units are in the names; \"Everstep's own\" marks what AWS does not say.
";

/// Writes what is generated.
pub fn generate() -> anyhow::Result<()> {
    fs::write(path(), page()?).with_context(|| format!("cannot write {}", path().display()))
}

/// Fails if what is generated is not up to date.
pub fn check() -> anyhow::Result<()> {
    let written = fs::read_to_string(path()).unwrap_or_default();
    ensure!(written == page()?, "docs/limits.md is not up to date: run `cargo xtask generate`");
    Ok(())
}

fn path() -> PathBuf {
    root().join("docs/limits.md")
}

fn page() -> anyhow::Result<String> {
    let mut page = INTRODUCTION.to_string();
    for (file, title) in SOURCES {
        let source = fs::read_to_string(root().join(file)).with_context(|| format!("cannot read {file}"))?;
        let _ = write!(page, "\n## {title}\n\n| Name | Value | Meaning |\n| --- | --- | --- |\n");
        for (name, value, meaning) in constants(&source) {
            let _ = writeln!(page, "| `{name}` | {value} | {meaning} |");
        }
    }
    Ok(page)
}

/// Finds public constants with their values and doc comments.
fn constants(source: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(if doc.is_empty() { text.trim_start() } else { text });
        } else if let Some((name, value)) = constant(line) {
            found.push((name, value, std::mem::take(&mut doc)));
        } else {
            doc.clear();
        }
    }
    found
}

fn constant(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("pub const ").or_else(|| line.strip_prefix("pub(crate) const "))?;
    let (name, rest) = rest.split_once(':')?;
    let (_, value) = rest.split_once(" = ")?;
    Some((name.into(), spaced(value.trim_end_matches(';'))))
}

/// Writes the thousands of numbers apart; names stay as they are.
fn spaced(value: &str) -> String {
    let characters: Vec<char> = value.chars().collect();
    let digit = |position: usize| characters.get(position).is_some_and(char::is_ascii_digit);
    let shown = |(position, character): (usize, &char)| match character {
        '_' if position > 0 && digit(position - 1) && digit(position + 1) => ' ',
        other => *other,
    };
    characters.iter().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_found_with_their_docs() {
        let source = "//! Module.\n\n/// Longest thing,\n/// in seconds.\npub const THING_SECONDS_MAX: u64 = 1_000;\n";
        let expected = ("THING_SECONDS_MAX".into(), "1 000".into(), "Longest thing, in seconds.".into());
        assert_eq!(constants(source), [expected]);
        assert_eq!(spaced("2 * BYTES_MAX + 1_048_576"), "2 * BYTES_MAX + 1 048 576");
    }
}
