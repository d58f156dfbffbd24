//! One MQTT connection, from CONNECT to its end.

use std::{cell::RefCell, future::poll_fn, num::NonZeroU16, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use rmqtt_codec::{
    types::{Publish, QoS},
    v3::{self, ConnectAck, ConnectAckReason, LastWill, Packet, SubscribeReturnCode},
    version::{ProtocolVersion, VersionCodec},
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Delivery, Seat, black_hole,
    service::{self, ShadowTopic},
    topic,
};
use crate::{
    authorize::{Variables, allowed},
    region::Region,
    registry::CertificateStatus,
    world::World,
};

/// AWS's limit of a message's payload.
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// AWS's limit of a packet, with room for the topic.
const PACKET_BYTES_MAX: u32 = 146 * 1024;
/// CONNECT has to come within this time.
const CONNECT_S_MAX: u64 = 10;
/// Filters in one SUBSCRIBE; more end the connection.
const FILTERS_PER_SUBSCRIBE_MAX: usize = 8;
/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 50;
/// Keep-alive: what AWS makes of 0, and of less than 30.
const KEEP_ALIVE_S_DEFAULT: u16 = 1_200;
const KEEP_ALIVE_S_MIN: u16 = 30;
/// Messages written to a subscriber in one go.
const DELIVERIES_PER_WRITE_MAX: usize = 64;
/// A read takes at most this much at a time.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// One buffer a thread for all connections: an idle connection holds none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// DISCONNECT: no will.
    Client,
    /// Anything else: the will is published.
    Lost,
    /// The Region went dark: nothing is published.
    Dark,
}

struct Connection<'a> {
    world: &'a Arc<World>,
    region: &'a Arc<Region>,
    stream: TlsStream<TcpStream>,
    input: BytesMut,
    output: BytesMut,
    codec: v3::Codec,
    principal: String,
    variables: Variables,
    subscriptions: usize,
    packet_id: u16,
}

/// Serves one connection whose peer proved to have the key of `certificate`.
pub(super) async fn serve(
    world: &Arc<World>,
    region: &Arc<Region>,
    stream: TlsStream<TcpStream>,
    certificate: &str,
    sni: Option<&str>,
) {
    let Some(principal) = admit(region, certificate, sni) else {
        return;
    };
    let mut connection = Connection {
        world,
        region,
        stream,
        input: BytesMut::new(),
        output: BytesMut::new(),
        codec: v3::Codec::new(PACKET_BYTES_MAX),
        principal,
        variables: Variables::default(),
        subscriptions: 0,
        packet_id: 0,
    };
    let connect = timeout(Duration::from_secs(CONNECT_S_MAX), connection.connect());
    let connected = tokio::select! {
        () = region.dark.wait(true) => return black_hole(region, &mut connection.stream).await,
        connected = connect => connected,
    };
    let Ok(Some((keep_alive, will))) = connected else {
        return;
    };
    let client_id = connection.variables.client_id.clone();
    let mut seat = region.broker.connect(&client_id);
    let end = connection.run(&mut seat, keep_alive).await;
    region.broker.disconnect(&client_id, seat.connection);
    match (end, will) {
        (End::Dark, _) => black_hole(region, &mut connection.stream).await,
        (End::Lost, Some(will)) if !will.topic.starts_with('$') => {
            service::publish(world, region, &will.topic, &will.message, will.qos);
        }
        _ => {}
    }
}

/// The principal's ARN, if its certificate is registered and ACTIVE here. One that was registered without a CA needs SNI.
fn admit(region: &Region, certificate: &str, sni: Option<&str>) -> Option<String> {
    let registry = region.registry.lock();
    let found = registry.certificate(certificate).ok()?;
    let named = found.mode != "SNI_ONLY" || sni == Some(region.endpoint.as_str());
    (found.status == CertificateStatus::Active && named).then(|| registry.arn(&format!("cert/{certificate}")))
}

