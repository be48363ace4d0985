//! What there is to know of a language: one question a function, answered by the language's file.

use std::ffi::OsString;
use std::path::Path;

use super::interpreter::SearchPath;
use super::{fingerprint, node, python};
use crate::Runtime;

/// A runtime that is a language in one of its series: `python3.13`, `nodejs22.x`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Managed {
    pub(crate) runtime: Runtime,
    pub(crate) language: Language,
    pub(crate) series: u32,
}

impl Managed {
    /// Returns what a runtime needs, or `None` if its functions bring everything.
    pub(crate) fn of(runtime: Runtime) -> Option<Self> {
        let (language, series) = match runtime {
            Runtime::Python311 => (Language::Python, 11),
            Runtime::Python312 => (Language::Python, 12),
            Runtime::Python313 => (Language::Python, 13),
            Runtime::Python314 => (Language::Python, 14),
            Runtime::Nodejs22 => (Language::Node, 22),
            Runtime::Nodejs24 => (Language::Node, 24),
            Runtime::ProvidedAl2023 | Runtime::ProvidedAl2 => return None,
        };
        Some(Self { runtime, language, series })
    }

    /// Returns what people call the interpreter.
    pub(super) fn title(self) -> String {
        match self.language {
            Language::Python => format!("Python 3.{}", self.series),
            Language::Node => format!("Node.js {}", self.series),
        }
    }

    /// Returns the name of the interpreter's directory. What is made in another way needs another name.
    pub(crate) fn directory(self) -> String {
        match self.language {
            Language::Python => format!("python-3.{}", self.series),
            Language::Node => format!("node-{}", self.series),
        }
    }
}

/// A language whose interpreter, bootstrap and SDK we bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Node => "Node.js",
        }
    }

    pub(super) fn bootstrap(self) -> &'static str {
        match self {
            Self::Python => "bootstrap.py",
            Self::Node => "bootstrap.mjs",
        }
    }

    /// Returns the arguments that make an interpreter tell of itself.
    pub(super) fn question(self) -> [&'static str; 2] {
        match self {
            Self::Python => python::QUESTION,
            Self::Node => node::QUESTION,
        }
    }

    /// Reads the series in a version.
    pub(super) fn series(self, version: &str) -> Option<u32> {
        match self {
            Self::Python => python::series(version),
            Self::Node => node::series(version),
        }
    }

    /// Returns the oldest series that the bootstrap runs on.
    pub(super) fn series_min(self) -> u32 {
        match self {
            Self::Python => python::SERIES_MIN,
            Self::Node => node::SERIES_MIN,
        }
    }

    /// Returns names under which an interpreter of this series may be on `PATH`.
    pub(super) fn names(self, series: u32) -> Vec<String> {
        match self {
            Self::Python => python::names(series),
            Self::Node => node::names(),
        }
    }

    /// Returns names under which interpreters of other series may be on `PATH`.
    pub(super) fn other_names(self) -> Vec<String> {
        match self {
            Self::Python => python::other_names(),
            Self::Node => Vec::new(),
        }
    }

    /// Returns the name of the program in an installed interpreter's `bin`.
    pub(super) fn program(self, series: u32) -> String {
        match self {
            Self::Python => python::program(series),
            Self::Node => "node".into(),
        }
    }

    /// Says where an interpreter can be installed from, or why it cannot.
    pub(super) fn origin(self, tools: &SearchPath, series: u32) -> Result<String, String> {
        match self {
            Self::Python => python::origin(tools, series),
            Self::Node => node::origin(tools),
        }
    }

    /// Returns what people call the AWS SDK that comes with a runtime.
    pub(super) fn packages_title(self, series: u32) -> String {
        match self {
            Self::Python => format!("{} for Python 3.{series}", python::PACKAGES.join(" ")),
            Self::Node => "the AWS SDK for JavaScript".into(),
        }
    }

    /// Returns the name of the SDK's directory, which changes with every version of every package.
    pub(crate) fn packages_directory(self, series: u32) -> String {
        match self {
            Self::Python => format!("sdk-python3.{series}-{}", fingerprint(python::PACKAGES)),
            Self::Node => format!("sdk-nodejs-{}", fingerprint(node::PACKAGES)),
        }
    }

    /// Returns the variables that a process finds its packages by.
    pub(super) fn environment(self, packages: Option<&Path>) -> Vec<(&'static str, OsString)> {
        let mut environment = Vec::new();
        match self {
            Self::Python => {
                // Code directories are shared and stay as uploaded.
                environment.push(("PYTHONDONTWRITEBYTECODE", "1".into()));
                environment.extend(packages.map(|packages| ("PYTHONPATH", packages.into())));
            }
            Self::Node => {
                environment.extend(packages.map(|packages| ("NODE_PATH", packages.join("node_modules").into())))
            }
        }
        environment
    }
}
