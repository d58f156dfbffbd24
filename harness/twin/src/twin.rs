//! Starting and stopping the twin, and where everything is once it runs.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api,
    apigateway::ApiGateway,
    calls::Calls,
    clock::Clock,
    cloudformation::CloudFormation,
    dns,
    dynamodb::{self, DynamoDb},
    events::{self, Events},
    fault::{Fault, FaultError, FaultGuard, Faults, Switch},
    folder::Folder,
    https,
    lambda::Lambda,
    mqtt::{self, Broker},
    names::Names,
    pki::{Pki, PkiError},
    quota::{DataPlane, QuotaSetting, Quotas},
    region::Region,
    registry::Registry,
    route53::Route53,
    rules::TopicRules,
    s3::S3,
    scheduler::{self, Scheduler},
    shadow::Shadows,
    sqs::Sqs,
    states::States,
    truth::Truth,
    world::World,
};

/// The Regions' loopback addresses. Every process may bind them on Linux; ports differ from twin to twin.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 10, 0, 1), Ipv4Addr::new(127, 20, 0, 1)];
/// Attempts to find a port that is free on both addresses.
const PORT_ATTEMPTS_MAX: u32 = 50;
/// Tasks get this long to end.
const STOP_S_MAX: u64 = 5;

/// What may be set before the twin starts.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinConfig {
    /// Primary and secondary Region.
    pub regions: [String; 2],
    /// AWS's default quotas are multiplied by this.
    pub quota_scale: f64,
    /// Off: nothing is throttled and no limit of a rate or a count is enforced.
    pub quotas_enforced: bool,
    /// Quotas that are set from the start.
    pub quotas: Vec<QuotaSetting>,
    /// How long a write to a global table takes to the other Region.
    pub replication_delay: Duration,
    /// How long a call of the IoT API takes to its event on EventBridge. AWS promises none: mostly seconds, at times
    /// minutes.
    pub api_event_delay: Duration,
    /// Route 53 checkers of each health check.
    pub health_checkers: u32,
    /// Port of the AWS API; 0 picks a free one.
    pub api_port: u16,
    /// Whether ground truth is kept from the start.
    pub truth: bool,
}

impl Default for TwinConfig {
    fn default() -> Self {
        Self {
            regions: ["us-east-1".to_owned(), "us-west-2".to_owned()],
            quota_scale: 1.0,
            quotas_enforced: true,
            quotas: Vec::new(),
            replication_delay: Duration::from_millis(200),
            api_event_delay: Duration::from_secs(1),
            health_checkers: 16,
            api_port: 0,
            truth: false,
        }
    }
}

/// Why the twin did not start.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// A socket could not be bound.
    #[error("could not listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// No port was free in both Regions.
    #[error("found no port that is free on both {0} and {1}; end other programs or try again")]
    NoPort(Ipv4Addr, Ipv4Addr),
    /// The temporary folder for functions could not be made.
    #[error("could not make a temporary folder")]
    Folder(#[source] io::Error),
    /// A quota that is to be set and that there is not.
    #[error("there is no quota {0:?} in {1}")]
    Quota(String, String),
    /// Certificates or TLS.
    #[error("could not set up TLS")]
    Pki(#[from] PkiError),
}

/// Where everything is. Also what `GET /_twin/endpoints` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The AWS API, for `AWS_ENDPOINT_URL`.
    pub api_url: String,
    /// The authoritative DNS server, UDP and TCP.
    pub dns: SocketAddr,
    /// The root certificate that clients need, PEM.
    pub ca_pem: String,
    /// The account.
    pub account: String,
    /// AWS's default quotas of calls per second are multiplied by this.
    pub quota_scale: f64,
    /// Whether quotas are enforced.
    pub quotas_enforced: bool,
    /// How long a write to a global table takes to the other Region.
    pub replication_delay_ms: u64,
    /// The twin's temporary folder: what is put there goes when the twin does.
    pub folder: PathBuf,
    /// The Regions, the primary first.
    pub regions: Vec<RegionEndpoint>,
}

