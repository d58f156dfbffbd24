//! MQTT.js, as npm has it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::{process::Usage, skipped, tool};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::{Cost, Settings, peer::Place};

const VERSION: &str = "mqtt@5";
const SCRIPT: &str = include_str!("mqtt.js");
/// For all to be connected.
const CONNECTED_MAX: Duration = Duration::from_mins(5);
/// To start, and beyond the time of the messages.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) async fn cost(settings: Settings, place: &Place) -> Result<Option<Cost>> {
    let Some(folder) = install().await? else { return Ok(None) };
    let script = place.folder.path().join("mqtt.js");
    std::fs::write(&script, SCRIPT)?;
    let Settings { devices, per_s, seconds } = settings;
    let mut child = Command::new("node")
        .arg(&script)
        .args([place.address.ip().to_string(), place.address.port().to_string(), place.server.clone()])
        .args([&place.certificate, &place.key])
        .args([devices, per_s, seconds].map(|number| number.to_string()))
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().context("node has ended")?;
    let mut told = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut tell = child.stdin.take().context("its input")?;
    let line = timeout(MARGIN, told.next_line()).await.context("it does not start")??;
    ensure!(line.as_deref() == Some("ready"), "it said {line:?}");
    // Its runtime and its modules are no cost of a device.
    let before = Usage::of(pid)?;
    tell.write_all(b"connect\n").await?;
    let line = timeout(CONNECTED_MAX, told.next_line()).await.context("not connected in time")??;
    ensure!(line.as_deref() == Some("connected"), "it said {line:?}");
    let connected = Usage::of(pid)?;
    tell.write_all(b"publish\n").await?;
    let limit = Duration::from_secs(seconds as u64) + MARGIN;
    let line = timeout(limit, told.next_line()).await.context("no end of the messages")??;
    let sending = Usage::of(pid)?.since(connected);
    let count = line.as_deref().and_then(|line| line.strip_prefix("acknowledged "));
    let Some(messages) = count.and_then(|count| count.parse().ok()) else { bail!("it said {line:?}") };
    drop(tell);
    child.wait().await?;
    Ok(Some(Cost { before, connected, sending, messages }))
}

/// Where it is installed, once.
async fn install() -> Result<Option<PathBuf>> {
    if tool("node").is_none() || tool("npm").is_none() {
        skipped("MQTT.js", "node and npm are not installed");
        return Ok(None);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/mqtt.js");
    if folder.join("node_modules/mqtt").is_dir() {
        return Ok(Some(folder));
    }
    std::fs::create_dir_all(&folder)?;
    let installed = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(&folder)
        .arg(VERSION)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await?;
    if !installed.success() {
        skipped("MQTT.js", "npm cannot install it");
        return Ok(None);
    }
    Ok(Some(folder))
}
