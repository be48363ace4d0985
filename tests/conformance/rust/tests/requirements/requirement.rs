//! The requirements, as AWS writes them: a YAML file for each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use everstep_template::document;
use regex::Regex;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use crate::placeholders::Placeholders;

/// Where they lie: directories with a directory for each suite.
const DIRECTORIES: &str = "EVERSTEP_REQUIREMENTS";

/// What a function must do.
pub struct Requirement {
    pub suite: String,
    pub id: String,
    pub variables: Value,
    pub input: Value,
    pub actions: Vec<CallbackAction>,
    pub events: Value,
    pub result: Option<Value>,
    pub logs: Value,
}

/// What is done to a callback from outside.
#[derive(Clone)]
pub struct CallbackAction {
    name: String,
    pub delay_seconds: f64,
    pub answer: Answer,
}

#[derive(Clone)]
pub enum Answer {
    Success(Option<Value>),
    Failure(Value),
    Heartbeat,
}

/// Reads all of them, in the order of their numbers.
pub fn all() -> Vec<Requirement> {
    let directories =
        std::env::var_os(DIRECTORIES).expect("`cargo xtask conformance --in-process` says where they lie");
    let suites = std::env::split_paths(&directories).flat_map(|directory| entries(&directory));
    let files = suites.filter(|suite| suite.is_dir()).flat_map(|suite| entries(&suite));
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let mut requirements: Vec<Requirement> = files.map(|file| Requirement::read(&file)).collect();
    requirements.sort_by_key(|requirement| {
        let numbers = requirement.id.split('-').map(|number| number.parse::<u32>().expect("ids are numbers"));
        numbers.collect::<Vec<_>>()
    });
    requirements
}

impl Requirement {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a requirement can be read");
        // A template of CloudFormation is YAML of the same kind.
        let document = document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = |path: Option<&Path>| path.and_then(Path::file_stem).expect("it has a name").display().to_string();
        let actions = document["CallbackActions"].as_array().into_iter().flatten();
        Self {
            suite: name(file.parent()),
            id: name(Some(file)),
            variables: document["Variables"].clone(),
            input: document["Input"].clone(),
            actions: actions.map(CallbackAction::of).collect(),
            events: document["ExpectedExecutionHistory"].clone(),
            result: document.get("ExpectedResult").cloned(),
            logs: document["ExpectedLogs"].clone(),
        }
    }
}

impl CallbackAction {
    fn of(action: &Value) -> Self {
        let payload = action.get("Payload").cloned();
        let answer = match action["Operation"].as_str() {
            Some("success") => Answer::Success(payload),
            Some("failure") => Answer::Failure(payload.unwrap_or_default()),
            Some("heartbeat") => Answer::Heartbeat,
            other => panic!("a callback is not answered by {other:?}"),
        };
        let name = action["CallbackName"].as_str().expect("an action names its callback").to_owned();
        Self { name, delay_seconds: action["Delay"].as_f64().unwrap_or_default(), answer }
    }

    /// Tells whether it is meant for the callback of that name.
    pub fn is_for(&self, callback: &str, placeholders: &Placeholders) -> bool {
        let wanted = placeholders.fill_text(&self.name);
        wanted == "*" || wanted == callback || pattern(&wanted).is_some_and(|pattern| pattern.is_match(callback))
    }
}

/// Reads `${/pattern/}`.
pub fn pattern(text: &str) -> Option<Regex> {
    let pattern = text.strip_prefix("${/")?.strip_suffix("/}")?;
    Some(Regex::new(pattern).expect("a requirement's pattern is one"))
}

/// Writes JSON with the blanks that Python writes, because a history shows them.
pub fn python_json(value: &Value) -> String {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Blanks)).expect("JSON can be written");
    String::from_utf8(text).expect("JSON is text")
}

struct Blanks;

impl Formatter for Blanks {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("a directory can be read").path()).collect()
}
