//! Where code can be fetched without a signature, for a while: what `Location` of code and layers leads to.
//!
//! The address carries when it ends, and a MAC over that and the package under a key of this start of the server. So
//! nobody can guess one, and a restart ends them all.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use everstep_worker::code;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::http::error::Error;
use crate::http::request::{Request, Response};
use crate::limits::CODE_LOCATION_SECONDS;

/// Where packages are, in paths. No path of AWS's begins like that.
const PATH: &str = "/_everstep/code/";

/// Makes and checks addresses.
pub struct Downloads {
    key: [u8; 32],
    scheme: &'static str,
}

impl Downloads {
    /// Returns one with a key of its own, for a server that speaks TLS or does not.
    pub fn new(tls: bool) -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the system has randomness");
        Self { key, scheme: if tls { "https" } else { "http" } }
    }

    /// Returns where whoever sent `request` can fetch a package.
    pub fn location(&self, request: &Request, digest: &str) -> String {
        let ends = seconds(SystemTime::now() + Duration::from_secs(CODE_LOCATION_SECONDS));
        let host = request.header("host").unwrap_or("localhost");
        let token = self.mac(digest, ends).finalize().into_bytes();
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}://{host}{PATH}{digest}?ends={ends}&token={token}", self.scheme)
    }

    /// Returns the package that a path names, if it is one of these paths, and the query gives the right to fetch it.
    ///
    /// # Errors
    /// `AccessDeniedException` if it does not.
    pub fn find<'p>(
        &self,
        path: &'p str,
        query: &[(String, String)],
        now: SystemTime,
    ) -> Result<Option<&'p str>, Error> {
        let Some(digest) = path.strip_prefix(PATH) else { return Ok(None) };
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let ends = value("ends").and_then(|ends| ends.parse::<u64>().ok()).unwrap_or_default();
        let token = value("token").and_then(from_hex).unwrap_or_default();
        let genuine = self.mac(digest, ends).verify_slice(&token).is_ok();
        if genuine && seconds(now) <= ends {
            return Ok(Some(digest));
        }
        Err(Error::access_denied("This address is not good any more: ask for the location of the code again."))
    }

    fn mac(&self, digest: &str, ends: u64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("{ends}/{digest}").as_bytes());
        mac
    }
}

/// Answers with a package.
///
/// # Errors
/// `ResourceNotFoundException` if it is not there.
pub async fn fetch(code: &std::sync::Arc<code::Store>, digest: &str) -> Result<Response, Error> {
    let (code, name) = (std::sync::Arc::clone(code), digest.to_string());
    match tokio::task::spawn_blocking(move || code.zip(&name)).await.expect("reading does not panic") {
        Ok(Some(zip)) => {
            let response = Response { body: zip.into(), ..Response::empty(200) };
            Ok(response.with_header("content-type", "application/zip"))
        }
        Ok(None) => Err(Error::not_found("The resource you requested does not exist.")),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "code could not be read");
            Err(Error::service("The code could not be read; the server's log says why."))
        }
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_good_for_their_package_and_time() {
        let downloads = Downloads::new(false);
        let token = |digest: &str, ends: u64| {
            let bytes = downloads.mac(digest, ends).finalize().into_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let check = |path: &str, ends: &str, token: &str, now: u64, expected: Option<Option<&str>>| {
            let query = [("ends".to_string(), ends.to_string()), ("token".to_string(), token.to_string())];
            let found = downloads.find(path, &query, UNIX_EPOCH + Duration::from_secs(now));
            assert_eq!(found.ok(), expected, "{path} {ends} {token} {now}");
        };
        let good = token("d", 600);
        check("/_everstep/code/d", "600", &good, 600, Some(Some("d")));
        check("/_everstep/code/d", "600", &good, 601, None);
        check("/_everstep/code/d", "601", &good, 600, None);
        check("/_everstep/code/e", "600", &good, 600, None);
        for bad in ["", "0", "zz", "ü", &good[2..], &Downloads::new(false).location_token("d", 600)] {
            check("/_everstep/code/d", "600", bad, 600, None);
        }
        check("/2015-03-31/functions", "", "", 600, Some(None));
    }

    impl Downloads {
        fn location_token(&self, digest: &str, ends: u64) -> String {
            self.mac(digest, ends).finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        }
    }
}
