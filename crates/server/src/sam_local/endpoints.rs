//! Where the function of each execution is: at an endpoint of this machine.

use std::collections::BTreeSet;
use std::sync::Arc;

use everstep_core::ExecutionStatus;
use everstep_core::id::ExecutionId;
use everstep_store::{Catalog, Error as StoreError, Executions, Kind, ListOrder, ListPosition, ListQuery};
use http::Uri;
use http::uri::Scheme;

use crate::documents::Documents;
use crate::http::error::Error;
use crate::limits::SAM_LOCAL_EXECUTIONS_MAX;

/// How many executions are read at a time.
const EXECUTIONS_READ: usize = 1_000;

/// The endpoints by executions.
pub struct Endpoints {
    documents: Documents<String>,
    executions: Arc<dyn Executions>,
}

impl Endpoints {
    /// Opens the endpoints of a catalog. Those of executions that have ended are forgotten.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(catalog: Arc<dyn Catalog>, executions: Arc<dyn Executions>) -> Result<Self, StoreError> {
        let endpoints = Self { documents: Documents::open(catalog, Kind::Endpoint).await?, executions };
        endpoints.sweep().await?;
        Ok(endpoints)
    }

    /// Returns the endpoint at which the function of an execution is.
    pub fn find(&self, id: ExecutionId) -> Option<Uri> {
        self.documents.get(&id.to_string())?.parse().ok()
    }

    /// Notes down where the function of an execution is by now.
    ///
    /// # Errors
    /// If there are too many, and the store's.
    pub async fn note(&self, id: ExecutionId, endpoint: &Uri) -> Result<(), Error> {
        let (id, endpoint) = (id.to_string(), endpoint.to_string());
        let changed = self.documents.change::<StoreError>(&id, |known| {
            known.clone_from(&endpoint);
            Ok(())
        });
        if changed.await?.is_some() {
            return Ok(());
        }
        if self.documents.len() >= SAM_LOCAL_EXECUTIONS_MAX {
            self.sweep().await?;
        }
        if self.documents.len() >= SAM_LOCAL_EXECUTIONS_MAX {
            return Err(Error::too_many_executions(SAM_LOCAL_EXECUTIONS_MAX));
        }
        self.documents.create(&id, endpoint).await?;
        Ok(())
    }

    /// Forgets where the function of an execution is.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, id: ExecutionId) -> Result<(), StoreError> {
        self.documents.delete::<StoreError>(&id.to_string(), |_| Ok(())).await.map(drop)
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        let running = self.running().await?;
        for key in self.documents.keys() {
            let Ok(id) = key.parse() else { continue };
            if !running.contains(&id) {
                self.forget(id).await?;
            }
        }
        Ok(())
    }

    /// Returns the executions that go on.
    async fn running(&self) -> Result<BTreeSet<ExecutionId>, StoreError> {
        let mut running = BTreeSet::new();
        let mut query = ListQuery {
            function: None,
            version: None,
            name: None,
            status: Some(ExecutionStatus::Running),
            started_after: None,
            started_before: None,
            order: ListOrder::Ascending,
            after: None,
            limit: EXECUTIONS_READ,
        };
        loop {
            let page = self.executions.list(&query).await?;
            running.extend(page.iter().map(|listed| listed.execution));
            query.after =
                page.last().map(|last| ListPosition { started_at: last.new.started_at, execution: last.execution });
            if page.len() < EXECUTIONS_READ {
                return Ok(running);
            }
        }
    }
}

/// Whether a function may be there: on this machine, by plain HTTP, so that nobody has the server ask elsewhere.
pub fn is_endpoint(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    uri.scheme() == Some(&Scheme::HTTP) && is_here && matches!(uri.path(), "" | "/") && uri.query().is_none()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use everstep_core::event::{Start, StartMode};
    use everstep_core::{Command, ErrorObject, Intake, Timestamp};
    use everstep_engine::{Clock, Engine, new_execution_id, token_keys};
    use everstep_store::memory::Memory;
    use tokio::sync::watch;

    use super::super::invoker::Invoker;
    use super::*;
    use crate::config::Config;

    #[test]
    fn functions_are_on_this_machine() {
        for (text, expected) in [
            ("http://localhost:3001", true),
            ("http://127.0.0.1:3001/", true),
            ("http://[::1]:3001", true),
            ("https://localhost:3001", false),
            ("http://169.254.169.254", false),
            ("http://localhost.example.com", false),
            ("http://user@example.com", false),
            ("http://localhost:3001/latest/meta-data", false),
            ("http://localhost:3001?x", false),
            ("localhost:3001", false),
        ] {
            assert_eq!(text.parse().is_ok_and(|uri| is_endpoint(&uri)), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn endpoints_of_executions_that_are_not_there_make_room() {
        let store = Arc::new(Memory::new());
        let endpoints = Endpoints::open(store.clone(), store.clone()).await.unwrap();
        let endpoint: Uri = "http://localhost:1".parse().unwrap();
        for _ in 0..SAM_LOCAL_EXECUTIONS_MAX {
            endpoints.note(new_execution_id(), &endpoint).await.unwrap();
        }
        let last = new_execution_id();
        endpoints.note(last, &endpoint).await.unwrap();
        assert_eq!(
            (endpoints.documents.len(), endpoints.find(last)),
            (1, Some("http://localhost:1/".parse().unwrap()))
        );
        assert_eq!(Endpoints::open(store.clone(), store).await.unwrap().documents.len(), 0);
    }

    #[tokio::test]
    async fn endpoints_of_executions_that_have_ended_make_room() {
        let store = Arc::new(Memory::new());
        let endpoints = Arc::new(Endpoints::open(store.clone(), store.clone()).await.unwrap());
        let (_cut_off, until) = watch::channel(false);
        let invoker = Arc::new(Invoker::new(endpoints.clone(), until));
        let clock = Arc::new(Clock::standing(Timestamp::from_millis(0)));
        let engine = Engine::new(store.clone(), invoker, clock, token_keys(&*store).await.unwrap());
        let mut ids = Vec::new();
        for name in ["goes-on", "ends"] {
            let start = Start {
                id: new_execution_id(),
                place: Config::new(Path::new("/")).place(),
                function: "f".parse().unwrap(),
                version: "$LATEST".parse().unwrap(),
                name: name.parse().unwrap(),
                input: None,
                execution_timeout_seconds: 1,
                retention_days: 1,
                mode: StartMode::Async,
                trace_id: None,
                tenant_id: None,
                parent: None,
                alias: None,
                hops: 0,
            };
            ids.push(start.id);
            endpoints.note(start.id, &"http://localhost:1".parse().unwrap()).await.unwrap();
            engine.start(start, Vec::new()).await.unwrap();
        }
        let stop = Command::Stop { error: Intake::default().error(&ErrorObject::new("Error", "enough")) };
        engine.submit(ids[1], stop, Vec::new()).await.unwrap();
        let endpoints = Endpoints::open(store.clone(), store).await.unwrap();
        assert_eq!(ids.iter().map(|id| endpoints.find(*id).is_some()).collect::<Vec<_>>(), [true, false]);
    }
}
