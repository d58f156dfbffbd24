//! Names to answers, for devices and for the watcher: asks the twin's DNS server, or whom this machine asks, and keeps nothing, so
//! that what a device sees is its own cache and nobody else's. Nor does it share: a question that waits for the answer to somebody
//! else's would be answered before it was asked.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, bail};
use gameday_twin::Endpoints;
use hickory_proto::rr::{RData, RecordType};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::runtime::TokioRuntimeProvider,
    system_conf::read_system_conf,
};
use parking_lot::Mutex;

/// A query gets this long.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Askers that are kept for the next question.
const IDLE_MAX: usize = 256;

/// Asks a DNS server.
#[derive(Debug)]
pub(crate) struct Resolver {
    config: ResolverConfig,
    options: ResolverOpts,
    /// Each has one question at a time: two of one name at once would be one.
    idle: Mutex<Vec<TokioResolver>>,
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
        Self::of(config, ResolverOpts::default())
    }

    /// Asks whom this machine asks.
    pub(crate) fn of_machine() -> anyhow::Result<Self> {
        let (config, options) = read_system_conf().context("this machine's resolver is not known")?;
        Self::of(config, options)
    }

    fn of(config: ResolverConfig, mut options: ResolverOpts) -> anyhow::Result<Self> {
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.attempts = 2;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = Self { config, options, idle: Mutex::default() };
        // What cannot be set up is said before anybody asks.
        resolver.idle.lock().push(resolver.asker()?);
        Ok(resolver)
    }

    fn asker(&self) -> anyhow::Result<TokioResolver> {
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(self.config.clone(), provider);
        builder.with_options(self.options.clone()).build().context("the resolver could not be set up")
    }

    /// Asks one question.
    async fn lookup(&self, name: &str, kind: RecordType) -> anyhow::Result<Lookup> {
        let idle = self.idle.lock().pop();
        let asker = match idle {
            Some(asker) => asker,
            None => self.asker()?,
        };
        let answer = asker.lookup(name, kind).await;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(asker);
        }
        Ok(answer?)
    }

    /// What the fleet's name points to: the next name, which has to be the endpoint's. AWS's certificates fit no name between.
    pub(crate) async fn cname(&self, name: &str) -> anyhow::Result<Answer> {
        let lookup = self.lookup(name, RecordType::CNAME).await?;
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
        let lookup = self.lookup(&format!("{host}."), RecordType::A).await?;
        let address = lookup.answers().iter().find_map(|record| match &record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        });
        address.with_context(|| format!("{host} has no address"))
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::Arc};

    use hickory_proto::op::{Message, MessageType};
    use tokio::net::UdpSocket;

    use super::*;

    /// Answers each question after `delay` with nothing; the answer is how many there were.
    async fn slow_server(socket: Arc<UdpSocket>, delay: Duration, questions: usize) -> usize {
        let mut buffer = [0; 1_232];
        for _ in 0..questions {
            let (size, from): (usize, SocketAddr) = socket.recv_from(&mut buffer).await.unwrap();
            let mut answer = Message::from_vec(&buffer[..size]).unwrap();
            answer.metadata.message_type = MessageType::Response;
            let socket = socket.clone();
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            });
        }
        questions
    }

    #[tokio::test]
    async fn each_question_gets_an_answer_of_its_own() {
        let delay = Duration::from_millis(200);
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let resolver = Resolver::of(config, ResolverOpts::default()).unwrap();
        let served = tokio::spawn(slow_server(socket, delay, 3));
        let ask = async |after_ms: u64| {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            let began = std::time::Instant::now();
            // The server has no such name, and says so.
            resolver.cname("fleet.example.com.").await.unwrap_err();
            began.elapsed()
        };
        let took = tokio::join!(ask(0), ask(60), ask(120));
        for took in [took.0, took.1, took.2] {
            assert!(
                took >= delay,
                "it was answered {took:?} after it was asked, by a server that takes {delay:?}"
            );
        }
        let served = tokio::time::timeout(Duration::from_secs(5), served).await;
        assert_eq!(served.unwrap().unwrap(), 3, "every question was asked");
    }
}
