//! For `sam local`: executions whose function is in a container that SAM CLI has started, somewhere at an endpoint.
//!
//! They have an engine, a store and keys of their own, so that whoever comes by this door, where nobody has to sign,
//! reaches them and nothing else of the server. What is asked for by HTTP is in `http::sam_local`.

mod endpoints;
mod invoker;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use everstep_core::Execution;
use everstep_core::event::Start;
use everstep_engine::{Clock, Engine, NewTexts, Resolved};
use everstep_store::sqlite::Sqlite;
use http::Uri;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use crate::DRAIN_LIMIT;
use crate::http::error::Error;
use crate::http::lambda::start_or_find;
use crate::http::sam_local::router;
use endpoints::Endpoints;
pub use endpoints::is_endpoint;
use invoker::Invoker;

/// The door before anybody goes through it: it is known that it can be opened, and nothing has begun.
pub struct Door {
    room: Arc<Room>,
    listeners: Vec<(SocketAddr, TcpListener)>,
    cut_off: watch::Sender<bool>,
    store: Arc<Sqlite>,
}

/// The executions of `sam local`, and the addresses at which they can be started and asked for.
pub struct SamLocal {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    store: Arc<Sqlite>,
    task_loop: JoinHandle<()>,
    serving: JoinSet<()>,
    /// Ends invocations that are under way.
    cut_off: watch::Sender<bool>,
}

/// What the door leads to.
pub struct Room {
    /// Moves the executions.
    pub engine: Arc<Engine>,
    /// The Region in their ARNs.
    pub region: String,
    endpoints: Arc<Endpoints>,
    /// Held while an execution starts: until it is there, its endpoint looks like one that nothing needs.
    starting: tokio::sync::Mutex<()>,
}

impl Door {
    /// Opens the store and listens.
    ///
    /// # Errors
    /// If the directory cannot be used, or an address is taken.
    pub async fn bind(addresses: &[SocketAddr], data: &Path, region: &str, clock: Arc<Clock>) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for address in addresses {
            let listener = TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address} for `sam local`: name another by --sam-local=ADDRESS:PORT")
            })?;
            listeners.push((listener.local_addr()?, listener));
        }
        let store = Arc::new(Sqlite::open(&data.join("sam-local"))?);
        let endpoints = Arc::new(Endpoints::open(store.clone(), store.clone()).await?);
        let keys = everstep_engine::token_keys(&*store).await?;
        let (cut_off, until) = watch::channel(false);
        let engine = Engine::new(store.clone(), Arc::new(Invoker::new(endpoints.clone(), until)), clock, keys);
        let starting = tokio::sync::Mutex::default();
        let room = Arc::new(Room { engine, region: region.into(), endpoints, starting });
        Ok(Self { room, listeners, cut_off, store })
    }

    /// Returns what moves the executions behind it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.room.engine
    }

    /// Lets in who asks, and goes on with the executions of an earlier start.
    pub fn open(self, stop: &watch::Receiver<bool>) -> SamLocal {
        let Self { room, listeners, cut_off, store } = self;
        let task_loop = tokio::spawn(room.engine.clone().run(stop.clone()));
        let mut serving = JoinSet::new();
        let addresses: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
        for (address, listener) in listeners {
            if !address.ip().is_loopback() {
                warn!(%address, "whoever reaches this address may start executions of `sam local`, and end them");
            }
            let (router, mut stop) = (router(room.clone()), stop.clone());
            serving.spawn(async move {
                let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
                if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                    tracing::error!(%error, "the listener for `sam local` failed");
                }
            });
        }
        info!(?addresses, "serving `sam local`");
        SamLocal { addresses, store, task_loop, serving, cut_off }
    }
}

impl SamLocal {
    /// Ends it, after its work was told to stop. Returns its store, with which somebody may still work.
    pub async fn stop(self) -> Arc<Sqlite> {
        let Self { addresses: _, store, task_loop, mut serving, cut_off } = self;
        let _ = task_loop.await;
        // What breaks from now on was broken off, and is done again after the next start.
        cut_off.send_replace(true);
        let served = async { while serving.join_next().await.is_some() {} };
        // Nothing that is asked for takes long; what clients keep open is closed.
        let _ = tokio::time::timeout(DRAIN_LIMIT, served).await;
        store
    }
}

impl Room {
    /// Starts an execution whose function is at an endpoint, or finds the one that has its name.
    ///
    /// # Errors
    /// If the name is taken by another one, or there are too many.
    pub async fn start(&self, start: Start, texts: NewTexts, endpoint: Uri) -> Result<Execution, Error> {
        let _starting = self.starting.lock().await;
        let id = start.id;
        // It must be known before the function is invoked.
        self.endpoints.note(id, &endpoint).await?;
        let started = start_or_find(&self.engine, start, texts, |_| true).await;
        match &started {
            Ok(execution) if execution.start_facts().id == id => {}
            // The one that was there may have been started by a container that is gone: this one does its work now.
            Ok(execution) => {
                self.endpoints.forget(id).await?;
                self.endpoints.note(execution.start_facts().id, &endpoint).await?;
            }
            Err(_) => self.endpoints.forget(id).await?,
        }
        started
    }

    /// Says why a function cannot invoke another one.
    pub fn refused(name: &str) -> Resolved {
        invoker::refused(name)
    }
}
