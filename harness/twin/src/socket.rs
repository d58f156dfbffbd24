//! A connection's socket, which a fault may slow down or reset. Without a fault it is the TCP stream and a word.

mod pace;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use self::pace::{Lag, Pace};

/// A TCP stream, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    // On the heap: most connections have none, and there are many.
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug, Default)]
struct Trouble {
    lag: Option<Lag>,
    input: Option<Pace>,
    output: Option<Pace>,
    doomed: Option<Doom>,
}

/// Resets a connection from elsewhere: instead of the next byte that would go out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doom(Arc<AtomicBool>);

impl Doom {
    pub(crate) fn reset(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, trouble: None }
    }

    /// What comes in is `delay` late, and so many bytes a second pass each way.
    pub(crate) fn slow(stream: TcpStream, delay: Duration, bytes_per_s: Option<u64>) -> Self {
        let pace = || bytes_per_s.map(Pace::new);
        let lag = (!delay.is_zero()).then(|| Lag::new(delay));
        Self { stream, trouble: Some(Box::new(Trouble { lag, input: pace(), output: pace(), doomed: None })) }
    }

    /// By what it can be reset while others read and write it.
    pub(crate) fn doom(&mut self) -> Doom {
        self.trouble.get_or_insert_default().doomed.get_or_insert_default().clone()
    }

    /// Closing it will reset it: what is under way either way is lost.
    pub(crate) fn reset_on_close(&self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }

    pub(crate) fn set_nodelay(&self) {
        // Without it a connection is slower and no less right.
        let _ = self.stream.set_nodelay(true);
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// The peer's address and port, as a text; empty when it is gone.
    pub(crate) fn peer_text(&self) -> String {
        self.peer_addr().map(|peer| peer.to_string()).unwrap_or_default()
    }
}

impl Trouble {
    /// A reset takes the place of what would go out.
    fn meet_doom(&self, stream: &TcpStream) -> io::Result<()> {
        if !self.doomed.as_ref().is_some_and(|doom| doom.0.load(Ordering::Acquire)) {
            return Ok(());
        }
        stream.set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, trouble } = self.get_mut();
        let Some(trouble) = trouble else { return Pin::new(stream).poll_read(cx, buf) };
        if trouble.lag.is_none() && trouble.input.is_none() {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let bytes = match &mut trouble.input {
            Some(pace) => {
                if let Some(lag) = &mut trouble.lag {
                    // Time runs for what has come while the pace keeps its reader waiting.
                    lag.take(cx, stream)?;
                }
                ready!(pace.poll_allowed(cx)).min(buf.remaining())
            }
            None => buf.remaining(),
        };
        let read = if let Some(lag) = &mut trouble.lag {
            let seen = ready!(lag.poll_seen(cx, stream, bytes))?;
            buf.put_slice(&seen);
            seen.len()
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(bytes));
            ready!(Pin::new(stream).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buf.advance(read);
            read
        };
        if let Some(pace) = &mut trouble.input {
            pace.spend(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, trouble } = self.get_mut();
        let Some(trouble) = trouble else { return Pin::new(stream).poll_write(cx, buf) };
        trouble.meet_doom(stream)?;
        let Some(pace) = &mut trouble.output else { return Pin::new(stream).poll_write(cx, buf) };
        let bytes = ready!(pace.poll_allowed(cx)).min(buf.len());
        let written = ready!(Pin::new(stream).poll_write(cx, &buf[..bytes]))?;
        pace.spend(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, trouble } = &mut *self;
        if let Some(trouble) = trouble {
            trouble.meet_doom(stream)?;
        }
        if trouble.as_ref().is_none_or(|trouble| trouble.output.is_none()) {
            return Pin::new(stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, trouble } = self.get_mut();
        if let Some(trouble) = trouble {
            trouble.meet_doom(stream)?;
        }
        Pin::new(stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::Instant,
    };

    use super::*;

    const DELAY: Duration = Duration::from_millis(100);

    async fn pair(bytes_per_s: Option<u64>) -> (TcpStream, Socket) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, Socket::slow(server, DELAY, bytes_per_s))
    }

    #[tokio::test]
    async fn a_delay_comes_once_however_slowly_bytes_pass() {
        // Twenty pieces of fifty bytes: 950 ms for what follows the first, not a delay for each.
        let (mut client, mut server) = pair(Some(1_000)).await;
        let began = Instant::now();
        client.write_all(&[7; 1_000]).await.unwrap();
        client.shutdown().await.unwrap();
        let mut read = Vec::new();
        server.read_to_end(&mut read).await.unwrap();
        let took = began.elapsed();
        assert_eq!(read, [7; 1_000]);
        assert!(took >= DELAY + Duration::from_millis(850), "{took:?}");
        assert!(took < Duration::from_millis(1_900), "{took:?}");
    }

    #[tokio::test]
    async fn what_comes_is_late_by_the_same_and_whole() {
        let (mut client, mut server) = pair(None).await;
        let began = Instant::now();
        let sent: Vec<u8> = (0..30_000_u32).flat_map(u32::to_le_bytes).collect();
        let (mut reader, mut writer) = client.split();
        let expected = sent.clone();
        let write = async move {
            writer.write_all(&sent[..4]).await.unwrap();
            // It has its own time, which begins when it is sent.
            tokio::time::sleep(DELAY / 2).await;
            writer.write_all(&sent[4..8]).await.unwrap();
            let between = Instant::now();
            let mut answer = [0; 1];
            reader.read_exact(&mut answer).await.unwrap();
            writer.write_all(&sent[8..]).await.unwrap();
            writer.shutdown().await.unwrap();
            between
        };
        let read = async {
            let mut read = vec![0; 8];
            server.read_exact(&mut read[..4]).await.unwrap();
            let first = began.elapsed();
            server.read_exact(&mut read[4..8]).await.unwrap();
            let second = Instant::now();
            server.write_all(b"x").await.unwrap();
            server.read_to_end(&mut read).await.unwrap();
            (first, second, read)
        };
        let (between, (first, second, read)) = tokio::join!(write, read);
        assert!(first >= DELAY, "{first:?}");
        assert!(second - between >= DELAY, "{:?}", second - between);
        assert!(read == expected, "all of it, in order");
    }
}
