//! One HTTP connection that is kept: the load must cost less than what it loads.

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection to a server, by `HOST:PORT`.
pub struct Connection {
    authority: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    pub async fn open(authority: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(authority).await.with_context(|| format!("nobody listens at {authority}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { authority: authority.into(), sender })
    }

    /// Sends a request and returns the whole answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: impl IntoIterator<Item = (String, String)>,
        body: Bytes,
    ) -> anyhow::Result<(Parts, Bytes)> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.sender.ready().await?;
        let (parts, body) = self.sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        Ok((parts, body.collect().await?.to_bytes()))
    }
}
