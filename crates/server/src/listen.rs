//! Where the server listens: on several addresses, all with TLS or all without.
//!
//! With TLS there is one more address, on loopback and without: function processes use it, because they could not
//! check a certificate that an operator made. Nobody else is served there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{debug, warn};

use crate::limits::{HANDSHAKE_LIMIT, HANDSHAKES_MAX};

/// Connections that may wait to be served.
const CONNECTIONS_WAITING: usize = 64;

/// How long not to accept after that failed, for example because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The files that make TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// The certificate that is shown, read anew when asked to.
pub struct Certificates {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it came by the address for function processes.
    pub inside: bool,
}

/// A connection, with TLS or without.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

type Io = Box<dyn Connection>;

/// Accepts connections on every address.
pub struct Listeners {
    connections: mpsc::Receiver<(Io, Peer)>,
    address: SocketAddr,
    /// One for each address; they end when this is dropped.
    _accepting: JoinSet<()>,
}

/// The addresses that are listened on.
pub struct Bound {
    /// For everyone, in the order of the configuration.
    pub addresses: Vec<SocketAddr>,
    /// For function processes: one of those if there is no TLS.
    pub inside: SocketAddr,
}

impl Certificates {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// If they cannot be read or do not fit together.
    pub fn read(files: TlsFiles) -> anyhow::Result<Self> {
        let current = RwLock::new(Arc::new(server_config(&files)?));
        Ok(Self { files, current })
    }

    /// Reads them anew, for the connections from now on.
    ///
    /// # Errors
    /// As [`Self::read`]; then the ones that were read last go on to be shown.
    pub fn reload(&self) -> anyhow::Result<()> {
        let fresh = Arc::new(server_config(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn server_config(TlsFiles { certificate, key }: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let unreadable = || format!("cannot read the certificate in {}", certificate.display());
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).with_context(unreadable)?;
    anyhow::ensure!(!chain.is_empty(), "there is no certificate in {}: it must be in PEM", certificate.display());
    let private =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key in {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{} and {} do not fit together", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Listeners {
    /// Listens on addresses, with TLS if there are certificates.
    ///
    /// # Errors
    /// If an address is taken.
    pub async fn bind(
        addresses: &[SocketAddr],
        certificates: Option<Arc<Certificates>>,
    ) -> anyhow::Result<(Self, Bound)> {
        anyhow::ensure!(!addresses.is_empty(), "there is no address to listen on: name one with --listen");
        let (sender, connections) = mpsc::channel(CONNECTIONS_WAITING);
        let mut accepting = JoinSet::new();
        let mut bound = Vec::with_capacity(addresses.len());
        for address in addresses {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}: choose another address with --listen"))?;
            bound.push(listener.local_addr()?);
            accepting.spawn(accept(listener, certificates.clone(), false, sender.clone()));
        }
        let inside = if certificates.is_some() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
            let inside = listener.local_addr()?;
            accepting.spawn(accept(listener, None, true, sender));
            inside
        } else {
            bound[0]
        };
        let listeners = Self { connections, address: bound[0], _accepting: accepting };
        Ok((listeners, Bound { addresses: bound, inside }))
    }
}

impl Listener for Listeners {
    type Io = Io;
    type Addr = Peer;

    async fn accept(&mut self) -> (Io, Peer) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // Only when the tasks have ended, which they do when this is dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer { address: self.address, inside: false })
    }
}

/// Accepts on one address until nobody takes the connections any more.
async fn accept(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    inside: bool,
    connections: mpsc::Sender<(Io, Peer)>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let peer = Peer { address, inside };
        let Some(certificates) = &certificates else {
            if connections.send((Box::new(stream), peer)).await.is_err() {
                return;
            }
            continue;
        };
        // Somebody who is slow at it holds nobody up, unless there are very many of them.
        let turn = Arc::clone(&handshakes).acquire_owned().await.expect("nobody closes the semaphore");
        let (acceptor, connections) = (certificates.acceptor(), connections.clone());
        tokio::spawn(async move {
            let _turn = turn;
            if let Some(stream) = shake_hands(acceptor, stream, address).await {
                // Nobody takes it once the server stops.
                let _ = connections.send((stream, peer)).await;
            }
        });
    }
}

async fn shake_hands(acceptor: TlsAcceptor, stream: TcpStream, address: SocketAddr) -> Option<Io> {
    match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(error)) => {
            debug!(%address, %error, "a client and the server do not agree on TLS");
            None
        }
        Err(_) => {
            debug!(%address, "a client began TLS and did not go on");
            None
        }
    }
}
