//! Who signs requests: the keys of the operator, of users, of sessions and of function processes.
//!
//! The operator's first key is made by the first start; keys are kept in the catalog, and several may be good. Every function process gets a key of its
//! own, which lives as long as the process. Keys of sessions are not kept at all: see `sessions`. What somebody may do is decided by `identities`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use everstep_core::id::ExecutionId;
use everstep_iam::Caller;
use everstep_store::{Catalog, Error as StoreError, Kind, Revision};
use everstep_worker::{CredentialSource, Credentials, Function};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::documents::Documents;
use crate::sessions::Sessions;
pub use crate::sessions::{NotOpened, Session};

/// A key that signs requests: its id and its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The id, which travels with each request.
    pub access_key_id: String,
    /// The secret, which never does.
    pub secret_access_key: String,
    /// When it was made, in milliseconds since the epoch; unknown of the first key of an old store.
    #[serde(default)]
    pub created_at_millis: Option<i64>,
    /// Whose it is, or what it is for.
    #[serde(default)]
    pub description: String,
}

/// Who sent a request, and who a stack's resources are made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// The operator, who may do everything.
    Operator,
    /// A user, who may do what its policies say.
    User {
        /// The name.
        name: String,
    },
    /// Somebody who assumed a role.
    Session(Arc<Session>),
    /// A function process, which has the role of its function.
    Process {
        /// Which function's.
        #[serde(flatten)]
        process: Arc<Process>,
        /// The execution that it was given last.
        #[serde(skip)]
        execution: Option<ExecutionId>,
    },
}

/// Who the processes of a function are: made once for each, because it is asked for with every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FunctionAndRole", into = "FunctionAndRole")]
pub struct Process {
    /// The function.
    pub function: String,
    /// The ARN of the role.
    pub role: String,
    /// How policies know it.
    pub caller: Caller,
}

impl Process {
    /// Makes a process of a function that has a role, by its ARN.
    pub fn new(function: String, role: String) -> Self {
        let account = role.split(':').nth(4).unwrap_or_default();
        let name = role.rsplit('/').next().unwrap_or_default();
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{function}");
        let caller = Caller::Session { arn, role_arn: role.clone(), account: account.into() };
        Self { function, role, caller }
    }
}

/// What is written down of a process.
#[derive(Serialize, Deserialize)]
struct FunctionAndRole {
    function: String,
    role: String,
}

impl From<FunctionAndRole> for Process {
    fn from(FunctionAndRole { function, role }: FunctionAndRole) -> Self {
        Self::new(function, role)
    }
}

impl From<Process> for FunctionAndRole {
    fn from(Process { function, role, .. }: Process) -> Self {
        Self { function, role }
    }
}

/// A key of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserKey {
    /// The key.
    #[serde(flatten)]
    pub key: AccessKey,
    /// Whose it is.
    pub user: String,
    /// Whether it is good.
    pub active: bool,
}

/// What a key that was found is good for.
pub struct Found {
    /// Whose it is.
    pub principal: Principal,
    /// What signs with it.
    pub secret: String,
}

/// The keys that are good now.
pub struct Keys {
    catalog: Arc<dyn Catalog>,
    /// The operator's keys by their ids.
    operators: RwLock<BTreeMap<String, (AccessKey, Revision)>>,
    /// Held by who makes or revokes a key, so that two of them do not revoke the last two.
    changing: tokio::sync::Mutex<()>,
    /// The keys of users by their ids.
    pub users: Documents<UserKey>,
    /// The keys of sessions.
    pub sessions: Sessions,
    processes: std::sync::Mutex<HashMap<String, ProcessKey>>,
}

/// Keys that are read at a time.
const KEYS_PAGE: usize = 1_000;

/// Why a key was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum NotRevoked {
    /// There is no such key.
    #[error("there is no such access key")]
    Missing,
    /// Nobody could make another one.
    #[error("the last key cannot be revoked")]
    Last,
    /// The store's fault. The key is as good as before.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct ProcessKey {
    secret_access_key: String,
    session_token: String,
    process: Arc<Process>,
    execution: Option<ExecutionId>,
}

impl Keys {
    /// Reads the operator's keys, or makes the first one of a new store.
    ///
    /// # Errors
    /// The store's, also if it holds a key that cannot be read.
    pub async fn open(catalog: Arc<dyn Catalog>, now_millis: i64) -> Result<Self, StoreError> {
        let operators = read(&*catalog).await?;
        let keys = Self {
            users: Documents::open(catalog.clone(), Kind::UserKey).await?,
            sessions: Sessions::open(&*catalog).await?,
            catalog,
            operators: RwLock::new(operators),
            changing: tokio::sync::Mutex::default(),
            processes: std::sync::Mutex::default(),
        };
        if keys.list().is_empty() {
            keys.create("made by the first start".into(), now_millis).await?;
        }
        Ok(keys)
    }

