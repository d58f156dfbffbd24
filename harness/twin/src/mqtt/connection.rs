//! One MQTT connection, from CONNECT to its end.

mod handshake;
mod inbound;
mod outbound;

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc, time::Duration};

use bytestring::ByteString;
use handshake::{Greeting, Identity};
use rmqtt_codec::v5::ToReasonCode;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    black_hole,
    codec::Codec,
    end::End,
    grants::Grants,
    limits::{OFFLINE_DRAIN_PER_S, REDELIVERY, REDELIVERY_MAX_V3, REDELIVERY_MAX_V5},
    message::Will,
    packet::Outgoing,
    presence::Presence,
    service,
    session::{Departure, Seat},
    topic,
    wire::Wire,
};
use crate::{
    bucket::Bucket,
    fault::Kind,
    region::Region,
    registry::CertificateStatus,
    rules::{Chain, Publisher},
    socket::Socket,
    truth::Fact,
    world::World,
};

/// CONNECT has to come within this time.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How often a connection looks whether its certificate is still ACTIVE and whether messages have to be sent again.
const CHECK_PERIOD: Duration = Duration::from_secs(5);

struct Connection<'a> {
    world: &'a Arc<World>,
    region: &'a Arc<Region>,
    wire: Wire,
    codec: Codec,
    grants: Grants,
    certificate: String,
    seat: Seat,
    presence: Presence,
    keep_alive: Duration,
    /// How long the session outlives this connection.
    expiry: Duration,
    /// The connection ends at this time, unless something comes.
    silent_until: Instant,
    check_at: Instant,
    /// Publishes, in and out.
    publishes: Bucket,
    /// Bytes, in and out.
    throughput: Bucket,
    /// Messages stored while the session was offline.
    drain: Bucket,
    has_stored: bool,
    /// Topic aliases of the client (MQTT 5).
    aliases: BTreeMap<NonZeroU16, ByteString>,
    will: Option<Box<Will>>,
}

/// Serves one connection whose peer proved to have the key of `certificate`.
pub(super) async fn serve(
    world: &Arc<World>,
    region: &Arc<Region>,
    stream: Box<TlsStream<Socket>>,
    certificate: String,
    sni: Option<&str>,
) {
    let Some(identity) = Identity::admit(region, certificate, sni) else {
        return;
    };
    let mut wire = Wire::new(stream);
    let greeted = {
        // On the heap, which is given back after CONNECT: it would make the connection larger for its whole life.
        let greeting = Box::pin(handshake::greet(world, region, &mut wire, &identity));
        tokio::select! {
            () = region.dark.wait(true) => None,
            greeted = timeout(CONNECT_MAX, greeting) => Some(greeted.ok().flatten()),
        }
    };
    match greeted {
        None => Box::pin(black_hole(region, &mut wire.stream)).await,
        Some(None) => {}
        Some(Some(greeting)) => {
            let mut connection = Connection::new(world, region, wire, identity, greeting);
            connection.tell(true);
            connection.presence.connected(world, region, connection.wire.peer());
            let end = connection.run().await;
            Box::pin(connection.leave(end)).await;
        }
    }
}

impl<'a> Connection<'a> {
    fn new(
        world: &'a Arc<World>,
        region: &'a Arc<Region>,
        wire: Wire,
        identity: Identity,
        greeting: Greeting,
    ) -> Self {
        let Greeting { codec, grants, seat, keep_alive, expiry, will } = greeting;
        let now = Instant::now();
        Self {
            world,
            region,
            wire,
            codec,
            presence: Presence::new(&grants.variables.client_id, &identity.certificate, seat.version),
            grants,
            certificate: identity.certificate,
            seat,
            keep_alive,
            expiry,
            silent_until: now + keep_alive,
            check_at: now + CHECK_PERIOD,
            publishes: region.limits.connection_publishes.bucket(now),
            throughput: Bucket::new(region.limits.connection_kib.value() * 1_024.0, now),
            drain: Bucket::new(OFFLINE_DRAIN_PER_S, now),
            has_stored: true,
            aliases: BTreeMap::new(),
            will: will.map(Box::new),
        }
    }

    fn client_id(&self) -> &str {
        &self.grants.variables.client_id
    }

    async fn run(&mut self) -> End {
        self.send_again(Duration::ZERO);
        loop {
            let now = Instant::now();
            self.throughput.spend(self.wire.output.len(), now);
            let queued = self.wire.output.len();
            let held = self.throughput.waits_until(0.0);
            if held.is_none() && self.deliver(now) {
                // There is more; reads get their turn first.
                self.seat.mailbox.wake.notify_one();
            }
            self.throughput.spend(self.wire.output.len() - queued, now);
            let wake = self.wake_at(held);
            let region = self.region;
            self.mute();
            if !self.wire.flush().await {
                return End::Lost;
            }
            tokio::select! {
                // A dark Region comes first: nothing that came in with the dark is answered.
                biased;
                () = region.dark.wait(true) => return End::Dark,
                () = self.seat.taken_over.cancelled() => {
                    return region.broker.cancelled(self.client_id(), &self.seat);
                }
                () = sleep_until(wake) => {
                    if let Some(end) = self.tick(Instant::now()) {
                        return end;
                    }
                }
                read = self.wire.read(), if held.is_none() => {
                    if read == 0 {
                        return End::Lost;
                    }
                    let now = Instant::now();
                    self.silent_until = now + self.keep_alive;
                    self.throughput.spend(read, now);
                    if let Err(end) = self.packets(now) {
                        return end;
                    }
                }
                () = self.seat.mailbox.wake.notified(), if held.is_none() => {}
            }
        }
    }

