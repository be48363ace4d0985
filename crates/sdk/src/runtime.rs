//! The Runtime API: takes invocations one after the other, and answers them. Source: Lambda developer guide, "Using the
//! Lambda runtime API for custom runtimes".

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use serde::Serialize;

use crate::error::with_causes;
use crate::function::{Function, IntoFunction, LambdaInvocation, Thrown};
use crate::http::{Client, HttpError};
use crate::lambda_api::EnvironmentError;
use crate::service::Service;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Runs a durable function until Lambda ends the process.
///
/// ```no_run
/// use everstep::{Context, Result, RunError};
///
/// async fn greet(name: String, mut ctx: Context) -> Result<String> {
///     Ok(ctx.step("greet", async |_| Ok(format!("Hello, {name}!"))).await?)
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), RunError> {
///     everstep::run(greet).await
/// }
/// ```
///
/// # Errors
/// If the process is not a Lambda function's: the message says how to start one.
pub async fn run<M>(function: impl IntoFunction<M>) -> Result<(), RunError> {
    serve(&runtime_api()?, Ok(&function.into_function())).await
}

/// Durable functions that share a binary. The function's `Handler` says which one a process is.
///
/// ```no_run
/// # use everstep::{Context, Functions, Result, RunError};
/// # async fn order(id: u32, ctx: Context) -> Result<u32> { Ok(id) }
/// # async fn refund(id: u32, ctx: Context) -> Result<u32> { Ok(id) }
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), RunError> {
///     Functions::new().add("order", order).add("refund", refund).run().await
/// }
/// ```
#[derive(Debug, Default)]
pub struct Functions(Vec<(String, Function)>);

impl Functions {
    /// Holds no function.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function under the name that `Handler` gives it.
    #[must_use]
    pub fn add<M>(mut self, handler: impl Into<String>, function: impl IntoFunction<M>) -> Self {
        self.0.push((handler.into(), function.into_function()));
        self
    }

    /// Returns the function of that name.
    pub fn get(&self, handler: &str) -> Option<&Function> {
        self.0.iter().find(|(name, _)| name == handler).map(|(_, function)| function)
    }

    /// Runs the function that `Handler` names, until Lambda ends the process.
    ///
    /// # Errors
    /// If there is no such function, or the process is not a Lambda function's.
    pub async fn run(self) -> Result<(), RunError> {
        let handler = std::env::var("_HANDLER").unwrap_or_default();
        serve(&runtime_api()?, self.named(&handler)).await
    }

    fn named(&self, handler: &str) -> Result<&Function, Reason> {
        self.get(handler).ok_or_else(|| {
            let known = self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("`, `");
            Reason::UnknownHandler { handler: handler.to_owned(), known }
        })
    }
}

/// Why a function cannot run.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct RunError(#[from] Reason);

#[cfg(feature = "lambda_runtime")]
impl RunError {
    /// Something is not said in the environment.
    pub(crate) fn environment(error: EnvironmentError) -> Self {
        Self(Reason::Environment(error))
    }
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(
        "this is a durable Lambda function and has to be started by Lambda, on AWS or on Everstep (`everstep dev` runs it \
         here): {RUNTIME_API} is not set"
    )]
    NotInLambda,
    #[error("no function `{handler}` is in this binary; the function's Handler must be one of `{known}`")]
    UnknownHandler { handler: String, known: String },
    #[error("the environment of the function is not complete")]
    Environment(#[from] EnvironmentError),
    #[error("the Runtime API does not answer")]
    RuntimeApi(#[from] HttpError),
    #[error("the Runtime API answered what cannot be understood: {0}")]
    Confused(String),
}

impl std::fmt::Debug for RunError {
    /// `main` shows what it returns in this form.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&with_causes(&self.0))
    }
}

impl Reason {
    /// Returns what Lambda is told of it. Source: Lambda developer guide, "Initialization error".
    fn thrown(&self) -> Thrown {
        let error_type = match self {
            Self::UnknownHandler { .. } => "Runtime.NoSuchHandler",
            Self::NotInLambda | Self::Environment(_) => "Runtime.ConfigInvalid",
            Self::RuntimeApi(_) | Self::Confused(_) => "Runtime.UnknownReason",
        };
        Thrown { error_type, message: with_causes(self) }
    }
}

/// Returns the address of the Runtime API.
fn runtime_api() -> Result<String, Reason> {
    std::env::var(RUNTIME_API).map_err(|_| Reason::NotInLambda)
}

/// Takes invocations for ever. If there is nothing to run, whoever invokes the function is told why.
async fn serve(address: &str, function: Result<&Function, Reason>) -> Result<(), RunError> {
    let runtime = RuntimeApi::new(address).map_err(Reason::RuntimeApi)?;
    let ready = function.and_then(|function| Ok((function, function.service().map_err(Reason::Environment)?)));
    let (function, service) = match ready {
        Ok(ready) => ready,
        Err(reason) => {
            // If that cannot be told either, the reason is still the one to return.
            runtime.init_error(&reason.thrown()).await.ok();
            return Err(reason.into());
        }
    };
    loop {
        let Next { invocation, event } = runtime.next().await?;
        let request_id = invocation.request_id.clone();
        let answer = invoke(function, service.as_ref(), invocation, &event).await;
        runtime.answer(&request_id, answer).await?;
    }
}

async fn invoke(
    function: &Function,
    service: &dyn Service,
    invocation: LambdaInvocation,
    event: &[u8],
) -> Result<Bytes, Thrown> {
    let answer = function.invoke(service, invocation, event).await?;
    Ok(serde_json::to_vec(&answer).expect("shapes serialise").into())
}

struct Next {
    invocation: LambdaInvocation,
    event: Bytes,
}

/// The Runtime API.
struct RuntimeApi {
    client: Arc<Client>,
}

impl RuntimeApi {
    fn new(address: &str) -> Result<Self, HttpError> {
        Ok(Self { client: Arc::new(Client::new(&format!("http://{address}"))?) })
    }

    /// Waits for the next invocation.
    async fn next(&self) -> Result<Next, Reason> {
        let response = self.send(Method::GET, "invocation/next", Bytes::new()).await?;
        let header = |name: &str| text(response.headers(), name);
        let need = |name: &str| header(name).ok_or_else(|| Reason::Confused(format!("`{name}` is missing")));
        let deadline = need("lambda-runtime-deadline-ms")?.parse().unwrap_or(u64::MAX / 2);
        let invocation = LambdaInvocation {
            request_id: need("lambda-runtime-aws-request-id")?,
            deadline: deadline_of(deadline),
            trace_id: header("lambda-runtime-trace-id"),
            tenant_id: header("lambda-runtime-aws-tenant-id"),
            #[cfg(feature = "test")]
            witness: Arc::default(),
        };
        Ok(Next { invocation, event: response.into_body() })
    }

    /// Says that there will be no answer to any invocation.
    async fn init_error(&self, thrown: &Thrown) -> Result<(), Reason> {
        self.send(Method::POST, "init/error", error_body(thrown)).await.map(drop)
    }

    /// Gives the answer to an invocation.
    async fn answer(&self, request_id: &str, answer: Result<Bytes, Thrown>) -> Result<(), Reason> {
        let (kind, body) = match answer {
            Ok(body) => ("response", body),
            Err(thrown) => ("error", error_body(&thrown)),
        };
        // An answer that comes too late is refused; the next invocation is none of its business.
        self.send(Method::POST, &format!("invocation/{request_id}/{kind}"), body).await.map(drop)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Bytes>, Reason> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/2018-06-01/runtime/{path}"))
            .header("host", self.client.host())
            .body(Full::new(body))
            .map_err(|error| Reason::Confused(error.to_string()))?;
        Ok(self.client.send(request).await?)
    }
}

fn error_body(Thrown { error_type, message }: &Thrown) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ErrorShape<'a> {
        error_type: &'a str,
        error_message: &'a str,
        stack_trace: [&'a str; 0],
    }
    let shape = ErrorShape { error_type, error_message: message, stack_trace: [] };
    serde_json::to_vec(&shape).expect("shapes serialise").into()
}

pub(crate) fn deadline_of(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn handler(_: (), _: crate::Context) -> crate::Result<()> {
        Ok(())
    }

    /// Runs functions where Lambda is a listener, and returns the request that it gets.
    async fn told(function: Result<&Function, Reason>) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let lambda = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let both = async { tokio::join!(serve(&address, function), lambda) };
        let (ended, request) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("Lambda is told");
        (request, format!("{:?}", ended.unwrap_err()))
    }

    #[tokio::test]
    async fn lambda_is_told_why_there_is_nothing_to_run() {
        let functions = Functions::new().add("order", handler).add("refund", handler);
        let (request, ended) = told(functions.named("reorder")).await;
        assert!(request.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"), "{request}");
        let body: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let message =
            "no function `reorder` is in this binary; the function's Handler must be one of `order`, `refund`";
        let expected =
            serde_json::json!({"errorType": "Runtime.NoSuchHandler", "errorMessage": message, "stackTrace": []});
        assert_eq!(body, expected);
        assert_eq!(ended, message);
    }
}