    /// Returns the operator's oldest key.
    pub fn operator(&self) -> AccessKey {
        self.list().into_iter().next().expect("the last key cannot be revoked")
    }

    /// Returns the operator's keys, the oldest one first.
    pub fn list(&self) -> Vec<AccessKey> {
        let mut keys: Vec<_> = self.read_operators().values().map(|(key, _)| key.clone()).collect();
        keys.sort_by(|left, right| {
            (left.created_at_millis, &left.access_key_id).cmp(&(right.created_at_millis, &right.access_key_id))
        });
        keys
    }

    /// Makes another key of the operator. Once this returns it is on disk and good.
    ///
    /// # Errors
    /// The store's.
    pub async fn create(&self, description: String, now_millis: i64) -> Result<AccessKey, StoreError> {
        let _changing = self.changing.lock().await;
        let key = AccessKey {
            access_key_id: new_id("AKIA"),
            secret_access_key: new_secret(),
            created_at_millis: Some(now_millis),
            description,
        };
        let body = serde_json::to_string(&key).expect("strings serialise");
        let revision = self.catalog.put(Kind::AccessKey, &key.access_key_id, None, body).await?;
        self.write_operators().insert(key.access_key_id.clone(), (key.clone(), revision));
        Ok(key)
    }

    /// Makes a key of the operator void, at once and for good.
    ///
    /// # Errors
    /// [`NotRevoked`] if it is not there, or the last one.
    pub async fn revoke_operator(&self, access_key_id: &str) -> Result<(), NotRevoked> {
        let _changing = self.changing.lock().await;
        let (count, found) = {
            let operators = self.read_operators();
            (operators.len(), operators.get(access_key_id).map(|(_, revision)| *revision))
        };
        let revision = found.ok_or(NotRevoked::Missing)?;
        if count == 1 {
            return Err(NotRevoked::Last);
        }
        match self.catalog.delete(Kind::AccessKey, access_key_id, revision).await {
            // A conflict means that it is gone: by an attempt of which that was not known.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        self.write_operators().remove(access_key_id);
        Ok(())
    }

    fn read_operators(&self) -> RwLockReadGuard<'_, BTreeMap<String, (AccessKey, Revision)>> {
        self.operators.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_operators(&self) -> RwLockWriteGuard<'_, BTreeMap<String, (AccessKey, Revision)>> {
        self.operators.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds whose key this is. A key that comes with a session token is only known together with it.
    ///
    /// # Errors
    /// [`NotOpened`] if it is no key of anybody, or not any more.
    pub fn find(&self, access_key_id: &str, session_token: Option<&str>, now: SystemTime) -> Result<Found, NotOpened> {
        let operator = self.read_operators().get(access_key_id).map(|(key, _)| key.secret_access_key.clone());
        if let Some(secret) = operator {
            return Ok(Found { principal: Principal::Operator, secret });
        }
        if let Some(UserKey { key, user, active: true }) = self.users.get(access_key_id).as_deref() {
            let secret = key.secret_access_key.clone();
            return Ok(Found { principal: Principal::User { name: user.clone() }, secret });
        }
        let token = session_token.unwrap_or_default();
        let process = self.with(|processes| {
            let ProcessKey { secret_access_key, session_token, process, execution } = processes.get(access_key_id)?;
            let same = bool::from(session_token.as_bytes().ct_eq(token.as_bytes()));
            let principal = || Principal::Process { process: Arc::clone(process), execution: *execution };
            Some(same.then(|| Found { principal: principal(), secret: secret_access_key.clone() }))
        });
        match process {
            Some(found) => found.ok_or(NotOpened::Unknown),
            None => {
                let opened = self.sessions.open_token(access_key_id, token, now)?;
                // What a key was lent ends with the key.
                let lent = |lender: &String| self.find(lender, None, now).is_ok();
                if !opened.lent_by.as_ref().is_none_or(lent) {
                    return Err(NotOpened::Unknown);
                }
                Ok(Found { principal: opened.principal, secret: opened.secret })
            }
        }
    }

    /// Makes a key of a user. Once this returns it is on disk and good.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_for_user(&self, user: &str, now_millis: i64) -> Result<AccessKey, StoreError> {
        let key = AccessKey {
            access_key_id: new_id("AKIA"),
            secret_access_key: new_secret(),
            created_at_millis: Some(now_millis),
            description: String::new(),
        };
        let document = UserKey { key: key.clone(), user: user.into(), active: true };
        self.users.create(&key.access_key_id, document).await?;
        Ok(key)
    }

