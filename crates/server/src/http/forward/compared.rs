//! A body that is compared with its digest while it passes: its last piece only passes if they agree.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::http::sigv4::hex;

/// A body, and the digest that it should have.
pub struct Compared {
    body: Body,
    digest: Sha256,
    expected: String,
}

/// The body is another one.
#[derive(Debug, thiserror::Error)]
#[error("the body is not the one that was signed")]
pub struct Mismatch;

impl Mismatch {
    /// Tells whether this is why something failed.
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::caused)
    }
}

impl Compared {
    /// Makes it of a body and of its SHA-256 digest in hexadecimal digits.
    pub fn new(body: Body, expected: String) -> Self {
        Self { body, digest: Sha256::new(), expected }
    }
}

impl HttpBody for Compared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context)?);
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.digest.update(data);
        }
        // The end is known with the last piece if the length is, and otherwise when no piece follows.
        if frame.is_none() || self.body.is_end_stream() {
            let found = hex(&self.digest.clone().finalize());
            if !found.eq_ignore_ascii_case(&self.expected) {
                return Poll::Ready(Some(Err(axum::Error::new(Mismatch))));
            }
        }
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