/// Where one Region is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionEndpoint {
    /// For example `us-east-1`.
    pub region: String,
    /// The IoT data endpoint's name, which the twin's DNS server resolves to `address`.
    pub host: String,
    /// Its loopback address.
    pub address: Ipv4Addr,
    /// Port of MQTT over TLS.
    pub mqtt_port: u16,
    /// Port of HTTPS.
    pub https_port: u16,
}

impl Endpoints {
    pub(crate) fn of(world: &World) -> Self {
        Self {
            api_url: world.api_url.clone(),
            dns: world.dns,
            ca_pem: world.pki.ca_pem.clone(),
            account: world.account.clone(),
            quota_scale: world.quotas.scale(),
            quotas_enforced: world.quotas.are_enforced(),
            replication_delay_ms: u64::try_from(world.dynamodb.replication_delay().as_millis())
                .unwrap_or(u64::MAX),
            folder: world.folder.clone(),
            regions: world
                .regions
                .iter()
                .map(|r| RegionEndpoint {
                    region: r.name.clone(),
                    host: r.endpoint.clone(),
                    address: r.address,
                    mqtt_port: world.mqtt_port,
                    https_port: world.https_port,
                })
                .collect(),
        }
    }
}

/// A running twin. Dropping it stops it without waiting; [`Twin::stop`] waits.
#[derive(Debug)]
pub struct Twin {
    world: Arc<World>,
    // Removed when the twin is dropped.
    _folder: Folder,
}

impl Twin {
    /// Starts two Regions. Nothing is kept from twins before.
    ///
    /// # Errors
    /// When a socket cannot be bound or TLS cannot be set up.
    pub async fn start(config: TwinConfig) -> Result<Self, TwinError> {
        let folder = Folder::make().map_err(TwinError::Folder)?;
        let api = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, config.api_port))).await?;
        let (udp, dns_tcp, dns) = listen_dns().await?;
        let mqtt = listen_pair().await?;
        let https = listen_pair().await?;
        let api_address = api.local_addr().map_err(|source| listening("the API port", source))?;
        let port = |pair: &[TcpListener; 2]| pair[0].local_addr().map(|a| a.port());
        let account = "123456789012".to_owned();
        let (faults, truth) = (Arc::new(Faults::default()), Arc::new(Truth::default()));
        truth.set(config.truth);
        let quotas = Quotas::new(config.quota_scale, config.quotas_enforced, &config.regions);
        if let Some(unknown) = config.quotas.iter().find(|setting| !quotas.set(setting)) {
            return Err(TwinError::Quota(unknown.code.clone(), unknown.region.clone()));
        }
        let world = Arc::new(World {
            account: account.clone(),
            clock: Clock,
            pki: Pki::new().map_err(PkiError::from)?,
            names: Names::default(),
            regions: config
                .regions
                .iter()
                .zip(ADDRESSES)
                .map(|(name, address)| Arc::new(region(name, address, &account, &quotas)))
                .collect(),
            route53: Route53::telling(&truth),
            dynamodb: DynamoDb::new(config.replication_delay).watched(&faults, &truth),
            lambda: Lambda::new(&quotas, &config.regions),
            quotas,
            states: States::default(),
            cloudformation: CloudFormation::default(),
            faults,
            truth,
            calls: Calls::default(),
            events: Events::new(&config.regions, config.api_event_delay),
            scheduler: Scheduler::new(&config.regions),
            s3: S3::default(),
            sqs: Sqs::default(),
            apigateway: ApiGateway::default(),
            api_url: format!("http://{api_address}"),
            dns,
            https_port: port(&https).map_err(|source| listening("HTTPS", source))?,
            mqtt_port: port(&mqtt).map_err(|source| listening("MQTT", source))?,
            health_checkers: config.health_checkers,
            folder: folder.path().to_owned(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        for ((region, mqtt), https) in world.regions.iter().zip(mqtt).zip(https) {
            world.names.set(&region.endpoint, region.address);
            serve_region(&world, region, mqtt, https)?;
        }
        dynamodb::start(&world);
        events::start(&world);
        scheduler::start(&world);
        world.tasks.spawn(dns::serve(world.clone(), udp, dns_tcp));
        world.tasks.spawn(api::serve(world.clone(), api));
        Ok(Self { world, _folder: folder })
    }

    /// Where everything is.
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::of(&self.world)
    }

    /// Sets a fault, which is on until the guard is dropped.
    ///
    /// # Errors
    /// When the fault is malformed, or names what the twin has not.
    pub fn inject(&self, fault: Fault) -> Result<FaultGuard, FaultError> {
        let set = self.world.set_fault(fault, None)?;
        Ok(FaultGuard::new(&self.world, set.id))
    }

    #[cfg(test)]
    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Stops the twin and waits, within a bound, until its tasks and child processes have ended.
    pub async fn stop(self) {
        self.world.shutdown.cancel();
        self.world.tasks.close();
        if tokio::time::timeout(Duration::from_secs(STOP_S_MAX), self.world.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.world.tasks.len(), "tasks of the twin did not end in time");
        }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.world.shutdown.cancel();
    }
}

