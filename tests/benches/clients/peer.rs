//! Where peers play: a twin with one certificate that all their clients have, which may connect as `bench-...`.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use gameday_tests::process::Usage;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::{broker::Broker, http::Http, identity::Fleet};

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
        let fleet = Fleet::make(0)?;
        let twin = Broker::twin(&fleet)?.context("no twin")?;
        twin.admit(&fleet, 0).await?;
        let key = KeyPair::generate()?;
        let csr = CertificateParams::default().serialize_request(&key)?.pem()?;
        let mut http = Http::connect(twin.api().context("a twin has an API")?).await?;
        let body = json!({"certificateSigningRequest": csr}).to_string();
        // Issued by AWS, as most are: some clients keep a certificate back whose issuer a server does not name.
        let made = http.call("iot", "POST", "/certificates?setAsActive=true", body).await?;
        let made: Value = serde_json::from_slice(&made)?;
        let body = json!({"target": made["certificateArn"]}).to_string();
        http.call("iot", "PUT", "/target-policies/bench", body).await?;
        let folder = tempfile::tempdir()?;
        let (certificate, key_file) = (folder.path().join("device.pem"), folder.path().join("device.key"));
        fs::write(&certificate, made["certificatePem"].as_str().context("a certificate")?)?;
        fs::write(&key_file, key.serialize_pem())?;
        let server = twin.server.to_str().into_owned();
        Ok(Self { address: twin.address, server, certificate, key: key_file, folder, _twin: twin })
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
