//! What there is to know of a language: one question a function, answered by the language's file.

use std::ffi::OsString;
use std::path::Path;

use super::interpreter::{Said, SearchPath};
use super::{fingerprint, java, node, python};
use crate::{Install, Runtime};

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
            Runtime::Java17 => (Language::Java, 17),
            Runtime::Java21 => (Language::Java, 21),
            Runtime::Java25 => (Language::Java, 25),
            Runtime::ProvidedAl2023 | Runtime::ProvidedAl2 => return None,
        };
        Some(Self { runtime, language, series })
    }

    /// Returns what people call the interpreter.
    pub(super) fn title(self) -> String {
        match self.language {
            Language::Python => format!("Python 3.{}", self.series),
            Language::Node => format!("Node.js {}", self.series),
            Language::Java => format!("Java {}", self.series),
        }
    }

    /// Returns the name of the interpreter's directory. What is made in another way needs another name.
    pub(crate) fn directory(self) -> String {
        match self.language {
            Language::Python => format!("python-3.{}", self.series),
            Language::Node => format!("node-{}", self.series),
            Language::Java => format!("java-{}", self.series),
        }
    }
}

/// A language whose interpreter we bring, and what its runtimes contain beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
    Java,
}

impl Language {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::Java => "Java",
        }
    }

    /// Returns the arguments that make an interpreter tell of itself.
    pub(super) fn question(self) -> [&'static str; 2] {
        match self {
            Self::Python => python::QUESTION,
            Self::Node => node::QUESTION,
            Self::Java => java::QUESTION,
        }
    }

    /// Reads what it tells, on its output and its error output.
    pub(super) fn said(self, output: &str, errors: &str) -> Option<Said> {
        match self {
            Self::Python | Self::Node => Said::in_lines(output),
            Self::Java => java::said(errors),
        }
    }

    /// Reads the series in a version.
    pub(super) fn series(self, version: &str) -> Option<u32> {
        match self {
            Self::Python => python::series(version),
            Self::Node => node::series(version),
            Self::Java => java::series(version),
        }
    }

    /// Returns the oldest series that the bootstrap runs on.
    pub(super) fn series_min(self) -> u32 {
        match self {
            Self::Python => python::SERIES_MIN,
            Self::Node => node::SERIES_MIN,
            Self::Java => java::SERIES_MIN,
        }
    }

    /// Returns names under which an interpreter of this series may be on `PATH`.
    pub(super) fn names(self, series: u32) -> Vec<String> {
        match self {
            Self::Python => python::names(series),
            Self::Node => node::names(),
            Self::Java => vec!["java".into()],
        }
    }

    /// Returns names under which interpreters of other series may be on `PATH`.
    pub(super) fn other_names(self) -> Vec<String> {
        match self {
            Self::Python => python::other_names(),
            Self::Node | Self::Java => Vec::new(),
        }
    }

    /// Returns the name of the program in an installed interpreter's `bin`.
    pub(super) fn program(self, series: u32) -> String {
        match self {
            Self::Python => python::program(series),
            Self::Node => "node".into(),
            Self::Java => "java".into(),
        }
    }

    /// Says where an interpreter can be installed from, or why it cannot.
    pub(super) fn origin(self, tools: &SearchPath, series: u32) -> Result<String, String> {
        match self {
            Self::Python => python::origin(tools, series),
            Self::Node => node::origin(tools),
            Self::Java => java::jre::origin(tools, series),
        }
    }

    /// Tells whether the packages that come with a runtime may be fetched: an AWS SDK is a convenience, but no Java
    /// runs without AWS's client.
    pub(super) fn may_fetch_packages(self, install: Install) -> bool {
        match (self, install) {
            (Self::Python | Self::Node, Install::Everything) => true,
            (Self::Python | Self::Node, Install::Nothing | Install::Interpreters) => false,
            (Self::Java, Install::Interpreters | Install::Everything) => true,
            (Self::Java, Install::Nothing) => false,
        }
    }

    /// Returns what people call the packages that come with a runtime.
    pub(super) fn packages_title(self, series: u32) -> String {
        match self {
            Self::Python => format!("{} for Python 3.{series}", python::PACKAGES.join(" ")),
            Self::Node => "the AWS SDK for JavaScript".into(),
            Self::Java => "AWS's runtime client for Java".into(),
        }
    }

    /// Returns the name of the packages' directory, which changes with every version of every package.
    pub(crate) fn packages_directory(self, series: u32) -> String {
        match self {
            Self::Python => format!("sdk-python3.{series}-{}", fingerprint(python::PACKAGES)),
            Self::Node => format!("sdk-nodejs-{}", fingerprint(node::PACKAGES)),
            Self::Java => format!("client-java-{}", fingerprint(java::client::parts())),
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
            // Where the machine lacks the locale that `LANG` names, Java would not read UTF-8.
            Self::Java => environment.push(("LC_ALL", "C.UTF-8".into())),
        }
        environment
    }
}
