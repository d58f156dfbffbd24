//! Where peers play: a twin with one certificate that all their clients have, which may connect as `bench-...`.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use gameday_tests::process::Usage;

use crate::{broker::Broker, identity::Fleet};

/// The twin, and files for clients that take files.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// The name of the endpoint, for SNI.
    pub(crate) server: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) folder: tempfile::TempDir,
    _twin: Broker,
}

impl Place {
    pub(crate) async fn make() -> Result<Self> {
        let fleet = Fleet::make(1)?;
        let twin = Broker::twin(&fleet)?.context("no twin")?;
        twin.admit(&fleet, 1).await?;
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (folder.path().join("device.pem"), folder.path().join("device.key"));
        let device = fleet.devices.first().context("a device")?;
        fs::write(&certificate, &*device.certificate_pem)?;
        fs::write(&key, &*device.key_pem)?;
        let server = twin.server.to_str().into_owned();
        Ok(Self { address: twin.address, server, certificate, key, folder, _twin: twin })
    }
}

/// How many sockets a process has open.
pub(crate) fn sockets(pid: u32) -> Result<usize> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).with_context(|| format!("process {pid} is gone"))?;
    let is_socket = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    Ok(open.flatten().filter(is_socket).count())
}

/// What a process used in the next seconds.
pub(crate) async fn used(pid: u32, seconds: usize) -> Result<Usage> {
    let before = Usage::of(pid)?;
    tokio::time::sleep(std::time::Duration::from_secs(seconds as u64)).await;
    Ok(Usage::of(pid)?.since(before))
}
