//! How slow a connection is: bytes a second, and how late what comes in is seen.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// Parts of a second in which bytes are let through, so that they flow rather than come in one go.
const PARTS: u64 = 20;
/// What may be on its way in one connection: the sender waits for the rest, as if its window were full.
const UNDER_WAY_BYTES_MAX: usize = 64 * 1024;
/// What is taken from the network at once.
const PIECE_BYTES: usize = 4 * 1024;

/// Bytes a second one way.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_s: u64,
    free_at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Pace {
    pub(super) fn new(bytes_per_s: u64) -> Self {
        let now = Instant::now();
        Self { bytes_per_s, free_at: now, sleep: Box::pin(sleep_until(now)) }
    }

    /// How many bytes may pass next: at least one.
    pub(super) fn poll_allowed(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if Instant::now() < self.free_at {
            self.sleep.as_mut().reset(self.free_at);
            ready!(self.sleep.as_mut().poll(cx));
        }
        Poll::Ready(usize::try_from((self.bytes_per_s / PARTS).max(1)).unwrap_or(usize::MAX))
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        let took = Duration::from_secs_f64(bytes as f64 / self.bytes_per_s as f64);
        self.free_at = self.free_at.max(Instant::now()) + took;
    }
}

/// How late what comes in is seen: each byte by the same time, however slowly they are read.
#[derive(Debug)]
pub(super) struct Lag {
    delay: Duration,
    /// What has come, and when it may be seen. An empty piece is the end.
    under_way: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    ended: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Lag {
    pub(super) fn new(delay: Duration) -> Self {
        let sleep = Box::pin(sleep_until(Instant::now()));
        Self { delay, under_way: VecDeque::new(), bytes: 0, ended: false, sleep }
    }

    /// Takes what has come from the network, so that its time runs.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, stream: &mut TcpStream) -> io::Result<()> {
        while !self.ended && self.bytes < UNDER_WAY_BYTES_MAX {
            let mut piece = [0; PIECE_BYTES];
            let mut buf = ReadBuf::new(&mut piece);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Pending => break,
                Poll::Ready(read) => read?,
            }
            let piece = Bytes::copy_from_slice(buf.filled());
            self.ended = piece.is_empty();
            self.bytes += piece.len();
            self.under_way.push_back((Instant::now() + self.delay, piece));
        }
        Ok(())
    }

    /// Waits until there is something to see, and hands out at most so many bytes of it; none at the end.
    pub(super) fn poll_seen(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TcpStream,
        bytes_max: usize,
    ) -> Poll<io::Result<Bytes>> {
        self.take(cx, stream)?;
        // Nothing is under way: the network wakes the reader.
        let Some((seen_at, piece)) = self.under_way.front_mut() else { return Poll::Pending };
        if Instant::now() < *seen_at {
            self.sleep.as_mut().reset(*seen_at);
            ready!(self.sleep.as_mut().poll(cx));
        }
        let part = piece.split_to(piece.len().min(bytes_max));
        self.bytes -= part.len();
        if piece.is_empty() && !part.is_empty() {
            self.under_way.pop_front();
        }
        Poll::Ready(Ok(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_take_their_time() {
        let mut pace = Pace::new(1_000);
        let start = Instant::now();
        let mut passed = 0;
        while passed < 200 {
            let allowed = std::future::poll_fn(|cx| pace.poll_allowed(cx)).await;
            assert_eq!(allowed, 50);
            pace.spend(allowed);
            passed += allowed;
        }
        std::future::poll_fn(|cx| pace.poll_allowed(cx)).await;
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(200), "{took:?}");
    }
}
