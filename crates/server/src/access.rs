//! Who may do what: the keys that sign requests.
//!
//! The operator's key is made by the first start and kept in the catalog. Every function process gets a key of its
//! own, which lives as long as the process and may only checkpoint the execution that the process runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everstep_core::id::ExecutionId;
use everstep_store::{Catalog, Error as StoreError, Kind};
use everstep_worker::{CredentialSource, Credentials, Function};
use serde::{Deserialize, Serialize};

/// A key that signs requests: its id and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The id, which travels with each request.
    pub access_key_id: String,
    /// The secret, which never does.
    pub secret_access_key: String,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The operator, who may do everything.
    Operator,
    /// A function process.
    Process {
        /// The function.
        function: String,
        /// The execution that it was given last.
        execution: Option<ExecutionId>,
    },
}

/// The keys that are good now.
pub struct Keys {
    operator: AccessKey,
    processes: Mutex<HashMap<String, ProcessKey>>,
}

struct ProcessKey {
    secret_access_key: String,
    session_token: String,
    function: String,
    execution: Option<ExecutionId>,
}

impl Keys {
    /// Reads the operator's key, or makes one in a new store.
    ///
    /// # Errors
    /// The store's, also if it holds a key that cannot be read.
    pub async fn open(catalog: &dyn Catalog) -> Result<Self, StoreError> {
        let operator = loop {
            if let Some((id, document)) = catalog.list(Kind::AccessKey, None, 1).await?.into_iter().next() {
                break serde_json::from_str(&document.body).map_err(|error| StoreError::Failed {
                    context: format!("access key {id} in the store cannot be read: restore it from a backup"),
                    source: Some(error.into()),
                })?;
            }
            let key = AccessKey { access_key_id: new_access_key_id("AKIA"), secret_access_key: new_secret() };
            let body = serde_json::to_string(&key).expect("strings serialise");
            match catalog.put(Kind::AccessKey, &key.access_key_id, None, body).await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        };
        Ok(Self { operator, processes: Mutex::default() })
    }

    /// Returns the operator's key.
    pub fn operator(&self) -> &AccessKey {
        &self.operator
    }

    /// Returns whose key this is, with its secret and the session token that must come with it.
    pub fn find(&self, access_key_id: &str) -> Option<(Principal, String, Option<String>)> {
        if access_key_id == self.operator.access_key_id {
            return Some((Principal::Operator, self.operator.secret_access_key.clone(), None));
        }
        self.with(|processes| {
            let key = processes.get(access_key_id)?;
            let principal = Principal::Process { function: key.function.clone(), execution: key.execution };
            Some((principal, key.secret_access_key.clone(), Some(key.session_token.clone())))
        })
    }

    /// Notes that a process was given an execution.
    pub fn bind(&self, access_key_id: &str, execution: ExecutionId) {
        self.with(|processes| {
            if let Some(key) = processes.get_mut(access_key_id) {
                key.execution = Some(execution);
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<String, ProcessKey>) -> T) -> T {
        change(&mut self.processes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CredentialSource for Keys {
    fn issue(&self, function: &Function) -> Credentials {
        let credentials = Credentials {
            access_key_id: new_access_key_id("ASIA"),
            secret_access_key: new_secret(),
            session_token: new_secret(),
        };
        let key = ProcessKey {
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: credentials.session_token.clone(),
            function: function.name.clone(),
            execution: None,
        };
        self.with(|processes| processes.insert(credentials.access_key_id.clone(), key));
        credentials
    }

    fn revoke(&self, access_key_id: &str) {
        self.with(|processes| processes.remove(access_key_id));
    }
}

fn new_access_key_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = random_bytes::<16>();
    let letters = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    prefix.chars().chain(letters).collect()
}

fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<30>())
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[tokio::test]
    async fn key_that_cannot_be_read_is_an_error_and_stays() {
        let catalog = Memory::new();
        catalog.put(Kind::AccessKey, "AKIA", None, "{".into()).await.unwrap();
        assert!(Keys::open(&catalog).await.err().unwrap().to_string().contains("access key AKIA"));
        assert_eq!(catalog.list(Kind::AccessKey, None, 9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn key_is_made_once() {
        let catalog = Memory::new();
        let first = Keys::open(&catalog).await.unwrap().operator().clone();
        assert!(Keys::open(&catalog).await.unwrap().operator() == &first);
    }
}
