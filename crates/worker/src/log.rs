//! From bytes in a process's pipe to timestamped lines in its log stream.
//!
//! Standard output and standard error are one pipe, so the order of lines is the order of writes. A carriage return
//! inside a line becomes a newline in the record: that is how the bootstraps send a record of several lines as one.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::net::unix::pipe;

use crate::frames::Frames;
use crate::limits;

/// Takes what functions log. Called from async code, in order for each stream: must not block for long.
pub trait LogSink: Send + Sync {
    /// Appends lines to a stream; timestamps never decrease within one stream.
    fn append(&self, group: &str, stream: &str, lines: Vec<LogLine>);
}

/// One log event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The text, without its line end.
    pub message: String,
}

/// The reading end of a process's output.
pub(crate) struct Output {
    pipe: pipe::Receiver,
    buffer: Vec<u8>,
    ended: bool,
    pace: Pace,
}

/// How fast a process may write: at [`limits::OUTPUT_BYTES_PER_SECOND`], after a burst.
struct Pace {
    /// When everything that was read has been paid for at that rate.
    paid: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { paid: now }
    }

    /// Notes that so many bytes were read.
    fn note(&mut self, bytes: usize, now: Instant) {
        let price = Duration::from_secs_f64(bytes as f64 / limits::OUTPUT_BYTES_PER_SECOND as f64);
        self.paid = self.paid.max(now) + price;
    }

    /// Returns how long to wait before reading on.
    fn wait(&self, now: Instant) -> Duration {
        self.paid.saturating_duration_since(now + limits::OUTPUT_BURST)
    }
}

impl Output {
    /// Wraps the reading end of a pipe.
    pub(crate) fn new(reader: io::PipeReader) -> io::Result<Self> {
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok(Self { pipe, buffer: vec![0; limits::OUTPUT_READ_BYTES], ended: false, pace: Pace::new(Instant::now()) })
    }

    /// Waits for output and returns some. Cancel-safe. Never returns once every writer has closed its end. A process
    /// that writes faster than it may is read slower, until the pipe is full and it has to wait.
    pub(crate) async fn read(&mut self) -> &[u8] {
        while !self.ended {
            let wait = self.pace.wait(Instant::now());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            if self.pipe.readable().await.is_err() {
                break;
            }
            match self.pipe.try_read(&mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    self.pace.note(length, Instant::now());
                    return &self.buffer[..length];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
        }
        std::future::pending().await
    }

    /// Returns what is in the pipe now. It asks the kernel rather than the reactor, which may not have noticed yet,
    /// and takes no more than was there, so a process that writes without end cannot hold it.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        let mut left = rustix::io::ioctl_fionread(&self.pipe).map_or(0, |bytes| bytes as usize);
        let mut drained = Vec::with_capacity(left);
        while left > 0 {
            let window = left.min(self.buffer.len());
            match rustix::io::read(&self.pipe, &mut self.buffer[..window]) {
                Ok(0) | Err(_) => break,
                Ok(length) => {
                    drained.extend_from_slice(&self.buffer[..length]);
                    left -= length;
                }
            }
        }
        drained
    }
}

/// Splits output into lines and appends them to one log stream; remembers the tail for `LogType=Tail`.
pub(crate) struct Stream {
    sink: Arc<dyn LogSink>,
    group: String,
    name: String,
    /// Present if the process writes frames.
    frames: Option<Frames>,
    partial: Vec<u8>,
    last_ms: i64,
    tail: Vec<u8>,
}

impl Stream {
    /// Returns an empty stream.
    pub(crate) fn new(sink: Arc<dyn LogSink>, group: String, name: String, frames: Option<Frames>) -> Self {
        Self { sink, group, name, frames, partial: Vec::new(), last_ms: 0, tail: Vec::new() }
    }

    /// Appends the lines that these bytes complete; the rest waits for its newline.
    pub(crate) fn write(&mut self, bytes: &[u8], now: Timestamp) {
        match self.frames.as_mut().map(|frames| frames.unwrap(bytes)) {
            Some(lines) => self.write_lines(&lines, now),
            None => self.write_lines(bytes, now),
        }
    }

    fn write_lines(&mut self, bytes: &[u8], now: Timestamp) {
        let mut messages = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                messages.extend(split(std::mem::take(&mut self.partial)));
            } else if self.partial.len() > limits::LOG_LINE_BYTES_MAX {
                let mut pieces = split(std::mem::take(&mut self.partial));
                self.partial = pieces.pop().unwrap_or_default();
                messages.extend(pieces);
            }
        }
        self.append(messages.into_iter().map(|line| text(&line)).collect(), now);
    }

    /// Appends an unfinished line as it is; nothing will be added to it.
    pub(crate) fn flush(&mut self, now: Timestamp) {
        if let Some(frames) = &mut self.frames {
            self.partial.append(&mut frames.take_text());
        }
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.append(vec![text(&line)], now);
        }
    }

    /// Appends whole messages.
    pub(crate) fn append(&mut self, messages: Vec<String>, now: Timestamp) {
        if messages.is_empty() {
            return;
        }
        self.last_ms = self.last_ms.max(now.as_millisecond());
        for message in &messages {
            self.tail.extend_from_slice(message.as_bytes());
            self.tail.push(b'\n');
            if self.tail.len() > 2 * limits::LOG_TAIL_BYTES_MAX {
                self.tail.drain(..self.tail.len() - limits::LOG_TAIL_BYTES_MAX);
            }
        }
        let lines = messages.into_iter().map(|message| LogLine { at_ms: self.last_ms, message }).collect();
        self.sink.append(&self.group, &self.name, lines);
    }

    /// Forgets the tail: what follows belongs to another invocation.
    pub(crate) fn clear_tail(&mut self) {
        self.tail.clear();
    }

    /// Returns the last 4 KB since the tail was cleared.
    pub(crate) fn tail(&self) -> Vec<u8> {
        self.tail[self.tail.len().saturating_sub(limits::LOG_TAIL_BYTES_MAX)..].to_vec()
    }
}

