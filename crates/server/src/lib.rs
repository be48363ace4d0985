//! The server: storage, engine, functions and HTTP put together.
//!
//! [`Server::start`] is the composition; [`Server::stop`] is the order in which it ends: no new requests, no new
//! work, function processes, log lines, storage. Whatever is cut off there is recovered at the next start.

pub mod access;
pub mod backup;
pub mod clock;
pub mod config;
pub mod forward;
pub mod functions;
pub mod http;
pub mod listen;
pub mod runtimes;
pub mod stacks;

mod code_sweep;
mod concurrency;
mod destinations;
mod documents;
mod downloads;
mod encryption_keys;
mod function_urls;
mod identities;
mod layers;
mod limits;
mod log_groups;
mod log_sink;
mod objects;
mod parameters;
mod policy;
mod repositories;
mod runner;
mod sam_local;
mod sessions;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::serve::ListenerExt;
use everstep_core::id::Place;
use everstep_engine::{Clock, Engine};
use everstep_store::sqlite::{Sqlite, Statistics};
use everstep_store::{Catalog, Executions, Logs};
use everstep_worker::{Supervisor, code};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::info;

use access::{AccessKey, Keys};
use clock::KeptClock;
use concurrency::Concurrency;
pub use config::Config;
use downloads::Downloads;
use encryption_keys::EncryptionKeys;
pub use everstep_worker::sandbox;
use forward::{Forwards, endpoint_variable};
use function_urls::FunctionUrls;
use functions::Functions;
use http::Services;
use identities::Identities;
use layers::Layers;
use listen::{Bound, Certificates, Listeners, Peer};
use log_groups::LogGroups;
use objects::Objects;
use parameters::Parameters;
use repositories::Repositories;
use runner::Runner;
use sam_local::{Door, SamLocal};
use sandbox::Sandbox;
use stacks::{Stacks, executor};

/// How long requests under way may take to end when the server stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// A server that runs.
pub struct Server {
    addresses: Vec<SocketAddr>,
    clock: Arc<Clock>,
    urls: Vec<String>,
    certificates: Option<Arc<Certificates>>,
    keys: Arc<Keys>,
    supervisor: Arc<Supervisor>,
    sandbox: Arc<Sandbox>,
    stop: watch::Sender<bool>,
    stop_logs: watch::Sender<bool>,
    cut_off: watch::Sender<bool>,
    http: JoinHandle<()>,
    task_loop: JoinHandle<()>,
    executor: JoinHandle<()>,
    retention: JoinHandle<()>,
    code_sweep: JoinHandle<()>,
    sam_local: Option<SamLocal>,
    log_writer: JoinHandle<()>,
    store: Arc<Sqlite>,
}

impl Server {
    /// Starts a server on its data directory. It serves when this returns.
    ///
    /// # Errors
    /// If the data directory cannot be used, or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let sandbox = Arc::new(config.sandbox().await?);
        let forwards = Forwards::open(&config.forward, &http::HOSTED, &config.region)?;
        let store = Arc::new(Sqlite::open(&config.data)?);
        backup::remove_leftovers(&config.data)
            .with_context(|| format!("cannot remove leftovers of backups in {}", config.data.display()))?;
        let certificates = config.tls.clone().map(Certificates::read).transpose()?.map(Arc::new);
        let (listeners, Bound { addresses, inside }) = Listeners::bind(&config.listen, certificates.clone()).await?;
        let urls: Vec<String> = addresses.iter().map(|address| url(*address, certificates.is_some())).collect();

        let executions: Arc<dyn Executions> = store.clone();
        let catalog: Arc<dyn Catalog> = store.clone();
        let logs: Arc<dyn Logs> = store.clone();
        let now_millis = jiff::Timestamp::now().as_millisecond();
        let keys = Arc::new(Keys::open(catalog.clone(), now_millis).await?);
        write_credentials(&config.data, &keys.operator())?;
        write_private(&endpoint_path(&config.data), &format!("{}\n", urls[0]))?;
        let token_keys = everstep_engine::token_keys(&*catalog).await?;

