//! Bodies of the encoding `aws-chunked`: chunks with their lengths, perhaps signed one by one, and headers behind the last.
//!
//! ```text
//! 5;chunk-signature=…     length in hexadecimal digits; without a signature if chunks are not signed
//! hello
//! 0;chunk-signature=…
//! x-amz-checksum-crc32:…  headers, if the request announces some
//! x-amz-trailer-signature:…
//! ```
//!
//! Pure: pieces of the body go in, pieces of the content come out, none is kept. A chunk's signature is checked at its end;
//! whoever takes the content must not use it before [`Decoder::finish`].

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::body::Refused;
use crate::http::sigv4::ChunkSignatures;
use crate::limits::{CHUNK_LINE_BYTES_MAX, CHUNK_TRAILERS_MAX};

/// Takes a body apart.
pub struct Decoder {
    state: State,
    /// The line that is being read.
    line: Vec<u8>,
    /// What checks the chunks' signatures; `None` if they are not signed.
    signatures: Option<ChunkSignatures>,
    /// The digest of the chunk that is being read.
    digest: Sha256,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// In the line that begins a chunk.
    Head,
    /// In a chunk, of which so many bytes are to come, at least one, and which was signed like that.
    Chunk { left: u64, signature: String },
    /// At the end of the line behind a chunk.
    ChunkEnd,
    /// In the lines behind the last chunk.
    Trailer,
    /// Behind the last line.
    End,
}

impl Decoder {
    /// Begins a body.
    pub fn new(signatures: Option<ChunkSignatures>) -> Self {
        Self { state: State::Head, line: Vec::new(), signatures, digest: Sha256::new(), trailers: Vec::new() }
    }

