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
        if let Some(lag) = &mut trouble.lag {
            ready!(lag.poll_passed(cx, stream))?;
        }
        let Some(pace) = &mut trouble.input else { return Pin::new(stream).poll_read(cx, buf) };
        let bytes = ready!(pace.poll_allowed(cx)).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(bytes));
        ready!(Pin::new(stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        pace.spend(read);
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
