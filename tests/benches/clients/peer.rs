//! Where peers play: a twin, or mosquitto before it, with one certificate that all their clients have, which may connect as
//! `bench-...`.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use gameday_tests::process::Usage;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::{broker::Broker, http::Http, identity::Fleet, mosquitto::Stand};

/// A broker, and files for clients that take files.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    /// The name of the endpoint, for SNI.
    pub(crate) server: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    /// The twin, or what stands before it.
    pub(crate) async fn make(twin: &Broker, stand: Option<&Stand>) -> Result<Self> {
        twin.admit(&Fleet::make(0)?, 0).await?;
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
        let address = stand.map_or(twin.address, |stand| stand.address);
        Ok(Self { address, server, certificate, key: key_file, folder })
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
