//! The durable service by a client of AWS's SDK, as somebody configured it: keys, endpoint, interceptors, time limits and
//! retries are that client's, and nothing is added to them.

use std::time::SystemTime;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::{HttpRequest, HttpResponse};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::{DateTime, SdkBody};
use aws_sdk_lambda::types;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as UnknownName, StrDeserializer};

use crate::limits::STATE_ITEMS_MAX;
use crate::service::{Service, ServiceError, ServiceFuture};
use crate::wire::{
    CallbackDetails, ChainedInvokeDetails, CheckpointRequest, CheckpointResponse, ContextDetails, ErrorObject,
    ExecutionDetails, Page, Record, StepDetails, WaitDetails, time_of_millis,
};

impl Service for Client {
    fn checkpoint<'a>(&'a self, arn: &'a str, request: &'a CheckpointRequest) -> ServiceFuture<'a, CheckpointResponse> {
        Box::pin(async move {
            // The body is the crate's own: AWS's shapes for it do not hold everything that the API takes.
            let body = Bytes::from(serde_json::to_vec(request).expect("shapes serialise"));
            let checkpoint = self
                .checkpoint_durable_execution()
                .durable_execution_arn(arn)
                .checkpoint_token(&request.checkpoint_token)
                .client_token(&request.client_token)
                .customize()
                .mutate_request(move |request| set_body(request, body.clone()));
            let answer = checkpoint.send().await.map_err(|error| trouble(&error))?;
            let news = answer.new_execution_state;
            let news = news.map(|news| page(news.operations.unwrap_or_default(), news.next_marker)).transpose()?;
            let checkpoint_token = answer.checkpoint_token;
            Ok(CheckpointResponse { checkpoint_token, new_execution_state: news.unwrap_or_default() })
        })
    }

    fn state<'a>(&'a self, arn: &'a str, token: &'a str, marker: &'a str) -> ServiceFuture<'a, Page> {
        Box::pin(async move {
            let state = self
                .get_durable_execution_state()
                .durable_execution_arn(arn)
                .checkpoint_token(token)
                .marker(marker)
                .max_items(STATE_ITEMS_MAX.cast_signed());
            let answer = state.send().await.map_err(|error| trouble(&error))?;
            page(answer.operations, answer.next_marker)
        })
    }
}

fn set_body(request: &mut HttpRequest, body: Bytes) {
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
}

fn trouble<E>(error: &SdkError<E, HttpResponse>) -> ServiceError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        // A success that cannot be read counts as the service's error there.
        SdkError::ServiceError(refusal) if !refusal.raw().status().is_success() => {
            let (status, refusal) = (refusal.raw().status().as_u16(), refusal.err());
            let error_type = refusal.code().unwrap_or("UnknownError");
            ServiceError::of_answer(status, error_type, refusal.message().unwrap_or_default())
        }
        // There are no keys, no connection, or no answer that can be read.
        _ => ServiceError::of_failure(error),
    }
}

fn page(operations: Vec<types::Operation>, next_marker: Option<String>) -> Result<Page, ServiceError> {
    let operations = operations.into_iter().map(record).collect::<Result<_, _>>()?;
    Ok(Page { operations, next_marker })
}

