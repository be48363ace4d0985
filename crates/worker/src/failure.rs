//! How an invocation ends, and the words for each way it can fail.

use std::error::Error as _;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::limits;

/// What came of one invocation.
#[derive(Debug)]
pub struct Outcome {
    /// The function's response, or why there is none; empty if it was streamed.
    pub result: Result<Bytes, Failure>,
    /// The last 4 KB of this invocation's log, for `LogType=Tail`.
    pub log_tail: Vec<u8>,
    /// From handing the event over to the end.
    pub duration: Duration,
}

/// Why an invocation has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct Failure {
    /// `errorType`: the exception's class, or `Runtime.…`, `Sandbox.…`, `Function.…`.
    pub error_type: String,
    /// `errorMessage`.
    pub error_message: String,
    /// `stackTrace`, empty if the runtime gave none.
    pub stack_trace: Vec<String>,
    /// The JSON document a synchronous caller gets: as the runtime posted it, else `errorType` and `errorMessage`.
    pub payload: Bytes,
    /// Whose failure it is.
    pub kind: FailureKind,
}

/// Whose failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The handler failed, or its response is too large.
    Handler,
    /// The code could not be loaded.
    Init,
    /// The process ended without an answer.
    Exit,
    /// The function's timeout passed.
    Timeout,
    /// This server's fault: no interpreter, an installation failed, the server is stopping.
    Platform,
}

/// Why a process never became ready. It turns into a [`Failure`] when an invocation, and so a request id, meets it.
#[derive(Debug)]
pub(crate) enum InitFailure {
    /// The runtime reported it.
    Posted(Failure),
    /// The process ended.
    Exited(ExitStatus),
    /// The process held more memory than it may.
    OutOfMemory,
    /// Neither ready nor failed within the init limit plus the function's timeout.
    TimedOut(Duration),
    /// The code has no `bootstrap` that can be executed.
    NoEntrypoint(String),
}

impl InitFailure {
    /// Returns the failure as the invocation with this request id reports it.
    pub(crate) fn failure(self, request_id: &str) -> Failure {
        match self {
            Self::Posted(failure) => failure,
            Self::Exited(status) => Failure::exited(request_id, status),
            Self::OutOfMemory => Failure::out_of_memory(request_id),
            Self::TimedOut(timeout) => Failure::timed_out(request_id, timeout),
            Self::NoEntrypoint(reason) => Failure::new(
                FailureKind::Init,
                "Runtime.InvalidEntrypoint",
                format!("RequestId: {request_id} Error: {reason}"),
            ),
        }
    }
}

impl Failure {
    /// Returns a failure that no runtime described.
    pub(crate) fn new(kind: FailureKind, error_type: &str, error_message: String) -> Self {
        let payload = json!({"errorType": error_type, "errorMessage": error_message}).to_string().into();
        Self { error_type: error_type.to_owned(), error_message, stack_trace: Vec::new(), payload, kind }
    }

