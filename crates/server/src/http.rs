//! The HTTP edge: read a request, know its sender, find its operation, answer in AWS's terms.

pub mod authorize;
mod cloud_control;
mod cloudformation;
pub mod ecr;
pub mod error;
mod event_stream;
mod everstep;
pub mod forward;
mod function_url;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod logs;
mod marker;
pub mod on_behalf;
mod operation;
mod query;
pub mod request;
pub mod s3;
pub mod sam_local;
pub mod service;
pub mod sigv4;
pub mod ssm;
mod sts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::ConnectInfo;
use axum::response::IntoResponse;
use bytes::Bytes;
use everstep_core::id::RequestId;
use everstep_engine::{Engine, ToTheEnd, new_request_id};
use everstep_store::Logs;
use everstep_store::sqlite::Sqlite;
use everstep_worker::code;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::watch;
use tracing::debug;

use crate::access::{Found, Keys, NotOpened, Principal};
use crate::clock::KeptClock;
use crate::concurrency::Concurrency;
use crate::downloads::{self, Downloads};
use crate::encryption_keys::EncryptionKeys;
use crate::forward::Forwards;
use crate::function_urls::FunctionUrls;
use crate::functions::Functions;
use crate::identities::Identities;
use crate::layers::Layers;
use crate::limits::BODY_BYTES_MAX;
use crate::listen::Peer;
use crate::log_groups::LogGroups;
use crate::log_sink::StoreSink;
use crate::objects::Objects;
use crate::parameters::Parameters;
use crate::repositories::Repositories;
use crate::runner::Runner;
use crate::stacks::Stacks;
use error::Error;
use request::{Request, Response};
pub use s3::Service as S3;
pub use service::HOSTED;
use service::{Asked, Operation, Protocol};
use sigv4::{Authorization, Payload};

/// What operations work with.
pub struct Services {
    /// Moves executions.
    pub engine: Arc<Engine>,
    /// Moves those of `sam local`, which go by the same clock.
    pub sam_local: Option<Arc<Engine>>,
    /// The functions.
    pub functions: Functions,
    /// How functions are reached by plain HTTP.
    pub function_urls: FunctionUrls,
    /// What functions have reserved.
    pub concurrency: Concurrency,
    /// The layers.
    pub layers: Layers,
    /// The stacks.
    pub stacks: Stacks,
    /// Where code can be fetched.
    pub downloads: Downloads,
    /// The services that are not spoken here but passed on.
    pub forwards: Forwards,
    /// Runs functions.
    pub runner: Arc<Runner>,
    /// The code of functions.
    pub code: Arc<code::Store>,
    /// Buckets and what is in them.
    pub objects: Arc<Objects>,
    /// Amazon S3's protocol over these.
    pub s3: s3::Service,
    /// What functions print.
    pub logs: Arc<dyn Logs>,
    /// What is on its way there.
    pub log_sink: Arc<StoreSink>,
    /// The groups of it.
    pub log_groups: Arc<LogGroups>,
    /// The keys that sign requests.
    pub keys: Arc<Keys>,
    /// The roles and users, and what they may do.
    pub identities: Arc<Identities>,
    /// The parameters.
    pub parameters: Parameters,
    /// The repositories of images.
    pub repositories: Repositories,
    /// The keys of KMS.
    pub encryption_keys: EncryptionKeys,
    /// Whether requests come by TLS.
    pub is_secure: bool,
    /// Durable time, which may be moved.
    pub clock: KeptClock,
    /// The store itself, for copies of it.
    pub store: Arc<Sqlite>,
    /// Where everything is kept.
    pub data: PathBuf,
}

impl Services {
    /// Writes the operator's oldest key where the command line looks for it.
    pub fn write_credentials(&self) -> anyhow::Result<()> {
        crate::write_credentials(&self.data, &self.keys.operator())
    }

