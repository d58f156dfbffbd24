//! What a run is aimed at: the embedded twin, or a twin that runs on its own.
//!
//! Whatever it is, a run knows it by the same few facts: endpoints, the DNS server to ask, the root certificate, and the
//! control API for faults that AWS has no call for.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use gameday_twin::{Endpoints, Twin, TwinConfig};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::scenario::TwinSettings;

/// A control call gets this long.
const CONTROL_S_MAX: u64 = 5;

/// The target of a run.
#[derive(Debug)]
pub(crate) struct Target {
    /// As reports call it.
    pub(crate) name: String,
    pub(crate) endpoints: Endpoints,
    /// The embedded twin, which ends with the run.
    embedded: Option<Twin>,
}

impl Target {
    /// `twin` starts one in this process; `http://host:port` is one that `gameday twin` started.
    pub(crate) async fn open(name: &str, settings: &TwinSettings) -> anyhow::Result<Self> {
        if name == "twin" {
            let config = TwinConfig {
                quota_scale: settings.quota_scale,
                quotas_enforced: settings.enforce_quotas,
                quotas: settings.settings(),
                replication_delay: *settings.replication_delay,
                ..TwinConfig::default()
            };
            let twin = Twin::start(config).await.context("could not start the twin")?;
            return Ok(Self { name: name.to_owned(), endpoints: twin.endpoints(), embedded: Some(twin) });
        }
        if !name.starts_with("http://") {
            bail!(
                "--target {name}: give `twin`, or the address that `gameday twin` printed, as http://127.0.0.1:PORT"
            );
        }
        Ok(Self { name: name.to_owned(), endpoints: endpoints(name).await?, embedded: None })
    }

    pub(crate) fn primary(&self) -> &str {
        self.endpoints.regions.first().map_or("", |r| &r.region)
    }

    pub(crate) fn secondary(&self) -> &str {
        self.endpoints.regions.last().map_or("", |r| &r.region)
    }

    /// The Region that a data endpoint's host belongs to.
    pub(crate) fn region_of(&self, host: &str) -> Option<&str> {
        let host = host.trim_end_matches('.');
        self.endpoints.regions.iter().find(|r| r.host.eq_ignore_ascii_case(host)).map(|r| r.region.as_str())
    }

    /// The data endpoint of a Region.
    pub(crate) fn host(&self, region: &str) -> &str {
        self.endpoints.regions.iter().find(|r| r.region == region).map_or("", |r| &r.host)
    }

    /// Port of MQTT, the same in both Regions.
    pub(crate) fn mqtt_port(&self) -> u16 {
        self.endpoints.regions.first().map_or(8883, |r| r.mqtt_port)
    }

    /// Ends the embedded twin.
    pub(crate) async fn close(self) {
        if let Some(twin) = self.embedded {
            twin.stop().await;
        }
    }
}

/// Where everything of a twin is that runs on its own.
pub(crate) async fn endpoints(url: &str) -> anyhow::Result<Endpoints> {
    let body = control(address(url)?, Method::GET, "/_twin/endpoints", Vec::new())
        .await
        .with_context(|| format!("no twin answers at {url}; start one with `gameday twin`"))?;
    serde_json::from_slice(&body).context("the twin's answer is not understood")
}

/// Switches a fault of the twin on or off.
pub(crate) async fn switch_fault(api_url: &str, fault: &gameday_twin::Fault, on: bool) -> anyhow::Result<()> {
    let method = if on { Method::PUT } else { Method::DELETE };
    control(address(api_url)?, method, "/_twin/faults", serde_json::to_vec(fault)?).await?;
    Ok(())
}

/// The faults of the twin that are on.
pub(crate) async fn active_faults(api_url: &str) -> anyhow::Result<Vec<gameday_twin::Fault>> {
    let body = control(address(api_url)?, Method::GET, "/_twin/faults", Vec::new()).await?;
    let states: Vec<gameday_twin::FaultState> = serde_json::from_slice(&body)?;
    Ok(states.into_iter().map(|state| state.fault).collect())
}

/// Where a twin's API listens.
pub(crate) fn address(api_url: &str) -> anyhow::Result<SocketAddr> {
    let address = api_url.strip_prefix("http://").unwrap_or(api_url).trim_end_matches('/');
    address.parse().with_context(|| format!("{api_url} is not http://IP:PORT"))
}

/// One call of the control API; an answer that is no success is an error.
pub(crate) async fn control(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<Bytes> {
    let call = async {
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address.to_string())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            let said = String::from_utf8_lossy(&body);
            let message = serde_json::from_str::<serde_json::Value>(&said)
                .ok()
                .and_then(|answer| answer["message"].as_str().map(str::to_owned));
            bail!("{} ({status})", message.unwrap_or_else(|| said.into_owned()));
        }
        Ok(body)
    };
    tokio::time::timeout(Duration::from_secs(CONTROL_S_MAX), call).await.context("the twin did not answer")?
}
