//! HTTP/1.1 for the two places that a function talks to: the Runtime API, and Lambda's own.
//!
//! Connections are kept, and each is polled by whoever has a request on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, ready};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("`{0}` is not the address of a service")]
    Address(String),
    #[error("no connection to {address}")]
    Connect { address: String, source: std::io::Error },
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
}

type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// A service that is spoken to over connections that are kept.
pub(crate) struct Client {
    address: Address,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<Open>>,
}

struct Address {
    host: String,
    port: u16,
}

struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    /// It is dropped once it ended: whoever waits for an answer of it hears of the end only then.
    connection: Option<Connection>,
}

impl Client {
    /// Makes a client of the service at `endpoint`: `http://…` or `https://…`. It connects when it is first used.
    pub(crate) fn new(endpoint: &str) -> Result<Self, HttpError> {
        let unusable = || HttpError::Address(endpoint.to_owned());
        let uri: Uri = endpoint.parse().map_err(|_| unusable())?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") | None => false,
            Some(_) => return Err(unusable()),
        };
        let host = uri.host().ok_or_else(unusable)?.to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tls = is_tls.then(tls_connector);
        Ok(Self { address: Address { host, port }, tls, idle: Mutex::default() })
    }

    /// Returns what `Host` has to say.
    pub(crate) fn host(&self) -> String {
        let Address { host, port } = &self.address;
        let is_usual = *port == if self.tls.is_some() { 443 } else { 80 };
        if is_usual { host.clone() } else { format!("{host}:{port}") }
    }

    /// Makes a request. A connection that the service closed meanwhile is opened anew, once.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        let kept = self.idle().pop().filter(|open| !open.sender.is_closed());
        if let Some(mut open) = kept {
            match exchange(&mut open, request.clone()).await {
                Ok(response) => {
                    self.idle().push(open);
                    return Ok(response);
                }
                // The service may close an idle connection; that it did shows only now.
                Err(error) if error.is_closed() || error.is_canceled() || error.is_incomplete_message() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut open = self.connect().await?;
        let response = exchange(&mut open, request).await?;
        self.idle().push(open);
        Ok(response)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Open>> {
        self.idle.lock().expect("nothing panics here")
    }

    async fn connect(&self) -> Result<Open, HttpError> {
        let Address { host, port } = &self.address;
        let failed = |source| HttpError::Connect { address: format!("{host}:{port}"), source };
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), *port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        match &self.tls {
            None => open(TokioIo::new(stream)).await,
            Some(tls) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| HttpError::Address(host.clone()))?;
                open(TokioIo::new(tls.connect(name, stream).await.map_err(failed)?)).await
            }
        }
    }
}

async fn open<S>(stream: S) -> Result<Open, HttpError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream).await?;
    Ok(Open { sender, connection: Some(Box::pin(connection)) })
}

/// Makes a request and reads the whole answer, while it drives the connection.
async fn exchange(open: &mut Open, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, hyper::Error> {
    let Open { sender, connection } = open;
    let mut answer = pin!(async {
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    });
    poll_fn(|context| {
        loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            let Some(running) = connection else { return Poll::Pending };
            let end = ready!(running.as_mut().poll(context));
            *connection = None;
            if let Err(broken) = end {
                // It may have brought the whole answer before it broke.
                return Poll::Ready(match answer.as_mut().poll(context) {
                    Poll::Ready(Ok(answer)) => Ok(answer),
                    Poll::Ready(Err(_)) | Poll::Pending => Err(broken),
                });
            }
        }
    })
    .await
}

fn tls_connector() -> TlsConnector {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok";
    const NONE: &str = "";

    async fn read_request(stream: &mut TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
    }

    /// Answers the requests of each connection so, and then closes it.
    async fn serve(listener: TcpListener, connections: &'static [&'static [&'static str]]) {
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in *answers {
                read_request(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    }

    /// Makes requests one after the other, and checks which are answered.
    async fn check(connections: &'static [&'static [&'static str]], answered: &[bool]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(serve(listener, connections));
        for (number, is_answered) in answered.iter().enumerate() {
            let request = Request::builder().uri("/").header("host", client.host()).body(Full::default()).unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(20), client.send(request)).await;
            let answer = answer.expect("a request ends");
            assert_eq!(answer.is_ok(), *is_answered, "{connections:?}, request {number}: {answer:?}");
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn connections_are_used_again_as_long_as_they_are_good() {
        check(&[&[WHOLE, WHOLE, WHOLE]], &[true, true, true]).await;
        check(&[&[WHOLE], &[WHOLE]], &[true, true]).await;
        check(&[&[LAST], &[LAST]], &[true, true]).await;
        check(&[&[WHOLE, NONE], &[WHOLE, WHOLE]], &[true, true, true]).await;
        check(&[&[WHOLE, HALF], &[WHOLE]], &[true, false, true]).await;
        check(&[&[HALF], &[WHOLE]], &[false, true]).await;
        check(&[&[NONE], &[WHOLE]], &[false, true]).await;
    }

    /// Makes a request that is answered so before the connection is reset, and checks whether that is an answer.
    async fn check_reset(answer: &'static str, is_answered: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.set_zero_linger().unwrap();
        };
        let request = Request::builder().uri("/").header("host", client.host()).body(Full::default()).unwrap();
        let both = async { tokio::join!(client.send(request), serve).0 };
        let result = tokio::time::timeout(Duration::from_secs(20), both).await.expect("a request ends");
        assert_eq!(result.is_ok(), is_answered, "{answer:?}: {result:?}");
    }

    #[tokio::test]
    async fn an_answer_that_is_whole_counts_though_the_connection_broke_after_it() {
        check_reset(WHOLE, true).await;
        check_reset(HALF, false).await;
        check_reset(NONE, false).await;
    }

    #[tokio::test]
    async fn a_request_does_not_wait_for_the_answer_to_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let both = async {
            let mut streams = [listener.accept().await.unwrap().0, listener.accept().await.unwrap().0];
            for stream in &mut streams {
                read_request(stream).await;
            }
            for stream in &mut streams {
                stream.write_all(WHOLE.as_bytes()).await.unwrap();
            }
            streams
        };
        let send =
            || client.send(Request::builder().uri("/").header("host", client.host()).body(Full::default()).unwrap());
        let all = async { tokio::join!(send(), send(), both) };
        let (first, second, _) = tokio::time::timeout(Duration::from_secs(20), all).await.expect("both are sent");
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    }
}