    /// Returns the error for somebody who asks for what no policy can give them.
    fn denied(&self, principal: &Principal, action: &str, resource: &str) -> Error {
        let who = self.identities.principal_arn(principal);
        Error::access_denied(format!("User: {who} is not authorized to perform: {action} on resource: {resource}"))
    }
}

/// Makes the router that serves every request, until those under way are cut off.
pub fn router(services: Arc<Services>, cut_off: watch::Receiver<bool>) -> axum::Router {
    axum::Router::new().fallback(move |request: axum::extract::Request| {
        let (services, mut cut_off) = (Arc::clone(&services), cut_off.clone());
        async move {
            let expects = Expects::of(&request);
            let mut response = tokio::select! {
                biased;
                response = serve(&services, request) => response,
                _ = cut_off.wait_for(|is_cut_off| *is_cut_off) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            };
            if expects.is_last_of_connection(response.status()) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    })
}

/// Whether a request waits for a `100 Continue` before it sends its body.
enum Expects {
    Nothing,
    /// It has no body to go on with, so hyper does not send it. AWS CLI (1.46) takes the answer for it, and then
    /// misreads the next one on the same connection.
    WithoutBody,
    /// Who is refused sends no body, and hyper may take the start of the next request for it.
    WithBody,
}

impl Expects {
    fn of(request: &axum::extract::Request) -> Self {
        match (request.headers().contains_key(EXPECT), request.body().is_end_stream()) {
            (false, _) => Self::Nothing,
            (true, true) => Self::WithoutBody,
            (true, false) => Self::WithBody,
        }
    }

    fn is_last_of_connection(&self, answer: StatusCode) -> bool {
        match self {
            Self::Nothing => false,
            Self::WithoutBody => true,
            Self::WithBody => !answer.is_success(),
        }
    }
}

/// Answers a request. The `Date` header, by which clients with a wrong clock correct themselves, is hyper's.
async fn serve(services: &Arc<Services>, request: axum::extract::Request) -> axum::response::Response {
    let id = new_request_id();
    let request_id = id.to_string();
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| *peer);
    let inside = peer.is_some_and(|peer| peer.inside);
    if !inside && let Some(url) = function_url::addressed(&parts.headers) {
        // On the heap by itself, so that no other request carries it around.
        let mut response = Box::pin(function_url::serve(services, url, &parts, body, id)).await;
        response.headers_mut().insert("x-amzn-requestid", request_id.parse().expect("a UUID is a header value"));
        return response;
    }
    let protocol = Protocol::of(&parts.headers);
    if let Some(forward) = forward::addressed(services, &parts) {
        return match Box::pin(forward::serve(services, forward, inside, &parts, body)).await {
            Ok(response) => response,
            Err(error) => {
                debug!(request.id = request_id, forward.service = forward.name, %error, "not passed on");
                respond(protocol.error(&error, &request_id), protocol, request_id)
            }
        };
    }
    if s3::addressed(&parts) {
        return Box::pin(services.s3.serve(parts, body, id, peer.as_ref())).await;
    }
    let answer = match handle(services, id, peer.as_ref(), &parts.method, &parts.uri, parts.headers, body).await {
        Ok(response) => response,
        Err(error) => {
            debug!(request.id = request_id, method = %parts.method, path = parts.uri.path(), %error, "refused");
            let response = protocol.error(&error, &request_id);
            if error.status == 429 { response.with_header("retry-after", "1") } else { response }
        }
    };
    respond(answer, protocol, request_id)
}

/// Writes what every answer has.
fn respond(answer: Response, protocol: Protocol, request_id: String) -> axum::response::Response {
    let mut builder = http::Response::builder().status(answer.status).header("x-amzn-requestid", request_id);
    if !answer.headers.iter().any(|(name, _)| *name == "content-type") {
        builder = builder.header("content-type", protocol.content_type());
    }
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    builder.body(answer.body).expect("headers are written by hand or checked")
}

