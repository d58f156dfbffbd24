//! Where a deployment goes: what it has to know of the twin, or of AWS.

use anyhow::{Context, anyhow};
use gameday_twin::Endpoints;

use crate::aws::{Aws, RegionClients, describe};

/// The authorities of AWS IoT's endpoints: RSA and ECC.
pub(crate) const AMAZON_ROOT_CA: &str = include_str!("amazon-root-ca.pem");
const HTTPS_PORT: u16 = 443;
pub(crate) const MQTT_PORT: u16 = 8883;

/// One Region.
#[derive(Debug, Clone)]
pub(crate) struct RegionSite {
    /// The data endpoint.
    pub(crate) host: String,
    /// Where to connect to instead of that name; empty: there is no other.
    pub(crate) address: String,
    /// The port of its APIs.
    pub(crate) https_port: u16,
    /// The port of MQTT.
    pub(crate) mqtt_port: u16,
}

/// The twin, or AWS.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) primary: RegionSite,
    pub(crate) secondary: RegionSite,
    pub(crate) ca_pem: String,
}

impl Place {
    pub(crate) fn of_twin(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let site = |n: usize| {
            let region = endpoints.regions.get(n).context("a twin has two Regions")?;
            anyhow::Ok(RegionSite {
                host: region.host.clone(),
                address: format!("{}:{}", region.address, region.mqtt_port),
                https_port: region.https_port,
                mqtt_port: region.mqtt_port,
            })
        };
        Ok(Self { primary: site(0)?, secondary: site(1)?, ca_pem: endpoints.ca_pem.clone() })
    }

    pub(crate) async fn of_aws(aws: &Aws) -> anyhow::Result<Self> {
        Ok(Self {
            primary: site(&aws.primary).await?,
            secondary: site(&aws.secondary).await?,
            ca_pem: AMAZON_ROOT_CA.to_owned(),
        })
    }
}

async fn site(clients: &RegionClients) -> anyhow::Result<RegionSite> {
    let endpoint = clients.iot.describe_endpoint().endpoint_type("iot:Data-ATS").send().await;
    let endpoint = endpoint
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("the data endpoint of {} is not known", clients.region))?;
    let host = endpoint.endpoint_address.context("an endpoint without its address")?;
    Ok(RegionSite { host, address: String::new(), https_port: HTTPS_PORT, mqtt_port: MQTT_PORT })
}