    /// Takes the next piece of the body. Returns the next piece of the content that is in it, and leaves the rest in `input`;
    /// `None` if there is none.
    ///
    /// # Errors
    /// If it is not of the form, or a signature is wrong.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Refused> {
        while !input.is_empty() {
            match &mut self.state {
                State::Chunk { left, signature } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= length as u64;
                    let piece = input.split_to(length);
                    if self.signatures.is_some() {
                        self.digest.update(&piece);
                    }
                    if *left == 0 {
                        let signature = std::mem::take(signature);
                        self.check_chunk(&signature)?;
                        self.state = State::ChunkEnd;
                    }
                    return Ok(Some(piece));
                }
                State::Head | State::ChunkEnd | State::Trailer => {
                    let Some(line) = self.take_line(input)? else { return Ok(None) };
                    self.accept_line(&line)?;
                }
                State::End => return Err(Refused::Malformed),
            }
        }
        Ok(None)
    }

    /// Ends the body. Returns the headers that came behind it, their names in small letters.
    ///
    /// # Errors
    /// If something is missing, or a signature is wrong.
    pub fn finish(mut self) -> Result<Vec<(String, String)>, Refused> {
        match self.state {
            State::Trailer | State::End if self.line.is_empty() => {}
            State::Head | State::Chunk { .. } | State::ChunkEnd | State::Trailer | State::End => {
                return Err(Refused::Incomplete);
            }
        }
        let at = self.trailers.iter().position(|(name, _)| name == "x-amz-trailer-signature");
        let signature = at.map(|at| self.trailers.remove(at).1);
        if let Some(signatures) = self.signatures.as_mut().filter(|_| !self.trailers.is_empty()) {
            self.trailers.sort();
            let text: String = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let signature = signature.ok_or(Refused::Signature)?;
            if !signatures.accept_trailer(&text, &signature) {
                return Err(Refused::Signature);
            }
        }
        Ok(self.trailers)
    }

    /// Takes what there is of a line. Returns it without its end once that is there.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<String>, Refused> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(input.len(), |end| end + 1);
        if self.line.len() + length > CHUNK_LINE_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        self.line.extend_from_slice(&input[..length]);
        input.advance(length);
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r\n").ok_or(Refused::Malformed)?;
        String::from_utf8(line.to_vec()).map(Some).map_err(|_| Refused::Malformed)
    }

    fn accept_line(&mut self, line: &str) -> Result<(), Refused> {
        match self.state {
            State::Head => {
                let (size, extension) = line.split_once(';').unwrap_or((line, ""));
                let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
                let left = u64::from_str_radix(size, 16).ok().filter(|_| digits).ok_or(Refused::Malformed)?;
                let signature = extension.strip_prefix("chunk-signature=").unwrap_or_default().to_string();
                if left == 0 {
                    self.check_chunk(&signature)?;
                    self.state = State::Trailer;
                } else {
                    self.state = State::Chunk { left, signature };
                }
                Ok(())
            }
            State::ChunkEnd if line.is_empty() => {
                self.state = State::Head;
                Ok(())
            }
            State::Trailer if line.is_empty() => {
                self.state = State::End;
                Ok(())
            }
            State::Trailer if self.trailers.len() < CHUNK_TRAILERS_MAX => {
                let (name, value) = line.split_once(':').ok_or(Refused::Malformed)?;
                self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_string()));
                Ok(())
            }
            State::ChunkEnd | State::Trailer | State::Chunk { .. } | State::End => Err(Refused::Malformed),
        }
    }

    /// Checks the signature of a chunk that was read to its end.
    fn check_chunk(&mut self, signature: &str) -> Result<(), Refused> {
        let digest = std::mem::take(&mut self.digest).finalize();
        let signatures = self.signatures.as_mut();
        let accepted = signatures.is_none_or(|signatures| signatures.accept_chunk(&digest, signature));
        if accepted { Ok(()) } else { Err(Refused::Signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a body that comes in pieces of `length` bytes, without signatures.
    fn decode(body: &str, length: usize) -> Result<(String, Vec<(String, String)>), Refused> {
        let mut decoder = Decoder::new(None);
        let mut content = Vec::new();
        for piece in body.as_bytes().chunks(length) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(piece) = decoder.next(&mut input)? {
                content.extend_from_slice(&piece);
            }
        }
        Ok((String::from_utf8(content).unwrap(), decoder.finish()?))
    }

    type Expected<'e> = (&'e str, &'e [(&'e str, &'e str)]);

    #[track_caller]
    fn check(body: &str, expected: Result<Expected<'_>, Refused>) {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let expected = expected
            .map(|(content, trailers)| (content.to_string(), trailers.iter().map(owned).collect::<Vec<_>>()))
            .map_err(|error| error.to_string());
        for length in [1, 2, 3, 7, 1_000_000] {
            let found = decode(body, length).map_err(|error| error.to_string());
            assert_eq!(found, expected, "{body:?} by {length}");
        }
    }

    #[test]
    fn chunks_become_content_however_they_are_cut() {
        check("0\r\n\r\n", Ok(("", &[])));
        check("0\r\n", Ok(("", &[])));
        check("5\r\nhello\r\nA\r\n\r\n, world!\r\n0\r\n\r\n", Ok(("hello\r\n, world!", &[])));
        check("1;chunk-signature=x\r\na\r\n0\r\n\r\n", Ok(("a", &[])));
    }

    #[test]
    fn headers_behind_the_last_chunk_are_read() {
        check("1\r\na\r\n0\r\nX-Amz-Checksum-CRC32: AAAA==\r\n\r\n", Ok(("a", &[("x-amz-checksum-crc32", "AAAA==")])));
        check("0\r\na:b\r\n", Ok(("", &[("a", "b")])));
    }

    #[test]
    fn what_is_cut_off_or_no_chunk_is_refused() {
        for cut in ["", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "0", "0\r\na:b", "5\r\nhello\r\n3"] {
            check(cut, Err(Refused::Incomplete));
        }
        for malformed in ["\r\n", "x\r\n", "+5\r\nhello", "-1\r\n", "5\nhello", "1\r\nab\r\n", "0\r\nno header\r\n"] {
            check(malformed, Err(Refused::Malformed));
        }
        check("0\r\n\r\nmore", Err(Refused::Malformed));
        check("10000000000000000\r\n", Err(Refused::Malformed));
    }

    #[test]
    fn lines_and_trailers_hold_their_limits() {
        let line = |length: usize| format!("0;{}\r\n\r\n", "x".repeat(length - 4));
        check(&line(CHUNK_LINE_BYTES_MAX), Ok(("", &[])));
        check(&line(CHUNK_LINE_BYTES_MAX + 1), Err(Refused::Malformed));
        let trailers = |count: usize| decode(&format!("0\r\n{}\r\n", "a:b\r\n".repeat(count)), 100);
        assert_eq!(trailers(CHUNK_TRAILERS_MAX).unwrap().1.len(), CHUNK_TRAILERS_MAX);
        assert!(trailers(CHUNK_TRAILERS_MAX + 1).is_err());
    }
}