impl Connection<'_> {
    /// Reads CONNECT and answers it. `None`: refused.
    async fn connect(&mut self) -> Option<(Duration, Option<LastWill>)> {
        let version = loop {
            match VersionCodec.decode(&mut self.input) {
                Ok(Some(version)) => break version,
                Ok(None) if self.read().await => {}
                _ => return None,
            }
        };
        if version == ProtocolVersion::MQTT5 {
            // CONNACK of MQTT 5: unsupported protocol version.
            let _ = self.stream.write_all(&[0x20, 3, 0, 0x84, 0]).await;
            return None;
        }
        let packet = loop {
            match self.codec.decode(&mut self.input) {
                Ok(Some((packet, _))) => break packet,
                Ok(None) if self.read().await => {}
                _ => return None,
            }
        };
        let Packet::Connect(connect) = packet else {
            return None;
        };
        let client_id = connect.client_id.to_string();
        let attached = self.region.registry.lock().is_attached(&client_id, &self.principal);
        self.variables =
            Variables { client_id: client_id.clone(), thing_name: attached.then(|| client_id.clone()) };
        if client_id.is_empty() || !self.allowed("iot:Connect", "client", &client_id) {
            // AWS answers 7 and not 5 to those that it does not know.
            let _ = self.stream.write_all(&[0x20, 2, 0, 7]).await;
            let _ = self.stream.shutdown().await;
            return None;
        }
        let accepted =
            ConnectAck { return_code: ConnectAckReason::ConnectionAccepted, session_present: false };
        self.queue(Packet::ConnectAck(accepted));
        self.flush().await.then_some((keep_alive(connect.keep_alive), connect.last_will))
    }

    async fn run(&mut self, seat: &mut Seat, keep_alive: Duration) -> End {
        let mut silent_until = Instant::now() + keep_alive;
        loop {
            tokio::select! {
                () = self.region.dark.wait(true) => return End::Dark,
                () = seat.taken_over.cancelled() => return End::Lost,
                () = sleep_until(silent_until) => return End::Lost,
                delivery = seat.queue.recv() => {
                    let Some(delivery) = delivery else { return End::Lost };
                    self.deliver(delivery);
                    for _ in 1..DELIVERIES_PER_WRITE_MAX {
                        let Ok(delivery) = seat.queue.try_recv() else { break };
                        self.deliver(delivery);
                    }
                }
                read = read(&mut self.stream, &mut self.input) => {
                    if !read {
                        return End::Lost;
                    }
                    silent_until = Instant::now() + keep_alive;
                    if let Some(end) = self.packets() {
                        let _ = self.flush().await;
                        return end;
                    }
                }
            }
            if !self.flush().await {
                return End::Lost;
            }
        }
    }

    /// Handles every whole packet that was read.
    fn packets(&mut self) -> Option<End> {
        loop {
            match self.codec.decode(&mut self.input) {
                Ok(Some((packet, _))) => {
                    if let Some(end) = self.packet(packet) {
                        return Some(end);
                    }
                }
                Ok(None) => {
                    if self.input.is_empty() {
                        self.input = BytesMut::new();
                    }
                    return None;
                }
                Err(_) => return Some(End::Lost),
            }
        }
    }

    fn packet(&mut self, packet: Packet) -> Option<End> {
        match packet {
            Packet::Publish(publish) => self.publish(&publish),
            Packet::Subscribe { packet_id, topic_filters } => self.subscribe(packet_id, &topic_filters),
            Packet::Unsubscribe { packet_id, topic_filters } => {
                for filter in &topic_filters {
                    self.region.broker.unsubscribe(&self.variables.client_id, filter);
                    self.subscriptions = self.subscriptions.saturating_sub(1);
                }
                self.queue(Packet::UnsubscribeAck { packet_id });
                None
            }
            Packet::PingRequest => {
                self.queue(Packet::PingResponse);
                None
            }
            Packet::PublishAck { .. } => None,
            Packet::Disconnect => Some(End::Client),
            // A second CONNECT, QoS 2, or what only a server sends.
            _ => Some(End::Lost),
        }
    }

    /// A publish that is not allowed, or does not fit, ends the connection, as on AWS.
    fn publish(&mut self, publish: &Publish) -> Option<End> {
        let topic = publish.topic.as_ref();
        let fits = topic::is_topic(topic)
            && publish.payload.len() <= PAYLOAD_BYTES_MAX
            && publish.qos != QoS::ExactlyOnce;
        if !fits || !self.allowed("iot:Publish", "topic", topic) {
            return Some(End::Lost);
        }
        match ShadowTopic::parse(topic) {
            Some(shadow) => {
                service::publish(self.world, self.region, topic, &publish.payload, publish.qos);
                service::shadow_request(self.world, self.region, shadow, &publish.payload);
            }
            None if topic.starts_with('$') => return Some(End::Lost),
            None => service::publish(self.world, self.region, topic, &publish.payload, publish.qos),
        }
        if let (QoS::AtLeastOnce, Some(packet_id)) = (publish.qos, publish.packet_id) {
            self.queue(Packet::PublishAck { packet_id });
        }
        None
    }

    fn subscribe(&mut self, packet_id: NonZeroU16, filters: &[(ByteString, QoS)]) -> Option<End> {
        if filters.len() > FILTERS_PER_SUBSCRIBE_MAX {
            return Some(End::Lost);
        }
        let status = filters
            .iter()
            .map(|(filter, qos)| {
                let qos = qos.less_value(QoS::AtLeastOnce);
                let fits = topic::is_filter(filter) && self.subscriptions < SUBSCRIPTIONS_MAX;
                if fits && self.allowed("iot:Subscribe", "topicfilter", filter) {
                    self.subscriptions += 1;
                    self.region.broker.subscribe(&self.variables.client_id, filter, qos);
                    SubscribeReturnCode::Success(qos)
                } else {
                    SubscribeReturnCode::Failure
                }
            })
            .collect();
        self.queue(Packet::SubscribeAck { packet_id, status });
        None
    }

    fn allowed(&self, action: &str, kind: &str, name: &str) -> bool {
        let registry = self.region.registry.lock();
        let policies = registry.attached_policies(&self.principal);
        let resource = registry.arn(&format!("{kind}/{name}"));
        allowed(policies.iter().map(|p| p.parsed.as_ref()), action, &resource, &self.variables)
    }

    fn deliver(&mut self, delivery: Delivery) {
        let packet_id = if delivery.qos == QoS::AtLeastOnce {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            NonZeroU16::new(self.packet_id)
        } else {
            None
        };
        self.queue(Packet::Publish(Box::new(Publish {
            dup: false,
            retain: false,
            qos: delivery.qos,
            topic: delivery.topic,
            packet_id,
            payload: delivery.payload,
            properties: None,
        })));
    }

    fn queue(&mut self, packet: Packet) {
        if let Err(error) = self.codec.encode(packet, &mut self.output) {
            tracing::debug!(%error, "a packet could not be encoded");
        }
    }

    async fn read(&mut self) -> bool {
        read(&mut self.stream, &mut self.input).await
    }

    /// Writes what is queued; `false` when the connection broke.
    async fn flush(&mut self) -> bool {
        if self.output.is_empty() {
            return true;
        }
        let output: Bytes = std::mem::take(&mut self.output).freeze();
        // A peer that stops reading must not hold this task for ever: its queue is bounded and its keep-alive ends it,
        // but only if the write ends.
        let write = async {
            self.stream.write_all(&output).await?;
            self.stream.flush().await
        };
        matches!(timeout(Duration::from_secs(CONNECT_S_MAX), write).await, Ok(Ok(())))
    }
}

/// Reads what is there into `input`; `false` at the end of the stream. Nothing is lost when this future is dropped.
async fn read(stream: &mut TlsStream<TcpStream>, input: &mut BytesMut) -> bool {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {
                    input.extend_from_slice(buffer.filled());
                    Poll::Ready(!buffer.filled().is_empty())
                }
                Poll::Ready(Err(_)) => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        })
    })
    .await
}

/// AWS's keep-alive for what the client asked, and the half more that it grants.
fn keep_alive(asked_s: u16) -> Duration {
    let s = match asked_s {
        0 => KEEP_ALIVE_S_DEFAULT,
        s => s.clamp(KEEP_ALIVE_S_MIN, KEEP_ALIVE_S_DEFAULT),
    };
    Duration::from_millis(u64::from(s) * 1_500)
}
