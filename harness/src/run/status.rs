//! The live line of a step: devices by Region, what the name points to, what is behind.

use std::{fmt::Write as _, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{measure::Recorder, output::Output, target::Target};

/// On a terminal, and in a pipe.
const LIVE: Duration = Duration::from_millis(250);
const PLAIN: Duration = Duration::from_secs(5);

/// Shows how things stand until cancelled.
pub(super) async fn show(
    recorder: Recorder,
    target: Arc<Target>,
    output: Arc<Output>,
    stop: CancellationToken,
) {
    let period = if output.is_live() { LIVE } else { PLAIN };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        output.status(&line(&recorder, &target));
    }
}

fn line(recorder: &Recorder, target: &Target) -> String {
    let connected =
        |region: &str| recorder.meter().region(region).map_or(0, |meter| meter.connected.load(Relaxed));
    let (primary, secondary) = (target.primary(), target.secondary());
    let (connectable, answer, healthy) = recorder
        .board()
        .look(|board| (board.connectable, board.answer_region.clone(), board.primary_healthy));
    let health = match healthy {
        Some(true) => "healthy",
        Some(false) => "UNHEALTHY",
        None => "health unknown",
    };
    let mut line = format!(
        "connected, as devices see it: {primary} {}, {health} | {secondary} {} | name -> {}",
        connected(primary),
        connected(secondary),
        answer.as_deref().unwrap_or("nothing yet"),
    );
    if connected(primary) + connected(secondary) == 0 {
        line = format!("{connectable} devices connectable in {secondary} | {line}");
    }
    let behind = recorder.ledger().behind();
    if behind > 0 {
        let _ = write!(line, " | behind in {secondary}: {behind}");
    }
    line
}
