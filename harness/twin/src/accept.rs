//! Accepting connections: each in a task of its own, until the twin stops.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

/// Pause when no connection can be accepted: out of descriptors, and those that end make room again.
const PAUSE: Duration = Duration::from_millis(20);

/// Hands every connection to `connected`.
pub(crate) async fn each<F>(
    world: &Arc<World>,
    listener: TcpListener,
    connected: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            () = world.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (connection, shutdown) = (connected(socket, peer), world.shutdown.clone());
        world.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = connection => {}
            }
        });
    }
}
