//! JavaScript and TypeScript in one file each, by esbuild, with the properties that SAM has for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::node::{self, Dependencies};
use super::tool::run;

/// What code may be written in, as files end.
const EXTENSIONS: [&str; 6] = ["ts", "mts", "tsx", "js", "mjs", "jsx"];

/// Builds into `target`.
pub fn build(
    source: &Path,
    target: &Path,
    kept: &Path,
    handler: Option<&str>,
    properties: &Value,
) -> anyhow::Result<()> {
    let arguments = arguments(source, handler, properties)?;
    let modules = match source.join("package.json").is_file() {
        true => node::modules(source, kept, Dependencies::ToBuild)?,
        false => source.join("node_modules"),
    };
    let own = modules.join(".bin/esbuild");
    let program = if own.exists() { own } else { "esbuild".into() };
    let mut esbuild = Command::new(program);
    esbuild.args(arguments).arg(format!("--outdir={}", target.display()));
    run(esbuild.current_dir(source).env("NODE_PATH", modules))
        .context("add esbuild to the devDependencies in package.json, if it is not there")?;
    Ok(())
}

/// Returns what esbuild is told. Source of names and defaults: AWS SAM Developer Guide, esbuild.
fn arguments(source: &Path, handler: Option<&str>, properties: &Value) -> anyhow::Result<Vec<String>> {
    let texts = |name: &str| -> Vec<String> {
        let texts = properties[name].as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(String::from)).collect()
    };
    let mut arguments = texts("EntryPoints");
    if arguments.is_empty() {
        let module = handler.and_then(|handler| Some(handler.rsplit_once('.')?.0)).unwrap_or("app");
        let files = EXTENSIONS.map(|extension| format!("{module}.{extension}"));
        arguments.extend(files.into_iter().find(|file| source.join(file).is_file()));
    }
    ensure!(!arguments.is_empty(), "name the files to begin with in `BuildProperties: {{EntryPoints: [app.ts]}}`");
    let flag = |name: &str, default: bool| match &properties[name] {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => default,
    };
    let text = |name: &str, default: &str| properties[name].as_str().unwrap_or(default).to_string();
    arguments.extend(["--bundle".into(), "--platform=node".into(), "--log-level=warning".into()]);
    arguments.push(format!("--target={}", text("Target", "es2020")));
    arguments.push(format!("--format={}", text("Format", "cjs")));
    for (argument, wanted) in [
        ("--minify", flag("Minify", true)),
        ("--sourcemap", flag("Sourcemap", false)),
        ("--keep-names", flag("KeepNames", false)),
        ("--sources-content=false", !flag("SourcesContent", true)),
    ] {
        arguments.extend(wanted.then(|| argument.into()));
    }
    let main_fields = texts("MainFields");
    if !main_fields.is_empty() {
        arguments.push(format!("--main-fields={}", main_fields.join(",")));
    }
    for (name, argument) in [("External", "external"), ("Loader", "loader"), ("OutExtension", "out-extension")] {
        arguments.extend(texts(name).into_iter().map(|text| format!("--{argument}:{text}")));
    }
    for name in ["Banner", "Footer", "Define"] {
        let of = properties[name].as_object().into_iter().flatten();
        let of = of.filter_map(|(key, value)| Some((key, value.as_str()?)));
        arguments.extend(of.map(|(key, value)| format!("--{}:{key}={value}", name.to_lowercase())));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_become_arguments() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("orders.ts"), "").unwrap();
        let check = |handler: Option<&str>, properties: Value, expected: Option<&str>| {
            let found = arguments(directory.path(), handler, &properties).ok();
            assert_eq!(found.map(|arguments| arguments.join(" ")).as_deref(), expected, "{properties}");
        };
        let usual = "--bundle --platform=node --log-level=warning --target=es2020 --format=cjs --minify";
        check(Some("orders.handler"), Value::Null, Some(&format!("orders.ts {usual}")));
        check(Some("other.handler"), Value::Null, None);
        check(
            None,
            json!({
                "EntryPoints": ["a.ts", "b.ts"], "Target": "es2022", "Format": "esm", "Minify": "false", "Sourcemap": true,
                "SourcesContent": false, "External": ["@aws-sdk/*"], "MainFields": ["module", "main"], "Loader": [".x=text"],
                "OutExtension": [".js=.mjs"], "Banner": {"js": "// hi"},
            }),
            Some(
                "a.ts b.ts --bundle --platform=node --log-level=warning --target=es2022 --format=esm --sourcemap --sources-content=false --main-fields=module,main --external:@aws-sdk/* --loader:.x=text --out-extension:.js=.mjs --banner:js=// hi",
            ),
        );
    }
}
