//! AWS's requirements for tracing, as its package on PyPI has them.

use std::fs;
use std::path::{Path, PathBuf};

use everstep_otel::View;
use serde_json::Value;

/// What is asked of one execution in one view.
pub struct Requirement {
    pub id: String,
    pub view: View,
    pub text: Value,
    /// What its trace must be like.
    pub assertions: Value,
}

impl Requirement {
    pub fn scenario(&self) -> &str {
        self.text["Input"]["scenario"].as_str().expect("every input names a scenario")
    }
}

/// Reads them all. Without the package there are none: `cargo xtask test` installs it.
pub fn all() -> Option<Vec<Requirement>> {
    let directory = directory()?;
    let read = |suite: &str| {
        let mut files: Vec<PathBuf> =
            fs::read_dir(directory.join(suite)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| {
            let text = everstep_template::document::parse(&fs::read_to_string(&file).unwrap());
            (file.file_stem().unwrap().to_str().unwrap().to_owned(), text.expect("a requirement"))
        })
    };
    let mut all = Vec::new();
    let views = [("otel-execution", View::Execution), ("otel-invocation", View::Invocation)];
    for (suite, view) in views {
        for (id, text) in read(suite) {
            let assertions = text["TelemetryAssertions"].clone();
            all.push(Requirement { id, view, text, assertions });
        }
    }
    for (id, text) in read("otel-long-running") {
        for (view, key) in
            [(View::Invocation, "TelemetryAssertions"), (View::Execution, "ExecutionTelemetryAssertions")]
        {
            all.push(Requirement { id: id.clone(), view, text: text.clone(), assertions: text[key].clone() });
        }
    }
    Some(all)
}

fn directory() -> Option<PathBuf> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/otel/lib");
    let python = fs::read_dir(library).ok()?.next()?.ok()?.path();
    let directory = python.join("site-packages/aws_durable_execution_conformance_tests_otel/test_requirements");
    directory.is_dir().then_some(directory)
}
