//! A function as the supervisor sees it, and one invocation of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use crate::code::Pin;

/// One version of a function, with everything a process of it needs.
#[derive(Debug, Clone)]
pub struct Function {
    /// Processes are shared among functions of equal key; it must change whenever code or configuration does.
    pub key: String,
    /// `FunctionName`.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The qualified ARN.
    pub arn: String,
    /// Whose rights its processes have: for who issues their keys.
    pub role: String,
    /// What runs the code.
    pub runtime: Runtime,
    /// `Handler`, such as `app.handler`.
    pub handler: String,
    /// Directory of the unzipped code.
    pub code_dir: PathBuf,
    /// Directory of its layers, laid over each other.
    pub layers_dir: Option<PathBuf>,
    /// What keeps these directories, as long as there are processes of it.
    pub pins: Vec<Pin>,
    /// `Timeout` of one invocation.
    pub timeout: Duration,
    /// `MemorySize` in MB.
    pub memory_mb: u32,
    /// `EphemeralStorage` in MB.
    pub tmp_mb: u32,
    /// `Environment.Variables`.
    pub environment: BTreeMap<String, String>,
    /// `AWS_REGION`.
    pub region: String,
    /// `LoggingConfig.LogGroup`.
    pub log_group: String,
    /// `LoggingConfig.LogFormat`.
    pub log_format: LogFormat,
    /// `LoggingConfig.ApplicationLogLevel`: `TRACE` to `FATAL`.
    pub log_level: Option<String>,
    /// The one tenant that a process may serve, if the function keeps its tenants apart.
    pub tenant_id: Option<String>,
}

/// One call of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The request id, a UUID.
    pub request_id: String,
    /// The event, a JSON document.
    pub event: Bytes,
    /// The ARN as invoked.
    pub invoked_function_arn: String,
    /// `Root=…;Parent=…;Sampled=…`.
    pub trace_id: String,
    /// The client context as JSON.
    pub client_context: Option<String>,
    /// The tenant id.
    pub tenant_id: Option<String>,
}

/// `LoggingConfig.LogFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines as the function prints them.
    Text,
    /// One JSON object per record.
    Json,
}

/// The runtimes this server can host, under AWS's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// `python3.11`
    Python311,
    /// `python3.12`
    Python312,
    /// `python3.13`
    Python313,
    /// `python3.14`
    Python314,
    /// `nodejs22.x`
    Nodejs22,
    /// `nodejs24.x`
    Nodejs24,
    /// `java17`
    Java17,
    /// `java21`
    Java21,
    /// `java25`
    Java25,
    /// `provided.al2023`: an executable `bootstrap` in the code.
    ProvidedAl2023,
    /// `provided.al2`: likewise.
    ProvidedAl2,
}

impl Runtime {
    /// Every runtime, in the order of the ids people expect in a list.
    pub const ALL: [Self; 11] = [
        Self::Python311,
        Self::Python312,
        Self::Python313,
        Self::Python314,
        Self::Nodejs22,
        Self::Nodejs24,
        Self::Java17,
        Self::Java21,
        Self::Java25,
        Self::ProvidedAl2023,
        Self::ProvidedAl2,
    ];

    /// Returns AWS's id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Python311 => "python3.11",
            Self::Python312 => "python3.12",
            Self::Python313 => "python3.13",
            Self::Python314 => "python3.14",
            Self::Nodejs22 => "nodejs22.x",
            Self::Nodejs24 => "nodejs24.x",
            Self::Java17 => "java17",
            Self::Java21 => "java21",
            Self::Java25 => "java25",
            Self::ProvidedAl2023 => "provided.al2023",
            Self::ProvidedAl2 => "provided.al2",
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|runtime| runtime.id() == text).ok_or_else(|| UnknownRuntime(text.to_owned()))
    }
}

/// No such runtime here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no runtime `{0}`; this server has python3.11 to python3.14, nodejs22.x, nodejs24.x, java17, java21, java25, provided.al2023 and provided.al2"
)]
pub struct UnknownRuntime(
    /// The id that was asked for.
    pub String,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_is_read_back_from_its_id() {
        for runtime in Runtime::ALL {
            assert_eq!(runtime.to_string().parse(), Ok(runtime));
        }
    }

    #[test]
    fn nonsense_is_no_runtime() {
        for text in ["", "python3.9", "python3.13 ", "PYTHON3.13", "nodejs22", "java11"] {
            assert_eq!(text.parse::<Runtime>(), Err(UnknownRuntime(text.to_owned())));
        }
    }
}