fn region(name: &str, address: Ipv4Addr, account: &str, quotas: &Quotas) -> Region {
    let limits = DataPlane::of(quotas, name);
    Region {
        name: name.to_owned(),
        address,
        endpoint: format!("a2gamedaytwin0-ats.iot.{name}.amazonaws.com"),
        registry: Mutex::new(Registry::new(name, account)),
        registrations: Mutex::default(),
        shadows: Mutex::new(Shadows::default()),
        shadow_rates: Mutex::default(),
        rules: TopicRules::default(),
        broker: Broker::new(limits.clone()),
        limits,
        dark: Switch::default(),
        half_dark: Switch::default(),
        replication_paused: Switch::default(),
    }
}

fn serve_region(
    world: &Arc<World>,
    region: &Arc<Region>,
    mqtt: TcpListener,
    https: TcpListener,
) -> Result<(), TwinError> {
    let names = [
        region.endpoint.clone(),
        format!("*.lambda-url.{}.on.aws", region.name),
        format!("*.execute-api.{}.amazonaws.com", region.name),
        "localhost".to_owned(),
    ];
    let address = IpAddr::V4(region.address);
    let device_tls = world.pki.server(&names, address, true)?;
    let mut https_tls = world.pki.server(&names, address, false)?;
    https_tls.alpn_protocols = https::ALPN.iter().map(|name| name.to_vec()).collect();
    let [device_tls, https_tls] = [device_tls, https_tls].map(|tls| TlsAcceptor::from(Arc::new(tls)));
    world.tasks.spawn(mqtt::serve(world.clone(), region.clone(), mqtt, device_tls));
    world.tasks.spawn(https::serve(world.clone(), region.clone(), https, https_tls));
    Ok(())
}

fn listening(address: impl Into<String>, source: io::Error) -> TwinError {
    TwinError::Listen { address: address.into(), source }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, TwinError> {
    TcpListener::bind(address).await.map_err(|source| listening(address.to_string(), source))
}

/// UDP and TCP on one port.
async fn listen_dns() -> Result<(UdpSocket, TcpListener, SocketAddr), TwinError> {
    for _ in 0..PORT_ATTEMPTS_MAX {
        let tcp = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let address = tcp.local_addr().map_err(|source| listening("DNS", source))?;
        if let Ok(udp) = UdpSocket::bind(address).await {
            return Ok((udp, tcp, address));
        }
    }
    Err(TwinError::NoPort(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST))
}

/// One port on both Regions' addresses, so that a name may move from one to the other and the port stay.
async fn listen_pair() -> Result<[TcpListener; 2], TwinError> {
    for _ in 0..PORT_ATTEMPTS_MAX {
        let first = listen(SocketAddr::from((ADDRESSES[0], 0))).await?;
        let port = first.local_addr().map_err(|source| listening("a Region", source))?.port();
        if let Ok(second) = TcpListener::bind((ADDRESSES[1], port)).await {
            return Ok([first, second]);
        }
    }
    Err(TwinError::NoPort(ADDRESSES[0], ADDRESSES[1]))
}
