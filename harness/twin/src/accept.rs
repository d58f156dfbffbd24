//! Accepting connections: each in a task of its own, until the twin stops. Here a Region's connections meet the faults
//! that concern them as such.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::{
    fault::{Kind, Met, Port, Rule},
    region::Region,
    socket::Socket,
    world::World,
};

/// Pause when no connection can be accepted: out of descriptors, and those that end make room again.
const PAUSE: Duration = Duration::from_millis(20);
/// Connections that the kernel holds for a listener that was closed and opened again.
const BACKLOG: u32 = 1_024;

/// Hands every connection to one port of a Region to `connected`, unless a fault has it.
pub(crate) async fn each<F>(
    world: &Arc<World>,
    region: &Arc<Region>,
    port: Port,
    mut listener: TcpListener,
    connected: impl Fn(Socket, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut refused = pin!(world.faults.refused(&region.name, port));
    loop {
        let accepted = tokio::select! {
            () = world.shutdown.cancelled() => return,
            rule = &mut refused => {
                let Some(again) = closed(world, listener, &rule).await else { return };
                listener = again;
                refused.set(world.faults.refused(&region.name, port));
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match world.faults.connection(&region.name, port) {
            Met::Nothing if region.half_dark.is_on() => {
                world.faults.count(Kind::RegionHalfDark, &region.name);
                let region = Arc::clone(region);
                until_shutdown(world, async move { half_dark(&region, stream).await });
            }
            Met::Nothing => until_shutdown(world, connected(Socket::new(stream), peer)),
            Met::Slow { delay, bytes_per_s } => {
                until_shutdown(world, connected(Socket::slow(stream, delay, bytes_per_s), peer));
            }
            Met::Reset => Socket::new(stream).reset_on_close(),
            Met::BlackHole(rule) => until_shutdown(world, black_hole(rule, stream)),
        }
    }
}

fn until_shutdown(world: &World, connection: impl Future<Output = ()> + Send + 'static) {
    let shutdown = world.shutdown.clone();
    world.tasks.spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = connection => {}
        }
    });
}

/// What comes in is swallowed and nothing goes out, `until` then or until the peer gives up.
pub(crate) async fn swallow(stream: &mut (impl AsyncRead + Unpin), until: impl Future<Output = ()>) {
    let mut sink = [0_u8; 512];
    let mut until = pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            read = stream.read(&mut sink) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

async fn half_dark(region: &Region, mut stream: TcpStream) {
    swallow(&mut stream, region.half_dark.wait(false)).await;
}

async fn black_hole(rule: Arc<Rule>, mut stream: TcpStream) {
    swallow(&mut stream, rule.gone.cancelled()).await;
}

/// Closes a listener while a rule is on, so that the kernel refuses. Nobody else can have the port meanwhile. `None`: the
/// twin stops.
async fn closed(world: &World, listener: TcpListener, rule: &Rule) -> Option<TcpListener> {
    let address = listener.local_addr().ok()?;
    drop(listener);
    rule.count(1);
    let mut held = bound(address).ok();
    tokio::select! {
        () = world.shutdown.cancelled() => return None,
        () = rule.gone.cancelled() => {}
    }
    loop {
        let opened = match held.take() {
            Some(socket) => socket.listen(BACKLOG),
            None => bound(address).and_then(|socket| socket.listen(BACKLOG)),
        };
        match opened {
            Ok(listener) => return Some(listener),
            Err(error) => tracing::warn!(%address, %error, "a listener could not be opened again yet"),
        }
        tokio::select! {
            () = world.shutdown.cancelled() => return None,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// A socket that has the address and does not listen.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