fn record(operation: types::Operation) -> Result<Record, ServiceError> {
    let execution = |details: types::ExecutionDetails| ExecutionDetails { input_payload: details.input_payload };
    let context = |details: types::ContextDetails| ContextDetails {
        replay_children: details.replay_children,
        result: details.result,
        error: details.error.map(error_object),
    };
    let step = |details: types::StepDetails| StepDetails {
        attempt: details.attempt.try_into().unwrap_or_default(),
        next_attempt_timestamp: details.next_attempt_timestamp.map(time),
        result: details.result,
        error: details.error.map(error_object),
    };
    let wait = |details: types::WaitDetails| WaitDetails {
        scheduled_end_timestamp: details.scheduled_end_timestamp.map(time),
    };
    let callback = |details: types::CallbackDetails| {
        let callback_id = details.callback_id.ok_or_else(|| ServiceError::unreadable("a callback has no id"))?;
        Ok(CallbackDetails { callback_id, result: details.result, error: details.error.map(error_object) })
    };
    let invoke = |details: types::ChainedInvokeDetails| ChainedInvokeDetails {
        result: details.result,
        error: details.error.map(error_object),
    };
    Ok(Record {
        id: operation.id.as_str().into(),
        parent_id: operation.parent_id.as_deref().map(Into::into),
        name: operation.name,
        operation_type: named(operation.r#type.as_str())?,
        sub_type: operation.sub_type,
        status: named(operation.status.as_str())?,
        start_timestamp: Some(time(operation.start_timestamp)),
        end_timestamp: operation.end_timestamp.map(time),
        execution_details: operation.execution_details.map(execution),
        context_details: operation.context_details.map(context),
        step_details: operation.step_details.map(step),
        wait_details: operation.wait_details.map(wait),
        callback_details: operation.callback_details.map(callback).transpose()?,
        chained_invoke_details: operation.chained_invoke_details.map(invoke),
    })
}

fn error_object(error: types::ErrorObject) -> ErrorObject {
    ErrorObject {
        error_type: error.error_type,
        error_message: error.error_message,
        error_data: error.error_data,
        stack_trace: error.stack_trace,
    }
}

/// Reads a type or a status in the words of the API.
fn named<'a, T: Deserialize<'a>>(name: &'a str) -> Result<T, ServiceError> {
    let name: StrDeserializer<'a, UnknownName> = name.into_deserializer();
    T::deserialize(name).map_err(ServiceError::unreadable)
}

fn time(time: DateTime) -> SystemTime {
    time_of_millis(time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_lambda::config::retry::RetryConfig;
    use aws_sdk_lambda::config::{BehaviorVersion, Config, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::{ChainedInvokeOptions, Change, OperationType, Update};
    use crate::{Context, Error, Function};

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/id";

    /// What was asked for: method, address, length of the body as it was announced, and the body.
    type Asked = (String, String, Option<String>, Vec<u8>);

    /// Answers everything with the same, or not at all.
    #[derive(Clone, Debug)]
    struct Answering {
        answer: Option<(u16, &'static str, String)>,
        asked: Arc<Mutex<Vec<Asked>>>,
    }

    impl Answering {
        fn with(status: u16, error_type: &'static str, body: &Value) -> Self {
            Self { answer: Some((status, error_type, body.to_string())), asked: Arc::default() }
        }

        fn silent() -> Self {
            Self { answer: None, asked: Arc::default() }
        }

        fn client(&self) -> Client {
            let connector = SharedHttpConnector::new(self.clone());
            let http = http_client_fn(move |_, _| connector.clone());
            let config = Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
                .region(Region::from_static("us-east-1"))
                .endpoint_url("http://service")
                .retry_config(RetryConfig::disabled())
                .http_client(http);
            Client::from_conf(config.build())
        }

        fn asked(&self) -> Vec<Asked> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    impl HttpConnector for Answering {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = request.body().bytes().unwrap().to_vec();
            let length = request.headers().get("content-length").map(str::to_owned);
            let asked = (request.method().to_owned(), request.uri().to_owned(), length, body);
            self.asked.lock().unwrap().push(asked);
            HttpConnectorFuture::ready(match &self.answer {
                Some((status, error_type, body)) => {
                    let mut response = HttpResponse::new((*status).try_into().unwrap(), SdkBody::from(body.as_str()));
                    if !error_type.is_empty() {
                        response.headers_mut().insert("x-amzn-errortype", *error_type);
                    }
                    Ok(response)
                }
                None => Err(aws_sdk_lambda::error::ConnectorError::io("nobody is there".into())),
            })
        }
    }

    fn checkpoint() -> CheckpointRequest {
        let options = ChainedInvokeOptions {
            function_name: "ship".into(),
            tenant_id: Some("tea".into()),
            trace_id: Some("Root=1-2-3".into()),
        };
        let invoke = Update {
            id: "a".into(),
            parent_id: Some("p".into()),
            name: Some("to ship".into()),
            operation_type: OperationType::ChainedInvoke,
            sub_type: Some("ChainedInvoke"),
            change: Change { chained_invoke_options: Some(options), ..Change::start() },
        };
        let retry = Update { sub_type: Some("Step"), change: Change::retry(3), id: "b".into(), ..invoke.clone() };
        CheckpointRequest {
            checkpoint_token: "to/ken+=".into(),
            client_token: "again".into(),
            updates: vec![invoke, retry],
        }
    }

    fn operations() -> Value {
        let error = json!({"ErrorType": "T", "ErrorMessage": "m", "ErrorData": "d", "StackTrace": ["s"]});
        let operation = |operation_type: &str, status: &str, details: &str, of: Value| {
            json!({
                "Id": operation_type, "ParentId": "p", "Name": "n", "Type": operation_type, "SubType": "s",
                "Status": status, "StartTimestamp": 1_767_225_600.123, "EndTimestamp": 1_767_225_601.019, details: of,
            })
        };
        json!([
            operation("EXECUTION", "STARTED", "ExecutionDetails", json!({"InputPayload": "1"})),
            operation("CONTEXT", "SUCCEEDED", "ContextDetails", json!({"ReplayChildren": true, "Result": "2"})),
            operation("CONTEXT", "FAILED", "ContextDetails", json!({"Error": error})),
            operation("STEP", "READY", "StepDetails", json!({"Attempt": 2, "Result": "3", "Error": error})),
            operation("STEP", "PENDING", "StepDetails", json!({"NextAttemptTimestamp": 1_767_225_602.001})),
            operation("WAIT", "CANCELLED", "WaitDetails", json!({"ScheduledEndTimestamp": 1_767_225_603})),
            operation("CALLBACK", "TIMED_OUT", "CallbackDetails", json!({"CallbackId": "c", "Error": error})),
            operation("CALLBACK", "SUCCEEDED", "CallbackDetails", json!({"CallbackId": "c", "Result": "4"})),
            operation("CHAINED_INVOKE", "STOPPED", "ChainedInvokeDetails", json!({"Result": "5", "Error": error})),
            json!({"Id": "bare", "Type": "STEP", "Status": "STARTED", "StartTimestamp": 0}),
        ])
    }

    #[tokio::test]
    async fn a_function_makes_checkpoints_by_the_client_that_it_was_given() {
        let service = Answering::with(200, "", &json!({}));
        let handler = async |_: (), _: Context| Ok::<_, Error>(());
        let function = Function::new(handler).lambda_client(service.client());
        function.service().unwrap().state(ARN, "t", "m").await.unwrap();
        assert_eq!(service.asked().len(), 1);
    }

    #[tokio::test]
    async fn what_is_asked_for_is_what_the_crates_own_client_asks_for() {
        let service = Answering::with(200, "", &json!({}));
        let request = checkpoint();
        service.client().checkpoint(ARN, &request).await.unwrap();
        service.client().state(ARN, "to/ken+=", "mark&er").await.unwrap();
        let [checkpoint, state] = service.asked().try_into().unwrap();

        let base = "http://service/2025-12-01/durable-executions/\
                    arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A1%2Fdurable-execution%2Fname%2Fid";
        let body = serde_json::to_vec(&request).unwrap();
        let length = Some(body.len().to_string());
        assert_eq!(checkpoint, ("POST".into(), format!("{base}/checkpoint"), length, body));
        let query = "CheckpointToken=to%2Fken%2B%3D&Marker=mark%26er&MaxItems=1000";
        assert_eq!(state, ("GET".into(), format!("{base}/state?{query}"), None, Vec::new()));
    }

    #[tokio::test]
    async fn what_is_answered_is_what_the_crates_own_client_reads() {
        let page = json!({"Operations": operations(), "NextMarker": "more"});
        let answer = json!({"CheckpointToken": "next", "NewExecutionState": page});
        let same = |read: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            assert_eq!(format!("{read:#?}"), format!("{expected:#?}"));
        };
        let read = Answering::with(200, "", &answer).client().checkpoint(ARN, &checkpoint()).await.unwrap();
        same(&read, &serde_json::from_value::<CheckpointResponse>(answer).unwrap());
        let read = Answering::with(200, "", &page).client().state(ARN, "t", "m").await.unwrap();
        same(&read, &serde_json::from_value::<Page>(page).unwrap());
        // No token, and no news.
        let read = Answering::with(200, "", &json!({})).client().checkpoint(ARN, &checkpoint()).await.unwrap();
        same(&read, &serde_json::from_value::<CheckpointResponse>(json!({})).unwrap());
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_apart_and_not_asked_for_again() {
        let check = async |service: Answering, transient: bool, expected: &str| {
            let client = service.client();
            let errors = [
                client.checkpoint(ARN, &checkpoint()).await.unwrap_err(),
                client.state(ARN, "t", "m").await.unwrap_err(),
            ];
            for error in errors {
                assert_eq!(matches!(error, ServiceError::Transient(_)), transient, "{error:?}");
                assert!(error.to_string().contains(expected), "{error}");
                if let ServiceError::Refused { error_type, .. } = error {
                    assert_eq!(
                        Some(error_type.as_str()),
                        service.answer.as_ref().map(|(_, error_type, _)| *error_type)
                    );
                }
            }
            assert_eq!(service.asked().len(), 2);
        };
        let answer = |status, error_type, message| Answering::with(status, error_type, &json!({"message": message}));
        let invalid = "InvalidParameterValueException";
        check(answer(400, invalid, "Invalid checkpoint token"), true, "Invalid checkpoint token").await;
        check(answer(400, invalid, "Invalid current STEP state"), false, "Invalid current STEP state").await;
        check(answer(429, "TooManyRequestsException", "Rate exceeded"), true, "TooManyRequestsException").await;
        check(answer(500, "ServiceException", "oh"), true, "ServiceException: oh").await;
        check(answer(502, "KMSDisabledException", "the key"), false, "the key").await;
        check(answer(404, "ResourceNotFoundException", "gone"), false, "gone").await;
        check(Answering::with(503, "", &json!("busy")), true, "UnknownError").await;
        check(Answering::silent(), true, "nobody is there").await;
        check(Answering::with(200, "", &json!([])), true, "").await;
        let unknown = json!([{"Id": "a", "Type": "DREAM", "Status": "STARTED", "StartTimestamp": 0}]);
        let unknown = json!({"Operations": unknown, "NewExecutionState": {"Operations": unknown}});
        check(Answering::with(200, "", &unknown), true, "`DREAM`").await;
    }
}