        let clock = KeptClock::open(catalog.clone(), config.movable_clock).await?;
        let durable_clock = Arc::clone(clock.clock());
        let door = match &config.sam_local[..] {
            [] => None,
            addresses => Some(Door::bind(addresses, &config.data, &config.region, durable_clock.clone()).await?),
        };
        let (stop_logs, logs_stopped) = watch::channel(false);
        let log_bytes_max = config.log_megabytes << 20;
        let (sink, log_writer) =
            log_sink::StoreSink::start(logs.clone(), clock.clock().clone(), log_bytes_max, logs_stopped);
        let log_sink = Arc::new(sink);
        let mut worker = config.worker(inside);
        worker.sandbox = Arc::clone(&sandbox);
        worker.endpoint_variables = http::HOSTED.into_iter().chain(forwards.names()).map(endpoint_variable).collect();
        let supervisor = Supervisor::start(worker, keys.clone(), log_sink.clone());
        let function_urls = FunctionUrls::new(catalog.clone(), config.function_url_base(addresses[0])?);
        let functions = Functions::new(catalog.clone(), config.place());
        let identities = Arc::new(Identities::open(catalog.clone(), &functions).await?);
        let log_groups = Arc::new(LogGroups::open(catalog.clone(), logs.clone()).await?);
        let parameters = Parameters::open(catalog.clone(), config.place()).await?;
        let repositories = Repositories::open(catalog.clone(), config.place()).await?;
        let encryption_keys = EncryptionKeys::open(catalog.clone(), config.place()).await?;
        let layers = Layers::new(catalog.clone(), config.place());
        let (stacks, begun) = Stacks::open(catalog.clone(), config.place());
        let concurrency = Concurrency::open(functions.clone(), supervisor.clone()).await?;
        let code = Arc::new(code::Store::new(&config.data));
        let code_names =
            code_sweep::Documents { catalog: catalog.clone(), functions: functions.clone(), layers: layers.clone() };
        code.remove_leftovers()?;
        let objects = Arc::new(Objects::open(catalog.clone(), &config.data).await.context("cannot open the buckets")?);
        objects.be_born_with(&born_with(&config.place()), now_millis).await?;
        let runner = Arc::new(Runner::new(functions.clone(), code.clone(), keys.clone(), supervisor.clone()));
        let engine = Engine::new(executions, runner.clone(), clock.clock().clone(), token_keys);

