//! The thinnest client that loads a broker: MQTT 3.1.1 over TLS, packets built once and written as they are.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::identity::Identity;

/// No step of a device takes longer.
const STEP_MAX: Duration = Duration::from_mins(1);
/// Seconds, AWS's longest: nothing has to be sent while a connection is held.
const KEEP_ALIVE_S: u16 = 1_200;
/// Payload of every message.
const PAYLOAD_BYTES: usize = 256;
/// Messages in one write, as a device with a buffered writer sends a burst.
const BATCH: usize = 10;
const PUBACK: u8 = 0x40;
const PUBACK_BYTES: usize = 4;

/// A connected device.
pub(crate) struct Device {
    stream: TlsStream<TcpStream>,
    /// PUBLISH at QoS 0, and at QoS 1 with the packet id left open at `packet_id_at`.
    qos0: Vec<u8>,
    qos1: Vec<u8>,
    packet_id_at: usize,
    packet_id: u16,
    read: Vec<u8>,
}

impl Device {
    /// TCP, TLS with the device's certificate, CONNECT, CONNACK.
    pub(crate) async fn connect(
        identity: &Identity,
        address: SocketAddr,
        server: ServerName<'static>,
    ) -> Result<Self> {
        timeout(STEP_MAX, Self::connect_unbounded(identity, address, server)).await?
    }

    async fn connect_unbounded(
        identity: &Identity,
        address: SocketAddr,
        server: ServerName<'static>,
    ) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let mut stream = TlsConnector::from(identity.tls.clone()).connect(server, socket).await?;
        let mut connect = vec![0x10, 0, 0, 4, b'M', b'Q', b'T', b'T', 4, 2];
        connect.extend(KEEP_ALIVE_S.to_be_bytes());
        connect.extend(text(&identity.name)?);
        connect[1] = u8::try_from(connect.len() - 2)?;
        stream.write_all(&connect).await?;
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).await?;
        if connack != [0x20, 2, 0, 0] {
            bail!("{}: refused with {connack:?}", identity.name);
        }
        let topic = text(&format!("dt/{}/data", identity.name))?;
        let (qos0, _) = publish(0x30, &topic)?;
        let (qos1, packet_id_at) = publish(0x32, &topic)?;
        Ok(Self { stream, qos0, qos1, packet_id_at, packet_id: 0, read: Vec::new() })
    }

    /// Sends messages at `QoS` 0 and one at `QoS` 1 behind them, whose acknowledgement proves that all were handled.
    pub(crate) async fn burst_qos0(&mut self, messages: usize) -> Result<()> {
        let batch: Vec<u8> = self.qos0.repeat(BATCH);
        for _ in 0..messages / BATCH {
            self.stream.write_all(&batch).await?;
        }
        self.burst_qos1(1, 1).await
    }

    /// Sends messages at `QoS` 1, at most `window` of them unacknowledged.
    pub(crate) async fn burst_qos1(&mut self, messages: usize, window: usize) -> Result<()> {
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < messages {
            let free = (window - (sent - acknowledged)).min(messages - sent);
            if free > 0 {
                let batch = self.next_qos1(free);
                self.stream.write_all(&batch).await?;
                sent += free;
            }
            acknowledged += self.acknowledgements().await?;
        }
        Ok(())
    }

    fn next_qos1(&mut self, messages: usize) -> Vec<u8> {
        let mut batch = self.qos1.repeat(messages);
        for n in 0..messages {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            let at = n * self.qos1.len() + self.packet_id_at;
            batch[at..at + 2].copy_from_slice(&self.packet_id.to_be_bytes());
        }
        batch
    }

    /// Reads at least one PUBACK.
    async fn acknowledgements(&mut self) -> Result<usize> {
        let mut buffer = [0; 512];
        while self.read.len() < PUBACK_BYTES {
            match timeout(STEP_MAX, self.stream.read(&mut buffer)).await?? {
                0 => bail!("the broker closed the connection"),
                read => self.read.extend_from_slice(&buffer[..read]),
            }
        }
        let whole = self.read.len() / PUBACK_BYTES * PUBACK_BYTES;
        if self.read[..whole].chunks(PUBACK_BYTES).any(|packet| packet[0] != PUBACK) {
            bail!("something else than PUBACK came");
        }
        self.read.drain(..whole);
        Ok(whole / PUBACK_BYTES)
    }
}

fn text(value: &str) -> Result<Vec<u8>> {
    Ok([&u16::try_from(value.len())?.to_be_bytes()[..], value.as_bytes()].concat())
}

/// A PUBLISH, and where its packet id is.
fn publish(kind: u8, topic: &[u8]) -> Result<(Vec<u8>, usize)> {
    let packet_id: &[u8] = if kind == 0x30 { &[] } else { &[0, 0] };
    let rest = topic.len() + packet_id.len() + PAYLOAD_BYTES;
    // 256 bytes and a topic: two bytes of remaining length.
    let length = [u8::try_from(rest % 128)? | 0x80, u8::try_from(rest / 128)?];
    let head = [&[kind], &length[..], topic].concat();
    Ok(([&head[..], packet_id, &vec![b'x'; PAYLOAD_BYTES]].concat(), head.len()))
}
