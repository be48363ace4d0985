//! `CheckpointDurableExecution` on the wire.

use std::sync::Arc;

use everstep_core::command::{self, Action, OperationUpdate};
use everstep_core::id::{ClientToken, TenantId};
use everstep_core::limits::{
    CALLBACK_TIMEOUT_SECONDS_MAX, CHECKPOINT_TOKEN_CHARACTERS_MAX, CLIENT_TOKEN_CHARACTERS_MAX, DURATION_SECONDS_MAX,
    FUNCTION_REFERENCE_CHARACTERS_MAX, OPERATION_ID_CHARACTERS_MAX, OPERATION_NAME_CHARACTERS_MAX,
    OPERATION_SUB_TYPE_CHARACTERS_MAX, SYNC_PAYLOAD_BYTES_MAX, TRACE_ID_CHARACTERS_MAX, UPDATES_MAX,
};
use everstep_core::operation::chained_invoke::Target;
use everstep_core::{ErrorObject, Intake, Operation, OperationType, Texts};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::operation::operation;
use crate::timestamp::TimeFormat;
use crate::validation::Violations;

/// The request. Source: Lambda API, `CheckpointDurableExecutionRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckpointRequest {
    checkpoint_token: Option<String>,
    client_token: Option<String>,
    updates: Option<Vec<UpdateShape>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateShape {
    id: Option<String>,
    parent_id: Option<String>,
    name: Option<String>,
    #[serde(rename = "Type")]
    operation_type: Option<String>,
    sub_type: Option<String>,
    action: Option<String>,
    payload: Option<String>,
    error: Option<ErrorObject>,
    context_options: Option<ContextOptions>,
    step_options: Option<StepOptions>,
    wait_options: Option<WaitOptions>,
    callback_options: Option<CallbackOptions>,
    chained_invoke_options: Option<ChainedInvokeOptions>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextOptions {
    replay_children: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StepOptions {
    next_attempt_delay_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WaitOptions {
    wait_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackOptions {
    timeout_seconds: Option<i64>,
    heartbeat_timeout_seconds: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChainedInvokeOptions {
    function_name: Option<String>,
    tenant_id: Option<String>,
    x_amzn_trace_id: Option<String>,
}

/// A request that satisfies the model's constraints; what it names is not looked up yet.
#[derive(Debug)]
pub struct ValidCheckpoint {
    /// The token, sealed.
    pub checkpoint_token: String,
    /// By which a repetition is recognised.
    pub client_token: Option<ClientToken>,
    /// The updates; those that chain an invoke name their function in `chained`.
    pub updates: Vec<ValidUpdate>,
}

/// An update, and the function it chains.
#[derive(Debug)]
pub struct ValidUpdate {
    /// The update, without a chained invoke.
    pub update: OperationUpdate,
    /// The function that it chains, not resolved yet.
    pub chained: Option<ChainedFunction>,
}

/// A function that a handler wants to be invoked.
#[derive(Debug)]
pub struct ChainedFunction {
    /// As the handler named it.
    pub function_name: String,
    /// For which tenant.
    pub tenant_id: Option<TenantId>,
    /// With which trace header.
    pub trace_id: Option<Arc<str>>,
}

const TYPES: [(&str, OperationType); 6] = [
    ("EXECUTION", OperationType::Execution),
    ("CONTEXT", OperationType::Context),
    ("STEP", OperationType::Step),
    ("WAIT", OperationType::Wait),
    ("CALLBACK", OperationType::Callback),
    ("CHAINED_INVOKE", OperationType::ChainedInvoke),
];

const ACTIONS: [(&str, Action); 5] = [
    ("START", Action::Start),
    ("SUCCEED", Action::Succeed),
    ("FAIL", Action::Fail),
    ("RETRY", Action::Retry),
    ("CANCEL", Action::Cancel),
];

const WORD: &str = "[a-zA-Z0-9-_]+";

impl CheckpointRequest {
    /// Checks the model's constraints, and takes payloads in.
    ///
    /// # Errors
    /// The message of a `ValidationException`.
    pub fn validate(self, intake: &mut Intake) -> Result<ValidCheckpoint, String> {
        let mut violations = Violations::default();
        let token = violations.present(self.checkpoint_token, "checkpointToken").unwrap_or_default();
        if !token.is_empty() {
            violations.length(&token, "checkpointToken", 1, CHECKPOINT_TOKEN_CHARACTERS_MAX);
        }
        let client_token = self
            .client_token
            .and_then(|text| violations.text(&text, "clientToken", CLIENT_TOKEN_CHARACTERS_MAX, "[\\x21-\\x7E]+"));
        let shapes = self.updates.unwrap_or_default();
        let count = shapes.len();
        let too_many = format!("Member must have length less than or equal to {UPDATES_MAX}");
        violations.require(count <= UPDATES_MAX, format!("{count} updates"), "updates", too_many);
        let mut updates = Vec::with_capacity(count.min(UPDATES_MAX));
        for (position, shape) in shapes.into_iter().enumerate().take(UPDATES_MAX) {
            let path = format!("updates.{}.member", position + 1);
            updates.extend(shape.validate(&path, &mut violations, intake));
        }
        violations.finish()?;
        Ok(ValidCheckpoint { checkpoint_token: token, client_token, updates })
    }
}

impl ValidUpdate {
    /// Returns the function that it chains, as the handler named it.
    pub fn chained_function(&self) -> Option<&str> {
        self.chained.as_ref().map(|chained| chained.function_name.as_str())
    }

    /// Returns the update that can be decided on, with what the chained function stands for. There is no target if it
    /// chains none.
    pub fn aimed_at(self, target: Option<Target>) -> OperationUpdate {
        let chained_invoke = self.chained.zip(target).map(|(chained, target)| command::ChainedInvokeOptions {
            function_name: chained.function_name.into(),
            tenant_id: chained.tenant_id,
            trace_id: chained.trace_id,
            target,
        });
        OperationUpdate { chained_invoke, ..self.update }
    }
}

impl UpdateShape {
    /// Returns the update, or `None` if a violation makes one impossible.
    fn validate(self, path: &str, violations: &mut Violations, intake: &mut Intake) -> Option<ValidUpdate> {
        let at = |member: &str| format!("{path}.{member}");
        let id = violations
            .present(self.id, &at("id"))
            .and_then(|text| violations.text(&text, &at("id"), OPERATION_ID_CHARACTERS_MAX, WORD));
        let operation_type = violations
            .present(self.operation_type, &at("type"))
            .and_then(|name| violations.one_of(&name, &at("type"), &TYPES));
        let action = violations
            .present(self.action, &at("action"))
            .and_then(|name| violations.one_of(&name, &at("action"), &ACTIONS));
        let parent =
            self.parent_id.and_then(|text| violations.text(&text, &at("parentId"), OPERATION_ID_CHARACTERS_MAX, WORD));
        let name = self
            .name
            .and_then(|text| violations.text(&text, &at("name"), OPERATION_NAME_CHARACTERS_MAX, "[\\x20-\\x7E]+"));
        let sub_type = self
            .sub_type
            .and_then(|text| violations.text(&text, &at("subType"), OPERATION_SUB_TYPE_CHARACTERS_MAX, WORD));
        if let Some(payload) = &self.payload
            && payload.len() as u64 > SYNC_PAYLOAD_BYTES_MAX
        {
            let constraint = format!("Member must have length less than or equal to {SYNC_PAYLOAD_BYTES_MAX}");
            violations.require(false, "(too long to show)", &at("payload"), constraint);
        }
        let mut seconds = |value: Option<i64>, member: &str, min: i64, max: u64| {
            let value = value?;
            violations.range(value, &at(member), min, max as i64);
            u64::try_from(value).ok()
        };
        let step = self.step_options.and_then(|options| options.next_attempt_delay_seconds);
        let next_attempt_delay_seconds = seconds(step, "stepOptions.nextAttemptDelaySeconds", 1, DURATION_SECONDS_MAX);
        let wait = self.wait_options.and_then(|options| options.wait_seconds);
        let wait_seconds = seconds(wait, "waitOptions.waitSeconds", 1, DURATION_SECONDS_MAX);
        let (timeout, heartbeat) = self
            .callback_options
            .map_or((None, None), |options| (options.timeout_seconds, options.heartbeat_timeout_seconds));
        let callback_timeout_seconds =
            seconds(timeout, "callbackOptions.timeoutSeconds", 0, CALLBACK_TIMEOUT_SECONDS_MAX);
        let heartbeat_timeout_seconds =
            seconds(heartbeat, "callbackOptions.heartbeatTimeoutSeconds", 0, CALLBACK_TIMEOUT_SECONDS_MAX);
        let chained =
            self.chained_invoke_options.and_then(|options| options.validate(&at("chainedInvokeOptions"), violations));
        let update = OperationUpdate {
            id: id?,
            operation_type: operation_type?,
            action: action?,
            parent,
            name,
            sub_type,
            payload: self.payload.map(|text| intake.payload(text)),
            error: self.error.map(|error| intake.error(&error)),
            replay_children: self.context_options.and_then(|options| options.replay_children).unwrap_or_default(),
            next_attempt_delay_seconds,
            wait_seconds,
            callback_timeout_seconds,
            heartbeat_timeout_seconds,
            chained_invoke: None,
        };
        Some(ValidUpdate { update, chained })
    }
}

impl ChainedInvokeOptions {
    fn validate(self, path: &str, violations: &mut Violations) -> Option<ChainedFunction> {
        let function_name = violations.present(self.function_name, &format!("{path}.functionName"));
        if let Some(name) = &function_name {
            violations.length(name, &format!("{path}.functionName"), 1, FUNCTION_REFERENCE_CHARACTERS_MAX);
        }
        let tenant_id = self.tenant_id.and_then(|text| {
            violations.pattern(text.parse(), &text, &format!("{path}.tenantId"), r"[a-zA-Z0-9\._:\/=+\-@ ]+")
        });
        if let Some(trace) = &self.x_amzn_trace_id {
            violations.length(trace, &format!("{path}.xAmznTraceId"), 0, TRACE_ID_CHARACTERS_MAX);
        }
        Some(ChainedFunction {
            function_name: function_name?,
            tenant_id,
            trace_id: self.x_amzn_trace_id.map(Into::into),
        })
    }
}

/// The answer. Source: Lambda API, `CheckpointDurableExecutionResponse`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckpointResponse {
    /// The next token; absent if no further checkpoint is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_token: Option<String>,
    /// What changed.
    pub new_execution_state: NewExecutionState,
}

impl CheckpointResponse {
    /// Writes the answer: what changed, each operation once, and the next token.
    pub fn new(checkpoint_token: Option<String>, changed: &[Arc<Operation>], texts: &Texts) -> Self {
        let operations = changed.iter().map(|changed| {
            let shape = operation(changed, texts, TimeFormat::Seconds);
            serde_json::value::to_raw_value(&shape).expect("shapes serialise")
        });
        Self { checkpoint_token, new_execution_state: NewExecutionState { operations: operations.collect() } }
    }
}

/// What changed since the last answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewExecutionState {
    /// The operations, each once, in its latest state.
    pub operations: Vec<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(member: &str, at_the_limit: Value, one_past: Value) {
        for (value, fits) in [(at_the_limit, true), (one_past, false)] {
            let mut update = json!({"Id": "a", "Type": "STEP", "Action": "START"});
            let mut request = json!({"CheckpointToken": "dG9rZW4="});
            match member.split_once('.') {
                _ if member == "Updates" => request["Updates"] = value,
                _ if request.get(member).is_some() => request[member] = value,
                Some((options, member)) => update[options] = json!({"FunctionName": "f", member: value}),
                None => update[member] = value,
            }
            if request.get("Updates").is_none() {
                request["Updates"] = json!([update]);
            }
            let request: CheckpointRequest = serde_json::from_value(request).unwrap();
            let valid = request.validate(&mut Intake::default());
            assert_eq!(valid.is_ok(), fits, "{member}: {:?}", valid.err());
        }
    }

    #[test]
    fn limits_of_the_request_hold() {
        let text = |length: usize| json!("A".repeat(length));
        let updates = |count: usize| {
            let update = |number| json!({"Id": format!("s{number}"), "Type": "STEP", "Action": "START"});
            json!((0..count).map(update).collect::<Vec<_>>())
        };
        check("CheckpointToken", text(2_048), text(2_049));
        check("Updates", updates(6_000), updates(6_001));
        check("Id", text(64), text(65));
        check("ParentId", text(64), text(65));
        check("Name", text(256), text(257));
        check("SubType", text(32), text(33));
        check("Payload", text(6_291_456), text(6_291_457));
        check("StepOptions.NextAttemptDelaySeconds", json!(31_622_400), json!(31_622_401));
        check("WaitOptions.WaitSeconds", json!(31_622_400), json!(31_622_401));
        check("CallbackOptions.TimeoutSeconds", json!(99_999_999), json!(100_000_000));
        check("CallbackOptions.HeartbeatTimeoutSeconds", json!(99_999_999), json!(100_000_000));
        check("ChainedInvokeOptions.FunctionName", text(256), text(257));
        check("ChainedInvokeOptions.TenantId", text(256), text(257));
        check("ChainedInvokeOptions.XAmznTraceId", text(8_192), text(8_193));
    }
}
