//! Every engine keeps the guarantees of the traits.

use std::sync::Arc;

use everstep_store::memory::Memory;
use everstep_store::sqlite::Sqlite;
use everstep_store::{Catalog, Executions, Logs, conformance};

/// Runs every suite.
async fn check<S: Catalog + Executions + Logs>(store: S) {
    let store = Arc::new(store);
    conformance::executions(Arc::clone(&store) as Arc<dyn Executions>).await;
    conformance::catalog(Arc::clone(&store) as Arc<dyn Catalog>).await;
    conformance::logs(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_guarantees() {
    check(Memory::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_guarantees_also_after_it_was_reopened() {
    let directory = tempfile::tempdir().unwrap();
    check(Sqlite::open(directory.path()).unwrap()).await;
    check(Sqlite::open(directory.path()).unwrap()).await;
}
