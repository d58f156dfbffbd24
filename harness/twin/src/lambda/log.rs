//! What an instance writes: to the twin's log, and the end of it kept for callers that ask for it.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is read in one piece.
const PIECE_BYTES_MAX: usize = 8 * 1024;
/// What a caller is given, as AWS has it.
pub(crate) const TAIL_BYTES_MAX: usize = 4 * 1024;

/// The end of what an instance has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    tail: Arc<Mutex<VecDeque<u8>>>,
}

impl Log {
    /// Takes what the child writes, until it ends.
    pub(crate) fn follow(&self, function: &str, output: Option<impl AsyncRead + Unpin + Send + 'static>) {
        let Some(mut output) = output else { return };
        let (function, log) = (function.to_owned(), self.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; PIECE_BYTES_MAX];
            while let Ok(count @ 1..) = output.read(&mut buffer).await {
                for line in String::from_utf8_lossy(&buffer[..count]).lines() {
                    tracing::debug!(function, "{line}");
                }
                log.write(&buffer[..count]);
            }
        });
    }

    /// Adds a line of our own.
    pub(crate) fn line(&self, line: &str) {
        self.write(line.as_bytes());
        self.write(b"\n");
    }

    fn write(&self, bytes: &[u8]) {
        let mut tail = self.tail.lock();
        tail.extend(bytes);
        let over = tail.len().saturating_sub(TAIL_BYTES_MAX);
        tail.drain(..over);
    }

    /// Forgets what was written before.
    pub(crate) fn clear(&self) {
        self.tail.lock().clear();
    }

    pub(crate) fn tail(&self) -> Vec<u8> {
        self.tail.lock().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_kilobytes_are_kept() {
        let log = Log::default();
        log.write(&[b'a'; TAIL_BYTES_MAX]);
        log.line("end");
        let tail = log.tail();
        assert_eq!((tail.len(), &tail[TAIL_BYTES_MAX - 4..]), (TAIL_BYTES_MAX, &b"end\n"[..]));
        log.clear();
        assert!(log.tail().is_empty());
    }
}
