//! AWS's 44 requirements for tracing, in the process: handlers run by the test kit, spans are sent to a collector by OTLP
//! over HTTP, and what it got is checked as AWS's requirements say.
//!
//! The requirements are read from AWS's package `aws-durable-execution-conformance-tests-otel`, which
//! `cargo xtask test` installs below `target/`; the four about long delays are checked in both views.

mod checker;
mod placeholders;
mod receiver;
mod requirements;
mod scenarios;
mod trace;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everstep::Function;
use everstep::plugin::{InvocationInfo, Plugin, PluginFactory};
use everstep::testing::test;
use everstep_otel::Otel;
use opentelemetry_sdk::Resource;
use placeholders::Placeholders;
use receiver::Receiver;
use requirements::Requirement;
use scenarios::TARGET;
use serde_json::Value;

const SERVICE: &str = "durable-execution-conformance";

/// How many requirements there are, of which four are checked in both views.
const CASES: usize = 44 + 4;

#[tokio::test]
async fn every_requirement_is_met() {
    let Some(requirements) = requirements::all() else {
        eprintln!("skipped: AWS's requirements are not installed; `cargo xtask test` does that");
        return;
    };
    assert_eq!(requirements.len(), CASES);
    let mut failures = Vec::new();
    for requirement in &requirements {
        let errors = unmet(requirement).await;
        failures.extend(errors.into_iter().map(|error| format!("{} {:?}: {error}", requirement.id, requirement.view)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the scenario of a requirement, and returns what is not as it has to be.
async fn unmet(requirement: &Requirement) -> Vec<String> {
    let receiver = Receiver::start().await;
    let otel = Otel::to(requirement.view, &receiver.endpoint, Resource::builder().with_service_name(SERVICE).build());
    let lambda = Lambda { otel: otel.unwrap(), executions: Arc::default() };
    let collector = receiver.clone();
    let target = move |input, ctx| scenarios::target(input, ctx, collector.clone());
    let mut placeholders = Placeholders::default();
    placeholders.bind("SERVICE_NAME", SERVICE);
    for (name, value) in requirement.text["Variables"].as_object().into_iter().flatten() {
        placeholders.bind(name, value.to_string());
    }
    let timeout = match requirement.scenario() {
        "wait-interrupted" => Duration::from_secs(60),
        _ => Duration::from_secs(86_400),
    };
    let running = test(Function::new(scenarios::run).plugin(lambda.clone()))
        .with_function(TARGET, Function::new(target).plugin(lambda.clone()))
        .execution_timeout(timeout)
        .start(placeholders.fill(&requirement.text["Input"]));
    for action in requirement.text["CallbackActions"].as_array().into_iter().flatten() {
        let callback = running.callback(callback_name(requirement)).await;
        running.advance(Duration::from_secs(action["Delay"].as_u64().unwrap())).await;
        let payload = &action["Payload"];
        match action["Operation"].as_str() {
            Some("success") => callback.succeed(payload).await,
            _ => {
                let text = |key: &str| payload[key].as_str().unwrap().to_owned();
                callback.fail(everstep::Error::from(text("ErrorMessage")).with_type(text("ErrorType"))).await;
            }
        }
    }
    let run = running.finish().await;

    let events = run.history()["Events"].as_array().unwrap();
    let mut errors = placeholders.match_history(&requirement.text["ExpectedExecutionHistory"], events);
    let expected = &requirement.text["ExpectedResult"];
    if expected["ExecutionStatus"] != run.status() {
        errors.push(format!("the execution is {}, and not {}", run.status(), expected["ExecutionStatus"]));
    }
    if let Some(result) = expected.get("Result")
        && run.result::<Value>().ok().as_ref() != Some(result)
    {
        errors.push(format!("the result is {:?}, and not {result}", run.result::<Value>()));
    }
    let arn = lambda.executions.lock().unwrap()[0].clone();
    placeholders.bind("EXECUTION_ARN", arn.clone());
    let spans = receiver.spans();
    errors.extend(checker::check(&spans, &placeholders.fill(&requirement.assertions), &arn));
    errors
}

/// Returns the name of the callback that a requirement answers.
fn callback_name(requirement: &Requirement) -> &str {
    let events = requirement.text["ExpectedExecutionHistory"].as_array().unwrap();
    let context = events.iter().find(|event| event["SubType"] == "WaitForCallback").unwrap();
    context["Name"].as_str().unwrap()
}

/// Gives functions the trace header that they get on AWS if they are traced actively: each execution is below a segment
/// of Lambda's own, in the trace of whoever invoked it.
#[derive(Clone)]
struct Lambda {
    otel: Otel,
    /// Those that there were, by their ARNs.
    executions: Arc<Mutex<Vec<String>>>,
}

impl PluginFactory for Lambda {
    fn create(&self, invocation: &InvocationInfo<'_>) -> Box<dyn Plugin> {
        let told = invocation.trace_id.unwrap_or("Root=1-6955b900-0123456789abcdef01234567");
        let root = told.split(';').next().unwrap();
        let segment =
            invocation.execution_arn.bytes().fold(1_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        let header = format!("{root};Parent={segment:016x};Sampled=1");
        let mut invocation = invocation.clone();
        invocation.trace_id = Some(&header);
        self.executions.lock().unwrap().push(invocation.execution_arn.to_owned());
        self.otel.create(&invocation)
    }
}
