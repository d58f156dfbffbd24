//! emqtt-bench, if it is on the path as `emqtt_bench`. Its versions from 0.5 on need Erlang/OTP 27; 0.4.34 builds with Debian's.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use gameday_tests::{process::Usage, skipped, tool};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{
    Cost, Settings,
    peer::{Place, sockets, used},
};

/// For all to be connected.
const CONNECTED_MAX: Duration = Duration::from_mins(5);
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// From the last socket to the last handshake, and until what is not needed any more is given back.
const SETTLED: Duration = Duration::from_secs(3);
/// Its own sockets at the most: some are open before it connects.
const OWN_SOCKETS_MAX: usize = 8;

pub(crate) async fn cost(settings: Settings, place: &Place) -> Result<Option<Cost>> {
    if tool("emqtt_bench").is_none() {
        skipped("emqtt-bench", "it is not installed");
        return Ok(None);
    }
    let Settings { devices, per_s, seconds } = settings;
    // Its runtime, with one client.
    let before = when_connected(place, 1, per_s).await?;
    let connected = when_connected(place, devices, per_s).await?;
    let (mut child, pid) = start(place, "pub", devices, per_s)?;
    until_connected(pid, devices).await?;
    // It does not say what was acknowledged: a message a second of each is what it was asked for.
    let sending = used(pid, seconds).await?;
    child.kill().await?;
    Ok(Some(Cost { before, connected, sending, messages: (devices * seconds) as f64 }))
}

async fn when_connected(place: &Place, devices: usize, per_s: usize) -> Result<Usage> {
    let (mut child, pid) = start(place, "conn", devices, per_s)?;
    until_connected(pid, devices).await?;
    let usage = Usage::of(pid)?;
    child.kill().await?;
    Ok(usage)
}

fn start(place: &Place, what: &str, devices: usize, per_s: usize) -> Result<(Child, u32)> {
    let program = tool("emqtt_bench").context("it is not installed")?;
    let mut command = Command::new(program);
    command
        .arg(what)
        .args(["-h", &place.address.ip().to_string(), "-p", &place.address.port().to_string()])
        .args(["-c", &devices.to_string(), "-R", &per_s.to_string(), "-V", "4", "--prefix", "bench-"])
        .args(["-S", "--ssl-version", "tlsv1.3"])
        .arg("--certfile")
        .arg(&place.certificate)
        .arg("--keyfile")
        .arg(&place.key);
    if what == "pub" {
        command.args(["-t", "dt/%c/x", "-I", "1000", "-q", "1", "-s", "128"]);
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().context("it has ended")?;
    Ok((child, pid))
}

/// Waits until it has as many sockets.
async fn until_connected(pid: u32, devices: usize) -> Result<()> {
    let began = Instant::now();
    while sockets(pid)? < devices {
        ensure!(began.elapsed() < CONNECTED_MAX, "{} of {devices} sockets", sockets(pid)?);
        sleep(LOOK_PERIOD).await;
    }
    sleep(SETTLED).await;
    // Those that the twin did not let in are closed by now.
    let open = sockets(pid)?;
    ensure!((devices..=devices + OWN_SOCKETS_MAX).contains(&open), "{open} sockets of {devices} devices");
    Ok(())
}