    /// Nothing leaves a Region that is half dark. The connection ends with the fault.
    fn mute(&mut self) {
        let (faults, region) = (&self.world.faults, self.region);
        if faults.any(Kind::RegionHalfDark) && region.half_dark.is_on() && !self.wire.output.is_empty() {
            faults.count(Kind::RegionHalfDark, &region.name);
            self.wire.output.clear();
        }
    }

    /// When something is due although nothing comes.
    fn wake_at(&self, held: Option<Instant>) -> Instant {
        let stored = if self.has_stored { self.drain.waits_until(1.0) } else { None };
        [Some(self.silent_until), Some(self.check_at), stored, held]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.check_at)
    }

    /// What is due by time alone.
    fn tick(&mut self, now: Instant) -> Option<End> {
        if now >= self.silent_until {
            return Some(End::KeepAlive);
        }
        if now >= self.check_at {
            self.check_at = now + CHECK_PERIOD;
            self.grants.forget();
            let registry = self.region.registry.lock();
            let certificate = registry.certificate(&self.certificate);
            if certificate.is_ok_and(|c| c.status == CertificateStatus::Active) {
                drop(registry);
                self.send_again(REDELIVERY);
            } else {
                return Some(End::NotAuthorized);
            }
        }
        None
    }

    /// Handles every whole packet that was read.
    fn packets(&mut self, now: Instant) -> Result<(), End> {
        loop {
            match self.codec.decode(&mut self.wire.input) {
                Ok(Some(packet)) => self.packet(packet, now)?,
                Ok(None) => {
                    self.wire.release();
                    return Ok(());
                }
                Err(error) => return Err(End::ClientError(error.to_reason_code())),
            }
        }
    }

    fn tell(&self, connected: bool) {
        self.world.truth.stamp(|| Fact::Mqtt {
            region: self.region.name.clone(),
            client: self.client_id().to_owned(),
            peer: self.wire.address(),
            connected,
        });
    }

    /// What follows from the end: a goodbye, the seat, the will, the lifecycle event.
    async fn leave(&mut self, end: End) {
        let departure = self.region.broker.disconnect(self.client_id(), &self.seat, self.expiry);
        self.tell(false);
        if end == End::Dark {
            self.world.faults.count(Kind::RegionDark, &self.region.name);
            return black_hole(self.region, &mut self.wire.stream).await;
        }
        if let Some(will) = self.will.take()
            && end.sends_will()
            && self.may_leave(&will)
        {
            self.send_will(*will, departure);
        }
        self.presence.disconnected(self.world, self.region, end);
        if matches!(end, End::Severed(_)) {
            return self.wire.reset();
        }
        if let Some(code) = end.code() {
            self.queue(Outgoing::Disconnect(code));
        }
        if self.wire.flush().await {
            self.wire.close().await;
        }
    }

    /// Whether the client could have published its will by itself.
    fn may_leave(&mut self, will: &Will) -> bool {
        let (region, topic) = (self.region, &will.message.topic);
        !topic.starts_with('$')
            && topic::is_topic(topic)
            && self.grants.allows_now(region, "iot:Publish", "topic", topic)
            && (!will.message.retain || self.grants.allows_now(region, "iot:RetainPublish", "topic", topic))
    }

    /// This client, as rules see it.
    fn publisher<'c>(&'c self, chain: &'c Chain) -> Publisher<'c> {
        let (client_id, principal) = (Some(self.client_id()), Some(self.certificate.as_str()));
        Publisher { client_id, principal, chain }
    }

    /// Publishes the will, or holds it back for its delay while its session lives and nobody resumes it.
    fn send_will(&self, will: Will, departure: Departure) {
        let held = match departure {
            Departure::Replaced { resumed: true } if !will.delay.is_zero() => return,
            Departure::Kept(expiry) => will.delay.min(expiry),
            Departure::Replaced { .. } | Departure::Ended => Duration::ZERO,
        };
        let (world, region) = (self.world.clone(), self.region.clone());
        if held.is_zero() {
            let chain = Chain::default();
            let publisher = self.publisher(&chain);
            return service::publish_message(
                &world,
                &region,
                will.into_message(Instant::now()),
                None,
                publisher,
            );
        }
        let (sender, receiver) = oneshot::channel();
        if !region.broker.hold_will(self.client_id(), &self.seat, sender) {
            return;
        }
        let (client_id, certificate) = (self.client_id().to_owned(), self.certificate.clone());
        let tasks = self.world.tasks.clone();
        tasks.spawn(async move {
            let publishes = tokio::select! {
                () = world.shutdown.cancelled() => false,
                () = sleep(held) => true,
                told = receiver => told.unwrap_or(true),
            };
            if publishes && !region.dark.is_on() {
                let chain = Chain::default();
                let publisher = Publisher {
                    client_id: Some(&client_id),
                    principal: Some(&certificate),
                    ..Publisher::service(&chain)
                };
                service::publish_message(&world, &region, will.into_message(Instant::now()), None, publisher);
            }
        });
    }

    /// Sends unacknowledged messages that are older than `age` again. MQTT 5 allows it on a new connection only.
    fn send_again(&mut self, age: Duration) {
        let (age, age_max) = match (self.codec.is_v5(), age.is_zero()) {
            (false, _) => (age, REDELIVERY_MAX_V3),
            (true, true) => (age, REDELIVERY_MAX_V5),
            (true, false) => (Duration::MAX, REDELIVERY_MAX_V5),
        };
        for (packet_id, delivery) in self.seat.mailbox.overdue(age, age_max, Instant::now()) {
            self.queue(Outgoing::Publish { packet_id: Some(packet_id), again: true, delivery });
        }
    }
}
