//! How slow a connection is: bytes a second, and how late what comes in is seen.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// Parts of a second in which bytes are let through, so that they flow rather than come in one go.
const PARTS: u64 = 20;

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

/// How late what comes in is seen.
#[derive(Debug)]
pub(super) struct Lag {
    delay: Duration,
    /// When what has come may be seen.
    seen_at: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Lag {
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay, seen_at: None, sleep: Box::pin(sleep_until(Instant::now())) }
    }

    /// Waits until there is something to read, and then for the delay.
    pub(super) fn poll_passed(&mut self, cx: &mut Context<'_>, stream: &TcpStream) -> Poll<io::Result<()>> {
        let seen_at = if let Some(at) = self.seen_at {
            at
        } else {
            ready!(stream.poll_read_ready(cx))?;
            *self.seen_at.insert(Instant::now() + self.delay)
        };
        if Instant::now() < seen_at {
            self.sleep.as_mut().reset(seen_at);
            ready!(self.sleep.as_mut().poll(cx));
        }
        self.seen_at = None;
        Poll::Ready(Ok(()))
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
