//! What a run is aimed at: the embedded twin, or a twin that runs on its own.
//!
//! Whatever it is, a run knows it by the same few facts: endpoints, the DNS server to ask, the root certificate, and the
//! control API for faults that AWS has no call for.

mod file;

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use gameday_twin::{Endpoints, Twin, TwinConfig};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

pub(crate) use file::TargetFile;

use crate::scenario::TwinSettings;

/// A control call gets this long.
const CONTROL_S_MAX: u64 = 5;
/// A target at which nothing listens for this long is gone.
const GONE_S: u64 = 15;
/// How often it is asked whether it listens.
const KNOCK_PERIOD: Duration = Duration::from_secs(1);

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

    /// Whether it ends with the run.
    pub(crate) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Waits until the target is gone, and says so: the API of both Regions has refused connections for [`GONE_S`]. A Region
    /// that is dark takes them and is silent. The embedded twin cannot go.
    pub(crate) async fn gone(&self) -> String {
        let url = &self.endpoints.api_url;
        let (false, Ok(address)) = (self.is_embedded(), address(url)) else {
            return std::future::pending().await;
        };
        unheard(address, Duration::from_secs(GONE_S)).await;
        format!("the target is gone: {url} has refused connections for {GONE_S} s")
    }

    /// Ends the embedded twin.
    pub(crate) async fn close(self) {
        if let Some(twin) = self.embedded {
            twin.stop().await;
        }
    }
}

/// Waits until an address has refused every connection for `long`.
async fn unheard(address: SocketAddr, long: Duration) {
    let mut since: Option<Instant> = None;
    loop {
        let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        if TcpStream::connect(address).await.as_ref().is_err_and(refused) {
            if since.get_or_insert_with(Instant::now).elapsed() >= long {
                return;
            }
        } else {
            since = None;
        }
        tokio::time::sleep(KNOCK_PERIOD.min(long)).await;
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
pub(crate) async fn fault_states(api_url: &str) -> anyhow::Result<Vec<gameday_twin::FaultState>> {
    let body = control(address(api_url)?, Method::GET, "/_twin/faults", Vec::new()).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// A quota of the twin.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub(crate) struct Quota {
    /// What applies; none: nothing is enforced.
    pub(crate) value: Option<f64>,
    /// How often it refused something since the twin started.
    pub(crate) refused: u64,
}

/// A quota of a Region of the twin.
pub(crate) async fn quota(api_url: &str, region: &str, code: &str) -> anyhow::Result<Quota> {
    let path = format!("/_twin/quotas/{region}/{code}");
    let body = control(address(api_url)?, Method::GET, &path, Vec::new()).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Sets a quota of a Region of the twin.
pub(crate) async fn set_quota(api_url: &str, region: &str, code: &str, value: f64) -> anyhow::Result<()> {
    let setting = serde_json::json!({"region": region, "code": code, "value": value});
    control(address(api_url)?, Method::PUT, "/_twin/quotas", serde_json::to_vec(&setting)?).await?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    #[tokio::test]
    async fn an_address_is_unheard_once_it_has_refused_connections_for_long_enough() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let long = Duration::from_millis(40);
        assert!(timeout(long * 5, unheard(address, long)).await.is_err(), "somebody listens");
        drop(listener);
        let began = Instant::now();
        timeout(long * 200, unheard(address, long)).await.unwrap();
        assert!(began.elapsed() >= long);
    }
}