    /// Returns the keys of a user, the oldest one first.
    pub fn of_user(&self, user: &str) -> Vec<Arc<UserKey>> {
        let mut keys = self.users.all();
        keys.retain(|key| key.user == user);
        keys.sort_by_key(|key| key.key.created_at_millis);
        keys
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

/// Reads the operator's keys, page by page.
async fn read(catalog: &dyn Catalog) -> Result<BTreeMap<String, (AccessKey, Revision)>, StoreError> {
    let mut found = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = catalog.list(Kind::AccessKey, after.as_deref(), KEYS_PAGE).await?;
        after = page.last().map(|(id, _)| id.clone());
        let last = page.len() < KEYS_PAGE;
        for (id, document) in page {
            let key = serde_json::from_str(&document.body).map_err(|error| StoreError::Failed {
                context: format!("access key {id} in the store cannot be read: restore it from a backup"),
                source: Some(error.into()),
            })?;
            found.insert(id, (key, document.revision));
        }
        if last {
            return Ok(found);
        }
    }
}

impl CredentialSource for Keys {
    fn issue(&self, function: &Function) -> Credentials {
        let credentials =
            Credentials { access_key_id: new_id("ASIA"), secret_access_key: new_secret(), session_token: new_secret() };
        let key = ProcessKey {
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: credentials.session_token.clone(),
            process: Arc::new(Process::new(function.name.clone(), function.role.clone())),
            execution: None,
        };
        self.with(|processes| processes.insert(credentials.access_key_id.clone(), key));
        credentials
    }

    fn revoke(&self, access_key_id: &str) {
        self.with(|processes| processes.remove(access_key_id));
    }
}

/// Makes an id of somebody or of a key, as AWS's look.
pub fn new_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = random_bytes::<16>();
    let letters = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    prefix.chars().chain(letters).collect()
}

pub(crate) fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<30>())
}

pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use everstep_store::memory::Memory;

    use super::*;

    #[test]
    fn processes_are_written_down_as_they_always_were() {
        let role = "arn:aws:iam::123456789012:role/path/r";
        let text = format!(r#"{{"Process":{{"function":"f","role":"{role}"}}}}"#);
        let process = Arc::new(Process::new("f".into(), role.into()));
        assert_eq!(process.caller.arn(), Some("arn:aws:sts::123456789012:assumed-role/r/f"));
        let principal = Principal::Process { process, execution: None };
        assert_eq!(serde_json::to_string(&principal).unwrap(), text);
        assert_eq!(serde_json::from_str::<Principal>(&text).unwrap(), principal);
    }

    #[tokio::test]
    async fn key_that_cannot_be_read_is_an_error_and_stays() {
        let catalog = Arc::new(Memory::new());
        catalog.put(Kind::AccessKey, "AKIA", None, "{".into()).await.unwrap();
        assert!(Keys::open(catalog.clone(), 1).await.err().unwrap().to_string().contains("access key AKIA"));
        assert_eq!(catalog.list(Kind::AccessKey, None, 9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn first_key_is_made_once_and_keys_of_older_versions_are_read() {
        let catalog = Arc::new(Memory::new());
        let first = Keys::open(catalog.clone(), 1).await.unwrap().operator();
        assert_eq!(Keys::open(catalog, 9).await.unwrap().list(), [first]);
        let catalog = Arc::new(Memory::new());
        let body = r#"{"access_key_id":"AKIA","secret_access_key":"s"}"#;
        catalog.put(Kind::AccessKey, "AKIA", None, body.into()).await.unwrap();
        assert_eq!(Keys::open(catalog, 9).await.unwrap().operator().secret_access_key, "s");
    }

    #[tokio::test]
    async fn revoked_keys_are_void_at_once_and_after_a_restart_and_the_last_one_stays() {
        let catalog = Arc::new(Memory::new());
        let keys = Keys::open(catalog.clone(), 1).await.unwrap();
        let (first, second) = (keys.operator(), keys.create("ci".into(), 5).await.unwrap());
        assert_eq!(keys.list(), [first.clone(), second.clone()]);
        keys.revoke_operator(&first.access_key_id).await.unwrap();
        let find = |keys: &Keys, id: &str| keys.find(id, None, SystemTime::now()).map(|found| found.principal);
        assert_eq!(find(&keys, &first.access_key_id), Err(NotOpened::Unknown));
        assert_eq!(keys.operator(), second);
        assert!(matches!(keys.revoke_operator(&first.access_key_id).await, Err(NotRevoked::Missing)));
        assert!(matches!(keys.revoke_operator(&second.access_key_id).await, Err(NotRevoked::Last)));
        let keys = Keys::open(catalog, 9).await.unwrap();
        assert_eq!(keys.list(), std::slice::from_ref(&second));
        assert_eq!(find(&keys, &second.access_key_id), Ok(Principal::Operator));
    }
}
