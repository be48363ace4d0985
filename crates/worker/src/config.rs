//! What the operator decides about function processes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use crate::sandbox::Sandbox;

/// Told in one sentence what takes long (an installation), so that a person at a terminal knows.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// The variable that tells SDKs where Lambda is: without it a function cannot checkpoint.
pub(crate) const LAMBDA_ENDPOINT: &str = "AWS_ENDPOINT_URL_LAMBDA";

/// What may be fetched from the network. What is already there is used in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// Nothing: for machines that reach no registry, or should not.
    Nothing,
    /// Interpreters. A function brings the AWS SDK it uses.
    Interpreters,
    /// Interpreters, and the AWS SDKs that Lambda's managed runtimes contain.
    Everything,
}

/// The settings of a [`Supervisor`](crate::Supervisor).
#[derive(Clone)]
pub struct Config {
    /// Directory of what is installed: interpreters, AWS SDKs and bootstraps. Servers may share one.
    pub runtimes_dir: PathBuf,
    /// Interpreter per runtime id (`python3.13`, `nodejs22.x`); what is absent is searched for on `PATH`.
    pub interpreters: BTreeMap<String, PathBuf>,
    /// Idle time after which a process ends.
    pub idle_limit: Duration,
    /// Time for initialization before the function's own timeout starts to count.
    pub init_limit: Duration,
    /// Time an outcome waits for the runtime to ask for its next event.
    pub settle_limit: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Processes alive at once, over all functions; further invocations wait.
    pub processes_max: usize,
    /// This server's URL as functions see it.
    pub endpoint: String,
    /// The variables that tell functions this URL, one for each service that is there.
    pub endpoint_variables: Vec<String>,
    /// What is installed at the first use of a runtime, if it is missing.
    pub install: Install,
    /// Told what takes long.
    pub progress: Progress,
    /// What keeps function processes to what they are allowed.
    pub sandbox: Arc<Sandbox>,
}

impl Config {
    /// Returns the defaults: 5 minutes idle, 10 s init, 2 s grace, 64 processes, everything installed, silent progress, no
    /// sandbox.
    pub fn new(data_dir: impl Into<PathBuf>, endpoint: impl Into<String>) -> Self {
        Self {
            runtimes_dir: data_dir.into().join("runtimes"),
            interpreters: BTreeMap::new(),
            idle_limit: Duration::from_secs(300),
            init_limit: limits::INIT_LIMIT,
            settle_limit: limits::SETTLE_LIMIT,
            stop_grace: Duration::from_secs(2),
            processes_max: 64,
            endpoint: endpoint.into(),
            endpoint_variables: vec![LAMBDA_ENDPOINT.into()],
            install: Install::Everything,
            progress: Arc::new(|_| {}),
            sandbox: Arc::new(Sandbox::none()),
        }
    }
}
