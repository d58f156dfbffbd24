//! Names to answers, for devices and for the watcher: asks the twin's DNS server, or whom this machine asks, and keeps nothing, so
//! that what a device sees is its own cache and nobody else's.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, bail};
use gameday_twin::Endpoints;
use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};

/// A query gets this long.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Questions under way at once, of all devices.
const ACTIVE_MAX: usize = 4_096;

/// Asks a DNS server.
#[derive(Debug)]
pub(crate) struct Resolver {
    inner: TokioResolver,
}

/// What a CNAME points to, and for how long that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) host: String,
    pub(crate) ttl: Duration,
}

impl Resolver {
    pub(crate) fn new(endpoints: &Endpoints) -> anyhow::Result<Self> {
        let mut connection = ConnectionConfig::udp();
        connection.port = endpoints.dns.port();
        let server = NameServerConfig::new(endpoints.dns.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        Self::of(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    /// Asks whom this machine asks.
    pub(crate) fn of_machine() -> anyhow::Result<Self> {
        Self::of(TokioResolver::builder_tokio().context("this machine's resolver is not known")?)
    }

    fn of(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> anyhow::Result<Self> {
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.attempts = 2;
        options.max_active_requests = ACTIVE_MAX;
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        let inner = builder.build().context("the resolver could not be set up")?;
        Ok(Self { inner })
    }

    /// What the fleet's name points to: the next name, which has to be the endpoint's. AWS's certificates fit no name between.
    pub(crate) async fn cname(&self, name: &str) -> anyhow::Result<Answer> {
        let lookup = self.inner.lookup(name, RecordType::CNAME).await?;
        for record in lookup.answers() {
            if let RData::CNAME(target) = &record.data {
                let host = target.0.to_utf8().trim_end_matches('.').to_owned();
                return Ok(Answer { host, ttl: Duration::from_secs(u64::from(record.ttl)) });
            }
        }
        bail!("{name} has no CNAME")
    }

    /// The address of an endpoint.
    pub(crate) async fn address(&self, host: &str) -> anyhow::Result<Ipv4Addr> {
        // The dot keeps search domains out.
        let lookup = self.inner.lookup(format!("{host}."), RecordType::A).await?;
        let address = lookup.answers().iter().find_map(|record| match &record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        });
        address.with_context(|| format!("{host} has no address"))
    }
}
