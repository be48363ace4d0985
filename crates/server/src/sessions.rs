//! Keys of sessions: good for a while, and kept nowhere.
//!
//! A session token says who its holder is and until when, under a MAC of this store; the secret is made from it by the same
//! key. So sessions survive a restart, cost no room, and nobody but this server can make one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everstep_store::{Catalog, Error as StoreError, Kind};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::access::{Principal, new_id, random_bytes};
use crate::identities::Document;

/// A role that somebody assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The role's name.
    pub role: String,
    /// The role's id: a later role of that name is another one.
    pub role_id: String,
    /// The session's name.
    pub name: String,
    /// Policies that limit what the role gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Document>,
    /// ARNs of policies that do the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// Tags of the session.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Session {
    /// Tells whether policies were passed that limit it.
    pub fn is_limited(&self) -> bool {
        !self.policies.is_empty() || !self.policy_arns.is_empty()
    }
}

/// A key of a session, as its holder gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// The id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What must come with every request.
    pub session_token: String,
}

/// Who holds a key of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose it is.
    pub principal: Principal,
    /// The secret.
    pub secret: String,
    /// The key that it was made for, and with which it ends.
    pub lent_by: Option<String>,
}

/// Why a key is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// It is nobody's.
    Unknown,
    /// It was good once.
    Expired,
}

/// Makes and opens session tokens.
pub struct Sessions {
    key: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Claims {
    access_key_id: String,
    expires_at_seconds: u64,
    principal: Principal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lent_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    key: String,
}

impl Sessions {
    /// Reads the key of this store, or makes it.
    ///
    /// # Errors
    /// The store's, also if the key cannot be read.
    pub async fn open(catalog: &dyn Catalog) -> Result<Self, StoreError> {
        const NAME: &str = "1";
        let Some(document) = catalog.get(Kind::SessionKey, NAME).await? else {
            let key = random_bytes::<32>();
            let body = serde_json::to_string(&StoredKey { key: URL_SAFE_NO_PAD.encode(key) });
            catalog.put(Kind::SessionKey, NAME, None, body.expect("strings serialise")).await?;
            return Ok(Self { key });
        };
        let read = serde_json::from_str::<StoredKey>(&document.body).ok();
        let key = read.and_then(|stored| URL_SAFE_NO_PAD.decode(stored.key).ok()?.try_into().ok());
        key.map(|key| Self { key }).ok_or_else(|| StoreError::Failed {
            context: "the key of sessions in the store cannot be read: restore it from a backup".into(),
            source: None,
        })
    }

    /// Makes a key for somebody, good until then, or as long as the key that it is lent by.
    pub fn make(&self, principal: Principal, lent_by: Option<String>, expires_at: SystemTime) -> SessionKey {
        let access_key_id = new_id("ASIA");
        let expires_at_seconds = seconds(expires_at);
        let claims = Claims { access_key_id: access_key_id.clone(), expires_at_seconds, principal, lent_by };
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims).expect("claims serialise"));
        let mac = URL_SAFE_NO_PAD.encode(self.mac("token", &claims).finalize().into_bytes());
        let secret_access_key = self.secret(&claims);
        SessionKey { access_key_id, secret_access_key, session_token: format!("{claims}.{mac}") }
    }

    /// Tells whose token this is.
    ///
    /// # Errors
    /// [`NotOpened`] if it was not made here for that key, or is not good any more.
    pub fn open_token(&self, access_key_id: &str, token: &str, now: SystemTime) -> Result<Opened, NotOpened> {
        let (claims, mac) = token.split_once('.').ok_or(NotOpened::Unknown)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| NotOpened::Unknown)?;
        self.mac("token", claims).verify_slice(&mac).map_err(|_| NotOpened::Unknown)?;
        let secret = self.secret(claims);
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| NotOpened::Unknown)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| NotOpened::Unknown)?;
        if claims.access_key_id != access_key_id {
            return Err(NotOpened::Unknown);
        }
        if claims.expires_at_seconds <= seconds(now) {
            return Err(NotOpened::Expired);
        }
        Ok(Opened { principal: claims.principal, secret, lent_by: claims.lent_by })
    }

    fn secret(&self, claims: &str) -> String {
        URL_SAFE_NO_PAD.encode(&self.mac("secret", claims).finalize().into_bytes()[..30])
    }

    fn mac(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length is a key");
        mac.update(purpose.as_bytes());
        mac.update(b":");
        mac.update(text.as_bytes());
        mac
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Makes the principal of a session.
pub fn principal(session: Session) -> Principal {
    Principal::Session(Arc::new(session))
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    fn session() -> Principal {
        let policy =
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#;
        principal(Session {
            role: "r".into(),
            role_id: "AROA".into(),
            name: "s".into(),
            policies: vec![policy.to_string().try_into().unwrap()],
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
        })
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn tokens_are_good_until_they_expire_also_after_a_restart() {
        let catalog = Memory::new();
        let sessions = Sessions::open(&catalog).await.unwrap();
        let made = sessions.make(session(), Some("AKIA".into()), at(100));
        for sessions in [sessions, Sessions::open(&catalog).await.unwrap()] {
            let open = |at| sessions.open_token(&made.access_key_id, &made.session_token, at);
            let opened = open(at(99)).unwrap();
            assert_eq!((opened.principal, opened.lent_by), (session(), Some("AKIA".into())));
            assert_eq!(opened.secret, made.secret_access_key);
            assert_eq!(open(at(100)), Err(NotOpened::Expired));
        }
    }

    #[tokio::test]
    async fn tokens_of_others_and_tokens_that_were_changed_are_not_opened() {
        let sessions = Sessions::open(&Memory::new()).await.unwrap();
        let made = sessions.make(session(), None, at(100));
        let check = |sessions: &Sessions, id: &str, token: &str| {
            assert_eq!(sessions.open_token(id, token, at(0)), Err(NotOpened::Unknown), "{token}");
        };
        let (id, token) = (&*made.access_key_id, &*made.session_token);
        check(&sessions, "ASIAOTHER", token);
        check(&Sessions::open(&Memory::new()).await.unwrap(), id, token);
        let (claims, mac) = token.split_once('.').unwrap();
        for token in ["", ".", claims, &format!("{claims}."), &format!("{claims}a.{mac}"), &format!("{claims}.{mac}a")]
        {
            check(&sessions, id, token);
        }
    }

    #[tokio::test]
    async fn key_that_cannot_be_read_is_an_error() {
        let catalog = Memory::new();
        catalog.put(Kind::SessionKey, "1", None, "{}".into()).await.unwrap();
        assert!(Sessions::open(&catalog).await.err().unwrap().to_string().contains("key of sessions"));
    }
}