async fn handle(
    services: &Arc<Services>,
    id: RequestId,
    peer: Option<&Peer>,
    method: &Method,
    uri: &Uri,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Error> {
    let query = request::parse_query(uri.query().unwrap_or_default());
    if let Some(digest) = services.downloads.find(uri.path(), &query, SystemTime::now())? {
        return downloads::fetch(&services.code, digest).await;
    }
    let authorization = Authorization::read(&headers, &query)?;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let asked = Asked::find(authorization.service, method.as_str(), uri.path(), target)?;
    // A stranger's body is not read, and a function process has nothing large to send but payloads. The key
    // is looked up once more when the body is there: it may be void by then.
    let bytes_max = match find_key(services, &authorization)?.principal {
        Principal::Operator | Principal::User { .. } | Principal::Session(_) => asked.body_bytes_max(),
        Principal::Process { .. } => asked.body_bytes_max().min(BODY_BYTES_MAX),
    };
    let body = read_body(body, bytes_max).await?;
    let principal = authenticate(services, &authorization, method, uri, &headers, Payload::Whole(&body))?;
    if peer.is_some_and(|peer| peer.inside) {
        check_is_process(&principal)?;
    }
    let (operation, parameters) = asked.operation(&body)?;
    let request = Request {
        id,
        operation: operation.name(),
        parameters,
        principal,
        on_behalf: false,
        source_ip: peer.map(|peer| peer.address.ip().to_canonical()),
        query,
        headers,
        body,
    };
    if operation.is_for_its_sender() {
        return perform(services, operation, &request).await;
    }
    // A sender who goes away half-way leaves nothing half-done.
    let services = Arc::clone(services);
    ToTheEnd::new(async move { perform(&services, operation, &request).await }).await
}

/// Carries out an operation, if its sender may ask for it.
async fn perform(services: &Services, operation: Operation, request: &Request) -> Result<Response, Error> {
    authorize::authorize(services, operation, request).await?;
    match operation {
        Operation::CloudControl(operation) => cloud_control::serve(services, operation, request).await,
        Operation::Cloudformation(operation) => cloudformation::serve(services, operation, request).await,
        Operation::Lambda(operation) => lambda::serve(services, operation, request).await,
        Operation::Logs(operation) => logs::serve(services, operation, request).await,
        Operation::Sts(operation) => sts::serve(services, operation, request).await,
        Operation::Iam(operation) => iam::serve(services, operation, request).await,
        Operation::Ssm(operation) => ssm::serve(services, operation, request).await,
        Operation::Ecr(operation) => ecr::serve(services, operation, request).await,
        Operation::Kms(operation) => kms::serve(services, operation, request).await,
        Operation::Everstep(operation) => everstep::serve(services, operation, request).await,
    }
}

async fn read_body(body: axum::body::Body, bytes_max: u64) -> Result<Bytes, Error> {
    let limit = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::too_large(bytes_max)),
        Err(error) => Err(Error::serialization(format!("The body could not be read: {error}"))),
    }
}

fn authenticate(
    services: &Services,
    authorization: &Authorization<'_>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    payload: Payload<'_>,
) -> Result<Principal, Error> {
    let Found { principal, secret } = find_key(services, authorization)?;
    let uri = uri.path_and_query().map_or("/", |path| path.as_str());
    authorization.verify(&secret, method.as_str(), uri, headers, payload, SystemTime::now())?;
    Ok(principal)
}

fn find_key(services: &Services, authorization: &Authorization<'_>) -> Result<Found, Error> {
    let found = services.keys.find(authorization.access_key_id, authorization.session_token, SystemTime::now());
    found.map_err(|error| match error {
        NotOpened::Unknown => Error::unrecognized_client(),
        NotOpened::Expired => Error::expired_token(),
    })
}

/// Checks that it is not the operator who asks, where function processes do.
fn check_is_process(principal: &Principal) -> Result<(), Error> {
    match principal {
        // A function may have keys of another role or of a user.
        Principal::Process { .. } | Principal::User { .. } | Principal::Session(_) => Ok(()),
        Principal::Operator => Err(Error::access_denied(
            "This address is for function processes: use one that the server says it listens on.",
        )),
    }
}
