//! A connection's bytes: TLS, what was read and not yet understood, what is to be written. Idle, it holds no buffer: all
//! connections of a thread read into one.

use std::{cell::RefCell, future::poll_fn, net::IpAddr, pin::Pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    time::timeout,
};
use tokio_rustls::server::TlsStream;

use crate::socket::Socket;

/// A read takes at most this much at a time.
const READ_BYTES: usize = 16 * 1024;
/// A peer that stops reading must not hold its task for ever: its queue is bounded and its keep-alive ends it, but only
/// if the write ends.
const WRITE_MAX: Duration = Duration::from_secs(10);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// The socket of one connection, with what is on its way in and out.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Box<TlsStream<Socket>>,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: Box<TlsStream<Socket>>) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new() }
    }

    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.stream.get_ref().0.peer_addr().ok().map(|address| address.ip())
    }

    /// The peer's address and port, as a text; empty when it is gone.
    pub(super) fn address(&self) -> String {
        self.stream.get_ref().0.peer_text()
    }

    /// Reads what is there; 0 at the end of the stream. Nothing is lost when this future is dropped.
    pub(super) async fn read(&mut self) -> usize {
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) => {
                        self.input.extend_from_slice(buffer.filled());
                        Poll::Ready(buffer.filled().len())
                    }
                    Poll::Ready(Err(_)) => Poll::Ready(0),
                    Poll::Pending => Poll::Pending,
                }
            })
        })
        .await
    }

    /// Gives the input's buffer back when all of it was understood.
    pub(super) fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Writes what waits; `false` when the connection broke.
    pub(super) async fn flush(&mut self) -> bool {
        if self.output.is_empty() {
            return true;
        }
        let output: Bytes = std::mem::take(&mut self.output).freeze();
        let write = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        matches!(timeout(WRITE_MAX, write).await, Ok(Ok(())))
    }

    /// The connection is reset, and what is to be written is not.
    pub(super) fn reset(&mut self) {
        self.output.clear();
        self.stream.get_ref().0.reset_on_close();
    }

    /// Says goodbye in TLS, so that the peer reads what was written to it.
    pub(super) async fn close(&mut self) {
        let _ = timeout(WRITE_MAX, self.stream.shutdown()).await;
    }
}
