//! Lines of limited length from a stream.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// One line, or the news that one was too long and has been skipped.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its break; never empty.
    Text(Vec<u8>),
    /// A line longer than the limit; its bytes are gone.
    TooLong,
}

/// Splits a stream into lines. At most `limit` bytes and one read are held in memory.
pub struct Lines<R> {
    source: R,
    buffer: Vec<u8>,
    searched: usize,
    limit: usize,
    skipping: bool,
    ended: bool,
}

const READ: usize = 16 * 1024;

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of `source`, at most `limit` bytes each.
    pub fn new(source: R, limit: usize) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            searched: 0,
            limit,
            skipping: false,
            ended: false,
        }
    }

    /// The next line that isn't blank; `None` at the end. Safe to cancel: nothing read is lost.
    ///
    /// # Errors
    /// Those of the stream.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            self.buffer.reserve(READ);
            let read = (&mut self.source)
                .take(READ as u64)
                .read_buf(&mut self.buffer)
                .await?;
            if read == 0 {
                self.ended = true;
                if !self.buffer.is_empty() || self.skipping {
                    // The last line may lack its break.
                    self.buffer.push(b'\n');
                }
            }
        }
    }

    /// The stream itself. Bytes read ahead are gone: for a stream whose last line was complete.
    pub fn into_source(self) -> R {
        self.source
    }

    fn take_line(&mut self) -> Option<Line> {
        loop {
            let found = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + self.searched);
            let Some(end) = found else {
                if self.skipping || self.buffer.len() > self.limit {
                    self.skipping = true;
                    self.buffer = Vec::new();
                }
                self.searched = self.buffer.len();
                return None;
            };
            let rest = self.buffer.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.buffer, rest);
            self.searched = 0;
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if std::mem::take(&mut self.skipping) || line.len() > self.limit {
                return Some(Line::TooLong);
            }
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Some(Line::Text(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8], limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(input, limit);
        let mut out = Vec::new();
        while let Some(line) = lines.next().await.expect("reads") {
            out.push(line);
        }
        out
    }

    fn text(line: &str) -> Line {
        Line::Text(line.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn blank_lines_are_skipped_and_the_last_needs_no_break() {
        assert_eq!(
            all(b"one\n\n  \r\ntwo\r\nthree", 100).await,
            [text("one"), text("two"), text("three")]
        );
        assert_eq!(all(b"", 100).await, []);
    }

    #[tokio::test]
    async fn a_line_past_the_limit_is_dropped_and_the_next_one_read() {
        assert_eq!(
            all(b"12345\n123456\nok\n", 5).await,
            [text("12345"), Line::TooLong, text("ok")]
        );
        let mut long = vec![b'x'; 200_000];
        long.extend_from_slice(b"\nok");
        assert_eq!(all(&long, 1000).await, [Line::TooLong, text("ok")]);
        assert_eq!(all(&vec![b'x'; 200_000], 1000).await, [Line::TooLong]);
    }
}