    /// Returns the failure of a process that ended without an answer.
    pub(crate) fn exited(request_id: &str, status: ExitStatus) -> Self {
        let reason = match (status.code(), status.signal()) {
            (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
            (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
            (None, Some(signal)) => format!("Runtime exited with error: signal: {}", signal_name(signal)),
            (None, None) => "Runtime exited without providing a reason".to_owned(),
        };
        Self::new(FailureKind::Exit, "Runtime.ExitError", format!("RequestId: {request_id} Error: {reason}"))
    }

    /// Returns the failure of a process that held more memory than `MemorySize`.
    pub(crate) fn out_of_memory(request_id: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed");
        Self::new(FailureKind::Exit, "Runtime.OutOfMemory", message)
    }

    /// Returns the failure of a process that ended before the invocation reached it.
    pub(crate) fn lost(request_id: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: Runtime exited without providing a reason");
        Self::new(FailureKind::Exit, "Runtime.ExitError", message)
    }

    /// Returns the failure of an invocation that took too long.
    pub(crate) fn timed_out(request_id: &str, timeout: Duration) -> Self {
        let message =
            format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64());
        Self::new(FailureKind::Timeout, "Sandbox.Timedout", message)
    }

    /// Returns the failure of a response past [`limits::RESPONSE_BYTES_MAX`].
    pub(crate) fn response_too_large(bytes: u64) -> Self {
        Self::too_large(bytes, limits::RESPONSE_BYTES_MAX as u64)
    }

    /// Returns the failure of a streamed response past [`limits::STREAMED_RESPONSE_BYTES_MAX`].
    pub(crate) fn stream_too_large(bytes: u64) -> Self {
        Self::too_large(bytes, limits::STREAMED_RESPONSE_BYTES_MAX)
    }

    fn too_large(bytes: u64, bytes_max: u64) -> Self {
        let message =
            format!("Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({bytes_max} bytes).");
        Self::new(FailureKind::Handler, "Function.ResponseSizeTooLarge", message)
    }

    /// Returns a failure of this server, with the chain of causes.
    pub(crate) fn platform(error: &crate::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::new(FailureKind::Platform, "Service.RuntimeUnavailable", message)
    }

    /// Returns the failure of everything that is still waiting when the server stops.
    pub(crate) fn stopping() -> Self {
        let message = "the server is stopping; try again when it is back".to_owned();
        Self::new(FailureKind::Platform, "Service.Stopping", message)
    }

    /// Reads an error document that a runtime posted; whatever it contains, the result is a failure.
    ///
    /// `stackTrace` is Python's and Java's name for the trace, `trace` is Node.js's. `header` is
    /// `Lambda-Runtime-Function-Error-Type`, used if the document names no type.
    pub(crate) fn posted(kind: FailureKind, body: Bytes, header: Option<&str>) -> Self {
        let document: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let error_type = text("errorType").or(header.map(str::to_owned)).unwrap_or_else(|| "Unhandled".to_owned());
        if !document.is_object() {
            return Self::new(kind, &error_type, String::from_utf8_lossy(&body).into_owned());
        }
        let trace = document.get("stackTrace").or(document.get("trace"));
        let stack_trace = match trace {
            Some(Value::Array(lines)) => lines.iter().map(line).collect(),
            Some(Value::String(lines)) => lines.lines().map(str::to_owned).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        };
        Self { error_type, error_message: text("errorMessage").unwrap_or_default(), stack_trace, payload: body, kind }
    }
}

/// One entry of a stack trace; runtimes send strings, but nothing keeps them from sending anything else.
fn line(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The words for a signal, as Lambda prints them.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        15 => "terminated",
        number => return number.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, header: Option<&str>, error_type: &str, error_message: &str, stack_trace: &[&str]) {
        let failure = Failure::posted(FailureKind::Handler, Bytes::copy_from_slice(body.as_bytes()), header);
        assert_eq!(failure.error_type, error_type, "{body}");
        assert_eq!(failure.error_message, error_message, "{body}");
        assert_eq!(failure.stack_trace, stack_trace, "{body}");
        let payload: Value = serde_json::from_slice(&failure.payload).expect("a caller always gets JSON");
        assert!(payload.is_object(), "{body}");
    }

    #[test]
    fn posted_documents_become_failures() {
        check(
            r#"{"errorMessage":"bad","errorType":"ValueError","stackTrace":["a","b"]}"#,
            None,
            "ValueError",
            "bad",
            &["a", "b"],
        );
        check(
            r#"{"errorMessage":"bad","errorType":"TypeError","trace":["a"]}"#,
            Some("unhandled"),
            "TypeError",
            "bad",
            &["a"],
        );
        check(r#"{"errorMessage":"bad","stackTrace":"a\nb"}"#, Some("Custom.Type"), "Custom.Type", "bad", &["a", "b"]);
    }

    #[test]
    fn posted_nonsense_becomes_a_failure_too() {
        check("", None, "Unhandled", "", &[]);
        check("not json", Some("X"), "X", "not json", &[]);
        check("[1]", None, "Unhandled", "[1]", &[]);
        check(r#"{"errorType":7,"errorMessage":[],"stackTrace":[["f",1]]}"#, None, "Unhandled", "", &[r#"["f",1]"#]);
    }

    #[test]
    fn exits_are_worded_as_lambda_does() {
        let message = |raw| Failure::exited("r", ExitStatus::from_raw(raw)).error_message;
        assert_eq!(message(0), "RequestId: r Error: Runtime exited without providing a reason");
        assert_eq!(message(1 << 8), "RequestId: r Error: Runtime exited with error: exit status 1");
        assert_eq!(message(9), "RequestId: r Error: Runtime exited with error: signal: killed");
        assert_eq!(message(64), "RequestId: r Error: Runtime exited with error: signal: 64");
    }
}
