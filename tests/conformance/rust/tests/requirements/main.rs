//! The handlers meet AWS's requirements in the process too: by the test kit, in seconds.
//!
//! The requirements say what goes in, what is done from outside, and which events, results and log lines come out. They
//! are compared as AWS's runner compares them; start at [`check`].

mod history;
mod logs;
mod placeholders;
mod requirement;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use everstep::Functions;
use everstep::testing::{Attempt, Run, Running, test};
use everstep_conformance::{functions, output};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use crate::placeholders::Placeholders;
use crate::requirement::{Answer, CallbackAction, Requirement};

#[test]
#[ignore = "`cargo xtask conformance --in-process` gets the requirements and runs it"]
fn every_requirement_is_met() {
    let logs = everstep::log::layer().writing_to(output::print);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(logs)).expect("nobody else logs here");
    let (functions, started) = (functions(), Instant::now());
    let mut passed: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    // Some handlers panic because they are to, and of the others the outcome tells.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    for requirement in requirement::all() {
        let problems = check(&functions, &requirement);
        if problems.is_empty() {
            *passed.entry(requirement.suite).or_default() += 1;
        } else {
            failed.push(format!("FAILED: {}\n    {}", requirement.id, problems.join("\n    ")));
        }
    }
    panic::set_hook(hook);
    for (suite, count) in &passed {
        println!("{suite:20}{count:5} passed");
    }
    let count: usize = passed.values().sum();
    println!("{:20}{count:5} passed, {} failed, in {:.1?}", "all", failed.len(), started.elapsed());
    assert!(failed.is_empty() && count > 0, "{}", failed.join("\n"));
}

/// Runs the handler of a requirement, and returns what is wrong.
fn check(functions: &Functions, requirement: &Requirement) -> Vec<String> {
    let mut placeholders = Placeholders::new(&requirement.variables);
    output::capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let running = run(functions, requirement, &placeholders);
    let run = match catch_unwind(AssertUnwindSafe(|| runtime.block_on(running))) {
        Ok(run) => run,
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            return vec![message.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()];
        }
    };
    let events = run.history()["Events"].as_array().expect("a history has events");
    let mut problems = history::differences(&requirement.events, events, &mut placeholders);
    problems.extend(requirement.result.as_ref().and_then(|expected| wrong_result(expected, &run, &placeholders)));
    problems.extend(logs::differences(&placeholders.fill(&requirement.logs), &output::capture()));
    problems
}

async fn run(functions: &Functions, requirement: &Requirement, placeholders: &Placeholders) -> Run {
    let function = |name: &str| functions.get(name).unwrap_or_else(|| panic!("there is no handler `{name}`")).clone();
    let mut test = test(function(&requirement.id));
    for target in ["target-echo", "target-error"] {
        test = test.with_function(target, function(target));
    }
    // What ends its process elsewhere ends here once it is said to have got so far.
    test = match requirement.id.as_str() {
        "1-17" => test.crash_after("at_most_once_flaky_step", Attempt::Body),
        "1-18" => test.crash_after("crashing", Attempt::Body),
        "3-12" => test.crash_after("crashing", Attempt::Start),
        _ => test,
    };
    let running = test.start(placeholders.fill(&requirement.input));
    answer(&running, requirement.actions.clone(), placeholders).await;
    running.finish().await
}

/// Answers callbacks, in the order in which they were made.
async fn answer(running: &Running, mut actions: Vec<CallbackAction>, placeholders: &Placeholders) {
    while !actions.is_empty() {
        let callback = running.next_callback().await;
        let is_meant = |action: &CallbackAction| action.is_for(callback.name(), placeholders);
        let index = actions.iter().position(is_meant);
        let index = index.unwrap_or_else(|| panic!("nothing is said about callback `{}`", callback.name()));
        let action = actions.remove(index);
        running.advance(Duration::from_secs_f64(action.delay_seconds)).await;
        match action.answer {
            Answer::Success(None) => callback.succeed_empty().await,
            Answer::Success(Some(payload)) => {
                callback.succeed_raw(requirement::python_json(&placeholders.fill(&payload))).await;
            }
            Answer::Failure(error) => {
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                callback.fail(everstep::Error::new(text("ErrorType"), text("ErrorMessage"))).await;
            }
            Answer::Heartbeat => callback.heartbeat().await,
        }
    }
}

fn wrong_result(expected: &Value, run: &Run, placeholders: &Placeholders) -> Option<String> {
    if expected["ExecutionStatus"] != run.status() {
        return Some(format!("expected {}, got {}: {:?}", expected["ExecutionStatus"], run.status(), run.error()));
    }
    if run.status() != "SUCCEEDED" {
        return None;
    }
    let wanted = placeholders.fill(expected.get("Result")?);
    let result = run.result::<Value>().expect("results are JSON");
    (wanted != result).then(|| format!("expected the result {wanted}, got {result}"))
}
