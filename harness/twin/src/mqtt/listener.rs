//! Accepting MQTT connections: TLS with a client certificate, and the black hole that a dark Region is.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::connection;
use crate::{region::Region, registry::certificate_id, world::World};

/// A handshake may take this long.
const HANDSHAKE_S_MAX: u64 = 10;

/// Accepts connections of one Region until the twin stops.
pub(crate) async fn serve(world: Arc<World>, region: Arc<Region>, listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let accepted = tokio::select! {
            () = world.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else {
            // Out of descriptors: those that end make room again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (world_, region, tls) = (world.clone(), region.clone(), tls.clone());
        world.tasks.spawn(async move {
            tokio::select! {
                () = world_.shutdown.cancelled() => {}
                () = handle(&world_, &region, socket, tls) => {}
            }
        });
    }
}

async fn handle(world: &Arc<World>, region: &Arc<Region>, mut socket: TcpStream, tls: TlsAcceptor) {
    if region.dark.is_on() {
        return black_hole(region, &mut socket).await;
    }
    // Small packets both ways: waiting to fill a segment would only add delay.
    let _ = socket.set_nodelay(true);
    // The handshake and the stream are on the heap: a connection that is idle for hours pays for every byte of its task.
    let accept = Box::pin(tls.accept(socket));
    let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(HANDSHAKE_S_MAX), accept).await else {
        return;
    };
    serve_stream(world, region, Box::new(stream)).await;
}

/// Speaks MQTT on a connection whose handshake is done; without a client certificate it is closed.
pub(crate) async fn serve_stream(
    world: &Arc<World>,
    region: &Arc<Region>,
    stream: Box<TlsStream<TcpStream>>,
) {
    let session = stream.get_ref().1;
    let Some(certificate) = session.peer_certificates().and_then(|chain| chain.first()) else {
        return;
    };
    let certificate = certificate_id(certificate);
    let sni = session.server_name().map(str::to_owned);
    connection::serve(world, region, stream, certificate, sni.as_deref()).await;
}

/// A dark Region: what comes in is swallowed, nothing goes out, until the peer gives up or the Region is back; then the
/// connection is gone, as a connection through a partition is.
pub(crate) async fn black_hole(region: &Region, stream: &mut (impl AsyncRead + Unpin)) {
    let mut sink = [0_u8; 512];
    loop {
        tokio::select! {
            () = region.dark.wait(false) => return,
            read = stream.read(&mut sink) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}