/// Cuts a line into pieces that fit one log event, between characters if it is UTF-8.
fn split(mut line: Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while line.len() > limits::LOG_LINE_BYTES_MAX {
        let mut end = limits::LOG_LINE_BYTES_MAX;
        while end > limits::LOG_LINE_BYTES_MAX - 4 && line[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        let rest = line.split_off(end);
        pieces.push(std::mem::replace(&mut line, rest));
    }
    pieces.push(line);
    pieces
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    if text.contains('\r') { text.replace('\r', "\n") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<LogLine>>);

    impl LogSink for Kept {
        fn append(&self, _group: &str, _stream: &str, lines: Vec<LogLine>) {
            self.0.lock().unwrap().extend(lines);
        }
    }

    fn lines(writes: &[&[u8]]) -> Vec<String> {
        let kept = Arc::new(Kept::default());
        let mut stream = Stream::new(kept.clone(), "g".into(), "s".into(), None);
        for bytes in writes {
            stream.write(bytes, Timestamp::UNIX_EPOCH);
        }
        stream.flush(Timestamp::UNIX_EPOCH);
        let lines = kept.0.lock().unwrap();
        lines.iter().map(|line| line.message.clone()).collect()
    }

    #[tokio::test]
    async fn drain_takes_what_is_in_the_pipe_before_the_reactor_knows() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut output = Output::new(reader).unwrap();
        assert_eq!(output.drain(), b"");
        writer.write_all(b"first").unwrap();
        assert_eq!(output.drain(), b"first");
        writer.write_all(&[7; 60_000]).unwrap();
        assert_eq!(output.drain().len(), 60_000);
        writer.write_all(b"last").unwrap();
        assert_eq!(output.read().await, b"last");
        drop(writer);
        assert_eq!(output.drain(), b"");
    }

    #[test]
    fn burst_is_read_at_once_and_then_the_rate_holds() {
        let start = Instant::now();
        let (rate, burst) = (limits::OUTPUT_BYTES_PER_SECOND, limits::OUTPUT_BURST);
        let burst_bytes = rate * usize::try_from(burst.as_secs()).unwrap();
        let mut pace = Pace::new(start);
        pace.note(burst_bytes, start);
        assert_eq!(pace.wait(start), Duration::ZERO);
        pace.note(rate, start);
        assert_eq!(pace.wait(start), Duration::from_secs(1));
        assert_eq!(pace.wait(start + Duration::from_secs(1)), Duration::ZERO);
        // Who was quiet does not save up more than a burst.
        let later = start + Duration::from_secs(3600);
        pace.note(burst_bytes + rate, later);
        assert_eq!(pace.wait(later), Duration::from_secs(1));
    }

    #[test]
    fn lines_do_not_depend_on_how_they_are_cut() {
        let whole = lines(&[b"one\ntwo\r\nth\rree\n\nfour"]);
        assert_eq!(whole, ["one", "two", "th\nree", "", "four"]);
        let bytes: Vec<&[u8]> = b"one\ntwo\r\nth\rree\n\nfour".chunks(1).collect();
        assert_eq!(lines(&bytes), whole);
    }

    #[test]
    fn bytes_that_are_not_text_are_kept_as_replacement_characters() {
        assert_eq!(lines(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn line_at_the_limit_is_whole_and_one_past_is_split() {
        let max = limits::LOG_LINE_BYTES_MAX;
        let lengths = |bytes: &[u8]| lines(&[bytes]).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&vec![b'x'; max]), [max]);
        assert_eq!(lengths(&vec![b'x'; max + 1]), [max, 1]);
        let mut ended = vec![b'x'; max + 1];
        ended.push(b'\n');
        assert_eq!(lengths(&ended), [max, 1]);
        let wide = "é".repeat(max);
        assert_eq!(lines(&[wide.as_bytes()]).concat(), wide);
    }

    #[test]
    fn timestamps_never_decrease() {
        let kept = Arc::new(Kept::default());
        let mut stream = Stream::new(kept.clone(), "g".into(), "s".into(), None);
        for ms in [5, 3, 7] {
            stream.write(b"x\n", Timestamp::from_millisecond(ms).unwrap());
        }
        assert_eq!(kept.0.lock().unwrap().iter().map(|line| line.at_ms).collect::<Vec<_>>(), [5, 5, 7]);
    }

    #[test]
    fn tail_is_the_last_4_kb() {
        let mut stream = Stream::new(Arc::new(Kept::default()), "g".into(), "s".into(), None);
        stream.write(b"old\n", Timestamp::UNIX_EPOCH);
        stream.clear_tail();
        assert_eq!(stream.tail(), b"");
        for _ in 0..5000 {
            stream.write(b"abc\n", Timestamp::UNIX_EPOCH);
        }
        stream.write(b"end\n", Timestamp::UNIX_EPOCH);
        let tail = stream.tail();
        assert_eq!(tail.len(), limits::LOG_TAIL_BYTES_MAX);
        assert!(tail.ends_with(b"abc\nend\n"));
    }
}
