//! Whether both Regions answer as the ones that they should be: the API of AWS IoT, and the endpoint that devices connect to.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures::FutureExt;
use tokio::{net::TcpStream, time::timeout};

use super::{Check, Finding, Ground, Stage};
use crate::aws::{RegionClients, describe};

pub(super) static CHECK: Check = Check {
    name: "regions",
    label: "Both Regions are reachable",
    stage: Stage::Reach,
    can_be_ignored: false,
    look: |ground| look(ground).boxed_local(),
};

/// A TCP connection to an endpoint is there within this.
const CONNECT_MAX: Duration = Duration::from_secs(5);

async fn look(ground: &Ground<'_>) -> Finding {
    let both = [&ground.aws.primary, &ground.aws.secondary].map(|clients| reach(ground, clients));
    let wrong: Vec<String> = futures::future::join_all(both)
        .await
        .into_iter()
        .filter_map(|reached| Some(format!("{:#}", reached.err()?)))
        .collect();
    if wrong.is_empty() {
        return Finding::passed("their APIs and the endpoints of devices answer");
    }
    Finding::refused(wrong.join("; "))
}

async fn reach(ground: &Ground<'_>, clients: &RegionClients) -> anyhow::Result<()> {
    let region = &clients.region;
    let endpoint = clients.iot.describe_endpoint().endpoint_type("iot:Data-ATS").send().await;
    let endpoint =
        endpoint.map_err(|e| anyhow!(describe(&e))).with_context(|| format!("{region} is not reachable"))?;
    let host = ground.target.host(region);
    if endpoint.endpoint_address() != Some(host) {
        bail!(
            "{region} has another data endpoint than the target says: start again with the target's address"
        );
    }
    let connect = async {
        let address = ground.resolver.address(host).await?;
        anyhow::Ok(TcpStream::connect((address, ground.target.mqtt_port())).await?)
    };
    let connected = timeout(CONNECT_MAX, connect).await.context("no answer").and_then(|connected| connected);
    connected.map(drop).with_context(|| format!("the endpoint of {region} for devices is not reachable"))
}
