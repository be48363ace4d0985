//! Function URLs: how a function is reached by plain HTTP, and which URL is whose.
//!
//! A URL is kept with its function. The catalog also has a document by the URL's id, which says where to look; one
//! that leads to a function which does not know the id is as good as none.

use std::sync::Arc;

use everstep_api::function_url::Cors;
use everstep_api::reference::FunctionReference;
use everstep_core::id::{FunctionName, Place};
use everstep_store::{Catalog, Error as StoreError, Kind};
use serde::{Deserialize, Serialize};

use crate::functions::{Found, Functions, draw};
use crate::http::error::Error;
use crate::limits::URL_ID_CHARACTERS;

/// The qualifier of a URL that leads to no alias.
pub const LATEST: &str = "$LATEST";

/// A function URL of `$LATEST` or an alias. Source: Lambda API, `FunctionUrlConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrl {
    /// The first label of its host name, which nobody can guess.
    pub id: String,
    /// Who may use it.
    pub auth_type: AuthType,
    /// Whether responses are sent while they are written.
    pub invoke_mode: InvokeMode,
    /// Which other web sites may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// When it was created, in milliseconds since the epoch.
    pub created_millis: i64,
    /// When it was changed last, in milliseconds since the epoch.
    pub last_modified_millis: i64,
}

/// Who may use a function URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthType {
    /// Anyone, if the function's policy says so.
    #[serde(rename = "NONE")]
    None,
    /// Who signs with a key of this server.
    #[serde(rename = "AWS_IAM")]
    AwsIam,
}

impl AuthType {
    /// AWS's names.
    pub const NAMES: [(&str, Self); 2] = [("NONE", Self::None), ("AWS_IAM", Self::AwsIam)];
}

/// How a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvokeMode {
    /// Once it is whole.
    #[serde(rename = "BUFFERED")]
    Buffered,
    /// While it is written.
    #[serde(rename = "RESPONSE_STREAM")]
    ResponseStream,
}

impl InvokeMode {
    /// AWS's names.
    pub const NAMES: [(&str, Self); 2] = [("BUFFERED", Self::Buffered), ("RESPONSE_STREAM", Self::ResponseStream)];
}

/// Where the document of a URL's id leads.
#[derive(Serialize, Deserialize)]
struct Target {
    function: FunctionName,
    qualifier: String,
}

/// The function URLs of this server.
#[derive(Clone)]
pub struct FunctionUrls {
    catalog: Arc<dyn Catalog>,
    base: Base,
}

/// What all function URLs have in common: `http://` and `localhost:9000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    scheme: String,
    authority: String,
}

impl Base {
    /// Returns the base of a server that is reached as `localhost` only.
    pub fn local(port: u16, tls: bool) -> Self {
        Self { scheme: if tls { "https" } else { "http" }.into(), authority: format!("localhost:{port}") }
    }

    /// Reads a base such as `https://functions.example.com`.
    ///
    /// # Errors
    /// Says what it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.trim_end_matches('/').split_once("://");
        let parts = parts.filter(|(scheme, _)| ["http", "https"].contains(scheme));
        let (scheme, authority) = parts.filter(|(_, authority)| authority.parse::<http::uri::Authority>().is_ok()).ok_or_else(
            || format!("`{text}` is no base for function URLs: write a scheme and a domain, such as https://functions.example.com"),
        )?;
        Ok(Self { scheme: scheme.into(), authority: authority.into() })
    }
}

impl FunctionUrls {
    /// Opens the function URLs of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>, base: Base) -> Self {
        Self { catalog, base }
    }

    /// Writes the URL with this id.
    pub fn url(&self, id: &str, place: &Place) -> String {
        let Base { scheme, authority } = &self.base;
        format!("{scheme}://{id}.lambda-url.{}.{authority}/", place.region)
    }

    /// Returns `http` or `https`, by which its users reach the server.
    pub fn scheme(&self) -> &str {
        &self.base.scheme
    }

    /// Returns an id that nobody has or can guess, and notes where it leads.
    ///
    /// # Errors
    /// The store's.
    pub async fn reserve(&self, function: &FunctionName, qualifier: &str) -> Result<String, Error> {
        let target = Target { function: function.clone(), qualifier: qualifier.into() };
        let body = serde_json::to_string(&target).expect("names serialise");
        loop {
            let id = new_id();
            match self.catalog.put(Kind::FunctionUrl, &id, None, body.clone()).await {
                Ok(_) => return Ok(id),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Forgets where an id led.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, id: &str) -> Result<(), Error> {
        while let Some(document) = self.catalog.get(Kind::FunctionUrl, id).await? {
            match self.catalog.delete(Kind::FunctionUrl, id, document.revision).await {
                Ok(()) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Finds the function behind an id, and how its URL is configured.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(&self, functions: &Functions, id: &str) -> Result<Option<(Found, FunctionUrl)>, Error> {
        let Some(document) = self.catalog.get(Kind::FunctionUrl, id).await? else { return Ok(None) };
        let Ok(Target { function, qualifier }) = serde_json::from_str(&document.body) else {
            return Err(Error::service(format!("The document of the function URL {id} cannot be read.")));
        };
        let alias = Some(qualifier.clone()).filter(|qualifier| qualifier != LATEST);
        let reference = FunctionReference { region: None, account: None, function, qualifier: alias };
        let found = match functions.find(&reference).await {
            Ok(found) => found.drawn(draw()),
            Err(error) if error.status == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        let url = found.function.urls.get(&qualifier).filter(|url| url.id == id).cloned();
        Ok(url.map(|url| (found, url)))
    }
}

/// Returns the id in the host name of a function URL; whatever the domain is, the first two labels tell.
pub fn id_of(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let is_id =
        id.len() == URL_ID_CHARACTERS && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (is_id && rest.starts_with("lambda-url.")).then_some(id)
}

fn new_id() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = [0; URL_ID_CHARACTERS];
    getrandom::fill(&mut random).expect("the system has randomness");
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 36)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_of_function_urls_are_told_from_others() {
        let id = new_id();
        assert_eq!(id_of(&format!("{id}.lambda-url.us-east-1.localhost:9000")), Some(id.as_str()));
        assert_eq!(id_of(&format!("{id}.lambda-url.eu-west-1.functions.example.com")), Some(id.as_str()));
        for host in
            ["127.0.0.1:9000", "localhost", &format!("{id}.example.com"), &format!("{}.lambda-url.r.l", &id[1..])]
        {
            assert_eq!(id_of(host), None, "{host}");
        }
    }

    #[test]
    fn bases_are_read_or_refused() {
        let local = Base { scheme: "http".into(), authority: "localhost:9000".into() };
        assert_eq!(Base::parse("http://localhost:9000/"), Ok(local.clone()));
        assert_eq!(Base::local(9000, false), local);
        for text in ["", "localhost", "ftp://x", "https://", "https://a b"] {
            assert!(Base::parse(text).unwrap_err().contains("such as https://functions.example.com"), "{text}");
        }
    }
}
