//! The lines the platform itself writes into a function's log: START, END, REPORT and their JSON forms.
//!
//! Pure: the caller passes times in and appends the lines.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Failure, FailureKind, Function, LogFormat};

/// What REPORT says about one invocation.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    pub(crate) memory_used_mb: Option<u64>,
    /// Present on the first invocation of a process.
    pub(crate) init_duration: Option<Duration>,
    pub(crate) failure: Option<&'a Failure>,
}

/// Returns the lines for the start of a process.
pub(crate) fn init_start(function: &Function, version: &str, now: Timestamp) -> Vec<String> {
    match function.log_format {
        LogFormat::Text => vec![format!("INIT_START Runtime Version: {version}")],
        LogFormat::Json => vec![event(
            now,
            "platform.initStart",
            json!({
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": version,
                "functionName": function.name,
                "functionVersion": function.version,
            }),
        )],
    }
}

/// Returns the lines for the start of an invocation.
pub(crate) fn start(function: &Function, request_id: &str, now: Timestamp) -> Vec<String> {
    match function.log_format {
        LogFormat::Text => vec![format!("START RequestId: {request_id} Version: {}", function.version)],
        LogFormat::Json => vec![event(
            now,
            "platform.start",
            json!({"requestId": request_id, "functionArn": function.arn, "version": function.version}),
        )],
    }
}

/// Returns the lines for the end of an invocation.
pub(crate) fn end(function: &Function, report: &Report<'_>, now: Timestamp) -> Vec<String> {
    match function.log_format {
        LogFormat::Text => end_text(function, report, now),
        LogFormat::Json => vec![event(now, "platform.report", report_record(function, report))],
    }
}

fn end_text(function: &Function, report: &Report<'_>, now: Timestamp) -> Vec<String> {
    let Report { request_id, duration, memory_used_mb, init_duration, failure } = report;
    let mut lines = Vec::new();
    if let Some(failure) = failure {
        match failure.kind {
            FailureKind::Timeout => {
                let (_, what) = failure.error_message.split_once("Error: ").unwrap_or(("", &failure.error_message));
                lines.push(format!("{} {request_id} {what}", milliseconds(now)));
            }
            FailureKind::Exit | FailureKind::Platform => {
                lines.push(format!("{}\n{}", failure.error_message, failure.error_type));
            }
            // The runtime has already logged what it posted.
            FailureKind::Handler | FailureKind::Init => {}
        }
    }
    lines.push(format!("END RequestId: {request_id}"));
    let mut text = format!(
        "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB",
        duration.as_secs_f64() * 1000.0,
        duration.as_millis() + 1,
        function.memory_mb,
    );
    if let Some(memory_used_mb) = memory_used_mb {
        text += &format!("\tMax Memory Used: {memory_used_mb} MB");
    }
    if let Some(init_duration) = init_duration {
        text += &format!("\tInit Duration: {:.2} ms", init_duration.as_secs_f64() * 1000.0);
    }
    if let Some(failure) = failure {
        match failure.kind {
            FailureKind::Timeout => text += "\tStatus: timeout",
            FailureKind::Exit | FailureKind::Init | FailureKind::Platform => {
                text += &format!("\tStatus: error\tError Type: {}", failure.error_type);
            }
            FailureKind::Handler => {}
        }
    }
    lines.push(text);
    lines
}

fn report_record(function: &Function, report: &Report<'_>) -> Value {
    let mut metrics = json!({
        "durationMs": round(report.duration),
        "billedDurationMs": report.duration.as_millis() as u64 + 1,
        "memorySizeMB": function.memory_mb,
    });
    if let Some(memory_used_mb) = report.memory_used_mb {
        metrics["maxMemoryUsedMB"] = json!(memory_used_mb);
    }
    if let Some(init_duration) = report.init_duration {
        metrics["initDurationMs"] = json!(round(init_duration));
    }
    let status = match report.failure.map(|failure| failure.kind) {
        None => "success",
        Some(FailureKind::Timeout) => "timeout",
        Some(FailureKind::Exit | FailureKind::Platform) => "failure",
        Some(FailureKind::Handler | FailureKind::Init) => "error",
    };
    let mut record = json!({"requestId": report.request_id, "metrics": metrics, "status": status});
    if let Some(failure) = report.failure {
        record["errorType"] = json!(failure.error_type);
    }
    record
}

fn event(now: Timestamp, kind: &str, record: Value) -> String {
    json!({"time": milliseconds(now), "type": kind, "record": record}).to_string()
}

fn milliseconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Milliseconds with at most three decimals.
fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Runtime;

    fn function(log_format: LogFormat) -> Function {
        Function {
            key: String::new(),
            name: "demo".into(),
            version: "3".into(),
            arn: "arn:demo:3".into(),
            role: "arn:role".into(),
            runtime: Runtime::Python313,
            handler: "app.handler".into(),
            code_dir: PathBuf::new(),
            layers_dir: None,
            pins: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            tmp_mb: 512,
            environment: Default::default(),
            region: "us-east-1".into(),
            log_group: "/aws/lambda/demo".into(),
            log_format,
            log_level: None,
            tenant_id: None,
        }
    }

    fn check(log_format: LogFormat, failure: Option<Failure>, expected: &[&str]) {
        let report = Report {
            request_id: "r",
            duration: Duration::from_micros(3_141_592),
            memory_used_mb: Some(35),
            init_duration: Some(Duration::from_micros(60_500)),
            failure: failure.as_ref(),
        };
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        assert_eq!(end(&function(log_format), &report, now), expected);
    }

    #[test]
    fn success_in_text() {
        check(
            LogFormat::Text,
            None,
            &[
                "END RequestId: r",
                "REPORT RequestId: r\tDuration: 3141.59 ms\tBilled Duration: 3142 ms\tMemory Size: 128 MB\tMax Memory Used: 35 MB\tInit Duration: 60.50 ms",
            ],
        );
    }

    #[test]
    fn timeout_in_text() {
        check(
            LogFormat::Text,
            Some(Failure::timed_out("r", Duration::from_secs(3))),
            &[
                "2023-11-14T22:13:20.123Z r Task timed out after 3.00 seconds",
                "END RequestId: r",
                "REPORT RequestId: r\tDuration: 3141.59 ms\tBilled Duration: 3142 ms\tMemory Size: 128 MB\tMax Memory Used: 35 MB\tInit Duration: 60.50 ms\tStatus: timeout",
            ],
        );
    }

    #[test]
    fn exit_in_json() {
        check(
            LogFormat::Json,
            Some(Failure::lost("r")),
            &[
                r#"{"record":{"errorType":"Runtime.ExitError","metrics":{"billedDurationMs":3142,"durationMs":3141.592,"initDurationMs":60.5,"maxMemoryUsedMB":35,"memorySizeMB":128},"requestId":"r","status":"failure"},"time":"2023-11-14T22:13:20.123Z","type":"platform.report"}"#,
            ],
        );
    }
}
