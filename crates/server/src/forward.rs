//! Services that are not spoken here but passed on to a real one: which, where it is, and whose key signs.
//!
//! [`Forwards::open`] reads what the operator wrote. [`Forward::send`] passes one request on. Who may ask for what is
//! not decided here, see `http::forward`.

mod client;
mod credentials;
mod service;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http::sigv4::hex;
use crate::limits::{FORWARD_ANSWER_BYTES_MAX, FORWARD_HELD_BYTES_MAX};

use client::{Client, Destination};
pub use client::{Outgoing, Unreachable};
use credentials::Source;
pub use service::endpoint_variable;

/// What a configuration file says of a service that is passed on: a table `[forward.<service>]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the real service is.
    pub endpoint: String,
    /// The profile whose key signs; if not set, the key in the server's environment, or the profile that it names.
    pub profile: Option<String>,
    /// The Region that is signed for; if not set, that of the profile, or Everstep's own.
    pub region: Option<String>,
    /// The file of the profile; if not set, those that AWS's command line reads.
    pub credentials_file: Option<PathBuf>,
}

/// The services that are passed on.
pub struct Forwards {
    /// By the names that their requests are signed for.
    services: BTreeMap<String, Forward>,
    /// For bodies that are held to be passed on: a permit for each KiB.
    room: Semaphore,
}

/// A service that is passed on.
pub struct Forward {
    /// Its name, as AWS's command line calls it.
    pub name: String,
    signing_name: String,
    destination: Destination,
    source: Source,
    region: String,
    client: Arc<Client>,
}

impl Forwards {
    /// Makes ready what the operator wrote. `hosted` are the names of the services that are spoken here.
    ///
    /// # Errors
    /// If something of it cannot be: an endpoint that is no URL, a service that is hosted here, a profile without a key.
    pub fn open(settings: &BTreeMap<String, Settings>, hosted: &[&str], region: &str) -> anyhow::Result<Self> {
        let mut services: BTreeMap<String, Forward> = BTreeMap::new();
        let secure = settings.values().any(|settings| settings.endpoint.starts_with("https:"));
        let client = Arc::new(Client::new(secure)?);
        for (name, settings) in settings {
            let signing_name = service::signing_name(name);
            ensure!(
                signing_name == S3 || !hosted.contains(&signing_name),
                "[forward.{name}]: Everstep serves `{name}` itself, so it cannot be forwarded; take the table out"
            );
            if let Some(other) = services.get(signing_name) {
                bail!(
                    "[forward.{name}]: its requests are signed for `{signing_name}` as those of `{}` are, and cannot be told apart; keep one of the two",
                    other.name
                );
            }
            let forward = Forward::open(name, settings, region, Arc::clone(&client));
            services.insert(signing_name.into(), forward.with_context(|| format!("[forward.{name}]"))?);
        }
        let room = Semaphore::new(kib(FORWARD_HELD_BYTES_MAX) as usize);
        Ok(Self { services, room })
    }

    /// Returns the service that requests are signed for by this name, if it is passed on.
    pub fn find(&self, signing_name: &str) -> Option<&Forward> {
        self.services.get(signing_name)
    }

    /// Tells whether nothing is passed on.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Waits until so many bytes of a body may be held.
    pub async fn room_for(&self, bytes: u64) -> SemaphorePermit<'_> {
        self.room.acquire_many(kib(bytes)).await.expect("the room is never closed")
    }

    /// Returns the names of the services, as AWS's command line calls them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.values().map(|forward| forward.name.as_str())
    }
}

/// The one service that is spoken here and may be passed on as well: functions then reach the real one, while
/// operators reach Everstep's own, where deployments keep their artifacts.
pub const S3: &str = "s3";

/// Returns how many KiB bytes are, rounded up.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1_024)).unwrap_or(u32::MAX)
}

impl Forward {
    fn open(name: &str, settings: &Settings, region: &str, client: Arc<Client>) -> anyhow::Result<Self> {
        let Settings { endpoint, profile, region: own_region, credentials_file } = settings;
        let uri: Uri = endpoint.parse().with_context(|| format!("`{endpoint}` is no URL"))?;
        let destination = Destination::new(&uri)
            .with_context(|| format!("`{endpoint}` is no URL of a service: it must be like http://127.0.0.1:8000"))?;
        let source = Source::new(profile.as_deref(), credentials_file.as_deref());
        let found = source.read()?;
        let region = own_region.clone().or(found.region).unwrap_or_else(|| region.into());
        let (name, signing_name) = (name.into(), service::signing_name(name).into());
        Ok(Self { name, signing_name, destination, source, region, client })
    }

