//! Records that say how long they are, as AWS's runtime client for Java writes them: a record needs no newline at its
//! end, and may have some inside. They stand between lines of plain text, in the order of writes.
//!
//! A [`Frames`] makes lines of them, each record one, with carriage returns for the newlines inside, as the bootstraps
//! send records of several lines. It decides nothing else.
//!
//! A frame is four bytes of kind, four of length and eight of time, the first byte first, and the record.

/// How every kind begins. No text in UTF-8 has these bytes.
const BEGINNING: [u8; 3] = [0xA5, 0x5A, 0x00];

/// Bytes before a record.
const HEADER_BYTES: usize = 16;

/// Where the length is in them.
const LENGTH: std::ops::Range<usize> = 4..8;

/// Makes lines of frames, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What may become a header.
    header: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
    /// Whether the last line is unfinished.
    in_line: bool,
}

impl Frames {
    /// Returns what can be told of the output so far.
    pub(crate) fn unwrap(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.left > 0 {
                lines.push(if *byte == b'\n' { b'\r' } else { *byte });
                self.left -= 1;
                if self.left == 0 {
                    lines.push(b'\n');
                }
                continue;
            }
            self.header.push(*byte);
            let known = self.header.len().min(BEGINNING.len());
            if self.header[..known] != BEGINNING[..known] {
                // The last byte may begin a header where those before it did not.
                let again = *byte == BEGINNING[0] && self.header.len() > 1;
                self.header.truncate(self.header.len() - usize::from(again));
                lines.append(&mut self.take_text());
                self.header.extend(again.then_some(*byte));
            } else if self.header.len() == HEADER_BYTES {
                let length = self.header[LENGTH].try_into().expect("four bytes");
                self.left = u32::from_be_bytes(length) as usize;
                self.header.clear();
                if std::mem::take(&mut self.in_line) {
                    lines.push(b'\n');
                }
            }
        }
        lines
    }

    /// Returns what began like a header and will not be finished.
    pub(crate) fn take_text(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.header);
        self.in_line = text.last().map_or(self.in_line, |byte| *byte != b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(record: &str) -> Vec<u8> {
        let length = u32::try_from(record.len()).unwrap().to_be_bytes();
        [&[0xA5, 0x5A, 0x00, 0x03], &length[..], &[0; 8], record.as_bytes()].concat()
    }

    /// The output comes whole, and byte by byte.
    #[track_caller]
    fn check(output: &[Vec<u8>], expected: &[u8]) {
        let output = output.concat();
        for size in [output.len().max(1), 1] {
            let mut frames = Frames::default();
            let mut lines: Vec<u8> = output.chunks(size).flat_map(|piece| frames.unwrap(piece)).collect();
            lines.append(&mut frames.take_text());
            assert_eq!(lines, expected, "{} in pieces of {size}", String::from_utf8_lossy(&lines));
        }
    }

    #[test]
    fn records_become_lines() {
        check(&[frame("one"), frame("two")], b"one\ntwo\n");
        check(&[frame("a\nb"), frame("c\n")], b"a\rb\nc\r\n");
        check(&[b"printed\n".to_vec(), frame("logged"), b"printed\n".to_vec()], b"printed\nlogged\nprinted\n");
    }

    #[test]
    fn record_ends_a_line_that_was_begun() {
        check(&[b"begun".to_vec(), frame("logged")], b"begun\nlogged\n");
        check(&[frame("logged"), b"begun".to_vec(), frame("again")], b"logged\nbegun\nagain\n");
    }

    #[test]
    fn text_that_looks_like_the_beginning_of_a_frame_stays() {
        for text in ["\u{e5}", "\u{e5}Z", "\u{e5}\u{e5}Z\n", "plain"] {
            check(&[text.as_bytes().to_vec()], text.as_bytes());
        }
        check(&[vec![0xA5, 0xA5, 0x5A, 0xA5], frame("x")], &[0xA5, 0xA5, 0x5A, 0xA5, b'\n', b'x', b'\n']);
        check(&[frame("x")[..9].to_vec()], &frame("x")[..9]);
    }
}
