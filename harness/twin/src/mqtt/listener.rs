//! Accepting MQTT connections: TLS with a client certificate, and the black hole that a dark Region is.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{io::AsyncRead, net::TcpListener};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::connection;
use crate::{
    accept,
    fault::{Kind, Port},
    provisioning::{self, Template},
    region::Region,
    registry::certificate_id,
    socket::Socket,
    truth::Fact,
    world::World,
};

/// A handshake may take this long.
const HANDSHAKE_S_MAX: u64 = 10;

/// Accepts connections of one Region until the twin stops.
pub(crate) async fn serve(world: Arc<World>, region: Arc<Region>, listener: TcpListener, tls: TlsAcceptor) {
    let connected = |socket, peer: SocketAddr| {
        world.truth.stamp(|| Fact::Tcp { region: region.name.clone(), peer: peer.to_string() });
        let (world, region, tls) = (world.clone(), region.clone(), tls.clone());
        async move { handle(&world, &region, socket, tls).await }
    };
    accept::each(&world, &region, Port::Mqtt, listener, connected).await;
}

async fn handle(world: &Arc<World>, region: &Arc<Region>, mut socket: Socket, tls: TlsAcceptor) {
    if region.dark.is_on() {
        world.faults.count(Kind::RegionDark, &region.name);
        return black_hole(region, &mut socket).await;
    }
    // Small packets both ways: waiting to fill a segment would only add delay.
    socket.set_nodelay();
    // The handshake and the stream are on the heap: a connection that is idle for hours pays for every byte of its task.
    let accept = Box::pin(tls.accept(socket));
    let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(HANDSHAKE_S_MAX), accept).await else {
        return;
    };
    world.truth.stamp(|| Fact::Tls { region: region.name.clone(), peer: stream.get_ref().0.peer_text() });
    serve_stream(world, region, Box::new(stream)).await;
}

/// Speaks MQTT on a connection whose handshake is done; without a client certificate it is closed.
pub(crate) async fn serve_stream(world: &Arc<World>, region: &Arc<Region>, stream: Box<TlsStream<Socket>>) {
    let session = stream.get_ref().1;
    let Some(chain) = session.peer_certificates().filter(|chain| !chain.is_empty()) else {
        return;
    };
    // A certificate that a registered CA stands for is announced; its connection is dropped below, as on AWS.
    let event = region.registry.lock().just_in_time(chain, world.clock.now_ms());
    let template = event.as_ref().and_then(|_| region.registry.lock().just_in_time_template(&chain[0]));
    region.announce(world, event);
    let certificate = certificate_id(&chain[0]);
    let sni = session.server_name().map(str::to_owned);
    connection::serve(world, region, stream, certificate, sni.as_deref()).await;
    if let Some((body, parameters)) = template {
        provision(world, region, &body, &parameters);
    }
}

/// Just-in-time provisioning, once the connection that asked for it is dropped: the device's next one finds it done. One
/// that fails is tried again at the next connection.
fn provision(world: &Arc<World>, region: &Arc<Region>, body: &str, parameters: &BTreeMap<String, String>) {
    let made = Template::parse(body)
        .and_then(|template| provisioning::register(world, region, &template, parameters));
    if let Err(error) = made {
        tracing::info!(%error, region = region.name, "just-in-time provisioning failed");
    }
}

/// A dark Region: what comes in is swallowed, nothing goes out, until the peer gives up or the Region is back; then the
/// connection is gone, as a connection through a partition is.
pub(crate) async fn black_hole(region: &Region, stream: &mut (impl AsyncRead + Unpin)) {
    accept::swallow(stream, region.dark.wait(false)).await;
}