        // From here on nothing can fail: what begins goes on.
        let (stop, stopped) = watch::channel(false);
        let task_loop = tokio::spawn(engine.clone().run(stopped.clone()));
        let services = Arc::new(Services {
            engine,
            sam_local: door.as_ref().map(|door| door.engine().clone()),
            functions,
            function_urls,
            concurrency,
            layers,
            stacks,
            downloads: Downloads::new(certificates.is_some()),
            forwards,
            runner,
            code,
            s3: http::S3::new(
                objects.clone(),
                keys.clone(),
                identities.clone(),
                config.place(),
                certificates.is_some(),
            ),
            objects,
            logs,
            log_sink,
            log_groups: log_groups.clone(),
            keys: keys.clone(),
            identities,
            parameters,
            repositories,
            encryption_keys,
            is_secure: certificates.is_some(),
            clock,
            store: store.clone(),
            data: config.data.clone(),
        });
        let code_sweep = tokio::spawn(code_sweep::run(services.code.clone(), code_names, stopped.clone()));
        let sam_local = door.map(|door| door.open(&stopped));
        let retention = tokio::spawn(log_groups::run(log_groups, durable_clock.clone(), stopped.clone()));
        let executor = tokio::spawn(executor::run(services.clone(), begun, stopped.clone()));
        let (cut_off, is_cut_off) = watch::channel(false);
        let router = http::router(services, is_cut_off).into_make_service_with_connect_info::<Peer>();
        // What is tapped tells its peer's address.
        let listener = listeners.tap_io(|_| {});
        let http = tokio::spawn(async move {
            let mut stopped = stopped;
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the listener failed");
            }
        });
        info!(?urls, data = %config.data.display(), "serving");
        Ok(Self {
            addresses,
            clock: durable_clock,
            urls,
            certificates,
            keys,
            supervisor,
            sandbox,
            stop,
            stop_logs,
            cut_off,
            http,
            task_loop,
            executor,
            retention,
            code_sweep,
            sam_local,
            log_writer,
            store,
        })
    }

    /// Returns where it listens first.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Returns where `sam local` finds its endpoints.
    pub fn sam_local_addresses(&self) -> &[SocketAddr] {
        self.sam_local.as_ref().map_or(&[], |sam_local| &sam_local.addresses)
    }

    /// Returns how far its durable clock is ahead of the system's, because it was moved.
    pub fn clock_ahead(&self) -> Duration {
        self.clock.ahead()
    }

    /// Returns the URLs that it answers at, in the order of its configuration.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Reads the certificate and its key anew, for the connections from now on.
    ///
    /// # Errors
    /// If they cannot be read; then the ones before stay.
    pub fn reload_certificates(&self) -> anyhow::Result<()> {
        self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload())
    }

    /// Returns the oldest of the keys that may do everything.
    pub fn operator_key(&self) -> AccessKey {
        self.keys.operator()
    }

    /// Says which limits function processes have, and why one is not in force; a line each.
    pub fn protection(&self) -> Vec<String> {
        self.sandbox.report()
    }

    /// Returns the supervisor, to get runtimes ready ahead of time.
    pub fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// Ends it. What was acknowledged stays; what was under way is done again after the next start. Returns whether nothing
    /// works with a store any more, so that its files are in order and free for the next server.
    pub async fn stop(self) -> bool {
        // Each by its name: what stayed in `self` would hold the store up to the end.
        let Self {
            addresses: _,
            clock: _,
            urls: _,
            certificates: _,
            keys,
            supervisor,
            sandbox: _,
            stop,
            stop_logs,
            cut_off,
            mut http,
            task_loop,
            mut executor,
            retention,
            code_sweep,
            sam_local,
            log_writer,
            store,
        } = self;
        stop.send_replace(true);
        let _ = task_loop.await;
        let _ = retention.await;
        let _ = code_sweep.await;
        let sam_local_store = match sam_local {
            Some(sam_local) => Some(sam_local.stop().await),
            None => None,
        };
        // A resource that is being made is made; what comes after it is for the next start.
        if tokio::time::timeout(DRAIN_LIMIT, &mut executor).await.is_err() {
            info!("work on stacks was cut off");
            executor.abort();
        }
        // Callers that wait for an execution would keep the listener; they ask again after the restart.
        if tokio::time::timeout(DRAIN_LIMIT, &mut http).await.is_err() {
            info!("requests under way were cut off");
            cut_off.send_replace(true);
            http.abort();
        }
        supervisor.shutdown().await;
        stop_logs.send_replace(true);
        let _ = log_writer.await;
        // Both know the keys, which are in the store.
        drop((supervisor, keys));
        // What was cut off lets go of its store as soon as it notices; whoever starts next needs it.
        let stores: Vec<&Arc<Sqlite>> = std::iter::once(&store).chain(&sam_local_store).collect();
        let released = async {
            while stores.iter().any(|store| Arc::strong_count(store) > 1) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let is_released = tokio::time::timeout(DRAIN_LIMIT, released).await.is_ok();
        if !is_released {
            tracing::warn!("something still works with the store");
        }
        let Statistics { items, transactions, flushes, .. } = store.statistics();
        info!(items, transactions, flushes, "stopped: what was written since the start");
        is_released
    }
}

/// Returns the bucket that every server has: the one to which CDK hands its assets over.
fn born_with(place: &Place) -> String {
    format!("cdk-hnb659fds-assets-{}-{}", place.account, place.region)
}

fn url(address: SocketAddr, tls: bool) -> String {
    format!("{}://{address}", if tls { "https" } else { "http" })
}

/// Returns where a server writes the operator's key, as an AWS credentials file.
pub fn credentials_path(data: &Path) -> PathBuf {
    data.join("credentials")
}

/// Returns where a server writes the URL that it answers at.
pub fn endpoint_path(data: &Path) -> PathBuf {
    data.join("endpoint")
}

/// Writes a key as an AWS credentials file.
fn write_credentials(data: &Path, key: &AccessKey) -> anyhow::Result<()> {
    let AccessKey { access_key_id, secret_access_key, .. } = key;
    let text = format!("[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n");
    write_private(&credentials_path(data), &text)
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