    /// Signs a request with the operator's key and sends it. What is answered is told as it comes.
    ///
    /// # Errors
    /// If the service does not answer, or the operator's key cannot be read.
    pub async fn send(&self, request: Outgoing) -> Result<http::Response<Body>, Unreachable> {
        // Read each time: keys that expire are replaced by whoever made them.
        let key = self.source.read().map_err(Unreachable::Key)?.key;
        self.client.send(&self.destination, &self.signing_name, &self.region, key, request).await
    }

    /// Asks for an operation of a service that speaks AWS's JSON protocol, for Everstep itself.
    ///
    /// # Errors
    /// What the service says against it, or that there is no answer.
    pub async fn ask(&self, target: &str, body: &Value) -> Result<Value, NotDone> {
        let body = body.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.insert("x-amz-target", target.parse().expect("names of operations are header values"));
        let request = Outgoing {
            method: Method::POST,
            path_and_query: "/".into(),
            headers,
            payload_hash: hex(&Sha256::digest(&body)),
            body: body.into(),
        };
        let answer = self.send(request).await.map_err(NotDone::Unreachable)?;
        let status = answer.status();
        let read = Limited::new(answer.into_body(), FORWARD_ANSWER_BYTES_MAX).collect().await;
        let document: Value = match read {
            Ok(body) => serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
            Err(error) => return Err(NotDone::Unreachable(Unreachable::BrokenOff(error))),
        };
        if status.is_success() {
            return Ok(document);
        }
        let text = |names: [&str; 2]| names.iter().find_map(|name| document[*name].as_str()).unwrap_or_default();
        let code = text(["__type", "code"]).rsplit('#').next().unwrap_or_default().to_string();
        Err(NotDone::Refused { code, message: text(["message", "Message"]).into(), status: status.as_u16() })
    }
}

/// Why the service did not do what it was asked for.
#[derive(Debug)]
pub enum NotDone {
    /// It said no.
    Refused {
        /// The name of its exception.
        code: String,
        /// What is wrong.
        message: String,
        /// The status.
        status: u16,
    },
    /// It could not be asked.
    Unreachable(Unreachable),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], &str>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys");
        std::fs::write(&file, "[default]\naws_access_key_id = AK\naws_secret_access_key = secret\n").unwrap();
        let text = text.replace("KEYS", &format!("credentials_file = {:?}", file.display().to_string()));
        let settings: BTreeMap<String, Settings> = toml::from_str(&text).unwrap();
        let opened = Forwards::open(&settings, &["lambda", "logs", "s3"], "us-east-1");
        match (opened, expected) {
            (Ok(forwards), Ok(names)) => assert_eq!(forwards.names().collect::<Vec<_>>(), names, "{text}"),
            (Err(error), Err(message)) => assert!(format!("{error:#}").contains(message), "{error:#}"),
            (Ok(_), Err(message)) => panic!("{text} is taken, not: {message}"),
            (Err(error), Ok(_)) => panic!("{error:#}"),
        }
    }

    #[test]
    fn services_are_passed_on_unless_they_cannot_be() {
        check("", Ok(&[]));
        check("[dynamodb]\nendpoint = 'http://127.0.0.1:8000'\nKEYS", Ok(&["dynamodb"]));
        check("[bedrock-runtime]\nendpoint = 'https://example.com/prefix'\nKEYS", Ok(&["bedrock-runtime"]));
        check("[s3]\nendpoint = 'http://localhost'\nKEYS", Ok(&["s3"]));
        check("[lambda]\nendpoint = 'http://a'\nKEYS", Err("[forward.lambda]: Everstep serves `lambda` itself"));
        check(
            "[bedrock]\nendpoint = 'http://a'\nKEYS\n[bedrock-runtime]\nendpoint = 'http://b'\nKEYS",
            Err("[forward.bedrock-runtime]: its requests are signed for `bedrock` as those of `bedrock` are"),
        );
        for endpoint in ["", "localhost:8000", "/path", "ftp://a", "http://a/?b=c"] {
            check(&format!("[sqs]\nendpoint = '{endpoint}'\nKEYS"), Err("[forward.sqs]: "));
        }
        check("[sqs]\nendpoint = 'http://a'\nprofile = 'missing'\nKEYS", Err("there is no profile `missing`"));
    }
}
