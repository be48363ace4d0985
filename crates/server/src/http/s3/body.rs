//! The body of a request to S3 on its way in: checked as it passes against what the signature says of it.
//!
//! The signature in the head is checked before; here the digest that it covers is compared, or the chunks' signatures. A
//! body that is not what was signed ends with an error, so whoever takes it in must not use it before its end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::chunked::Decoder;
use crate::http::sigv4::Authorization;
use crate::objects::checksum::hex;

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its digest is not the one that was signed.
    #[error("the body is not the one that was signed")]
    Digest,
    /// A chunk was not signed like that.
    #[error("a chunk of the body was not signed like that")]
    Signature,
    /// It is not of the encoding `aws-chunked`.
    #[error("the body is not of the encoding aws-chunked")]
    Malformed,
    /// It ended too early, or too late.
    #[error("the body is not as long as it says")]
    Incomplete,
    /// The head asks for a way of signing bodies that is not known.
    #[error("the way of signing bodies `{0}` is not known")]
    Unknown(String),
    /// The connection broke.
    #[error("the body could not be read")]
    Broken(#[source] axum::Error),
}

/// The headers that came behind a body, once it was read to its end.
#[derive(Clone, Default)]
pub struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

impl Trailers {
    /// Returns the value of a header, by its name in small letters.
    pub fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// A body that is checked as it is read.
pub struct Checked {
    inner: Body,
    /// What was read and is to be taken apart.
    input: Bytes,
    form: Option<Form>,
    trailers: Trailers,
}

enum Form {
    /// Not signed.
    Unsigned,
    /// As it is, with this digest.
    Signed(Sha256, String),
    /// In chunks.
    Chunked(Decoder),
}

impl Checked {
    /// Wraps a body, whose form the head says.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub fn new(
        body: Body,
        claimed: &str,
        authorization: &Authorization<'_>,
        secret: &str,
    ) -> Result<(Self, Trailers), Refused> {
        let form = match claimed {
            "UNSIGNED-PAYLOAD" => Form::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Form::Chunked(Decoder::new(None)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Form::Chunked(Decoder::new(Some(authorization.chunks(secret))))
            }
            digest if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Form::Signed(Sha256::new(), digest.to_ascii_lowercase())
            }
            other => return Err(Refused::Unknown(other.chars().take(64).collect())),
        };
        let trailers = Trailers::default();
        Ok((Self { inner: body, input: Bytes::new(), form: Some(form), trailers: trailers.clone() }, trailers))
    }

    /// Reads it to its end, at most `bytes_max`; `None` if it is larger.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn collect(mut self, bytes_max: u64) -> Result<Option<Bytes>, Refused> {
        let mut collected = Vec::new();
        while let Some(frame) = self.frame().await {
            if let Ok(data) = frame?.into_data() {
                if (collected.len() + data.len()) as u64 > bytes_max {
                    return Ok(None);
                }
                collected.extend_from_slice(&data);
            }
        }
        Ok(Some(collected.into()))
    }

    /// Checks what can be checked at the end.
    fn finish(&mut self) -> Result<(), Refused> {
        match self.form.take() {
            None | Some(Form::Unsigned) => Ok(()),
            Some(Form::Signed(digest, expected)) => {
                if hex(&digest.finalize()) == expected {
                    Ok(())
                } else {
                    Err(Refused::Digest)
                }
            }
            Some(Form::Chunked(decoder)) => {
                *self.trailers.0.lock().unwrap_or_else(PoisonError::into_inner) = decoder.finish()?;
                Ok(())
            }
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refused>> {
        loop {
            if let Some(Form::Chunked(decoder)) = &mut self.form
                && let Some(piece) = decoder.next(&mut self.input)?
            {
                return Poll::Ready(Ok(Some(piece)));
            }
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
            let Some(frame) = frame.transpose().map_err(Refused::Broken)? else {
                return Poll::Ready(self.finish().map(|()| None));
            };
            let Ok(data) = frame.into_data() else { continue };
            match &mut self.form {
                Some(Form::Chunked(_)) => self.input = data,
                Some(Form::Signed(digest, _)) => {
                    digest.update(&data);
                    return Poll::Ready(Ok(Some(data)));
                }
                Some(Form::Unsigned) | None => return Poll::Ready(Ok(Some(data))),
            }
        }
    }
}

impl HttpBody for Checked {
    type Data = Bytes;
    type Error = Refused;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Refused>>> {
        self.poll_piece(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)).transpose())
    }
}

/// Returns what the head says of the body.
pub fn claimed<'h>(headers: &'h HeaderMap, authorization: &Authorization<'_>) -> Option<&'h str> {
    let header = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
    // Who presigns an address does not know the body.
    header.or_else(|| authorization.is_presigned().then_some("UNSIGNED-PAYLOAD"))
}
