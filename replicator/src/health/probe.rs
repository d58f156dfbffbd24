//! One round trip through a Region's MQTT endpoint, as a device with a certificate of its own.
//!
//! It connects with a fresh client id and a clean session, subscribes to a topic of its own, sends
//! messages that nobody else knows, and is content when each has come back. It always disconnects.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, Broker, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, SubscribeReasonCode,
};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Settings;

/// How long a probe takes at most. Route 53 gives a check two seconds after it has connected.
pub const BUDGET_MS: u64 = 1_800;

/// What of the budget is kept for the goodbye.
const GOODBYE_MS: u64 = 150;

/// The keep-alive, longer than any probe: the broker is never asked whether it is there.
const KEEP_ALIVE_S: u16 = 30;

/// How many requests may wait for the connection: the subscription and all messages.
const WAITING_MAX: usize = 2 + super::COUNT_MAX as usize;

/// Why a Region is not healthy. Says nothing secret.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Not all messages were back in time.
    #[error("{missing} of {count} messages were not back within {BUDGET_MS} ms ({stage})")]
    Late {
        /// How many were not back.
        missing: usize,
        /// How many there are in all.
        count: u32,
        /// How far it had come.
        stage: &'static str,
    },
    /// The connection failed or was ended.
    #[error("{stage}: {why}")]
    Connection {
        /// How far it had come.
        stage: &'static str,
        /// What the connection said.
        why: String,
    },
    /// The broker does not let the probe subscribe.
    #[error("the broker refused the subscription")]
    Subscription,
}

/// A setting that makes no connection.
#[derive(Debug, thiserror::Error)]
pub enum BadIdentity {
    /// A certificate or key cannot be read.
    #[error("{0} cannot be read as PEM")]
    Pem(&'static str),
    /// The endpoint is no host name.
    #[error("the endpoint is not a host name")]
    Name,
    /// The key does not fit the certificate, or is of an unknown kind.
    #[error("certificate and key cannot be used")]
    Tls(#[source] rustls::Error),
}

/// Probes one endpoint. Holds settings only; each run has its own connection and state.
#[derive(Debug)]
pub struct Probe {
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    endpoint: String,
    address: String,
    count: u32,
}

impl Probe {
    /// Reads the identity.
    pub fn new(settings: &Settings) -> Result<Self, BadIdentity> {
        Ok(Self {
            tls: Arc::new(tls(settings)?),
            name: ServerName::try_from(settings.endpoint.clone()).map_err(|_| BadIdentity::Name)?,
            endpoint: settings.endpoint.clone(),
            address: settings.address.clone(),
            count: settings.count,
        })
    }

    /// Makes one round trip. Answers with the milliseconds it took.
    pub async fn run(&self) -> Result<u64, Unhealthy> {
        let started = Instant::now();
        let id = format!("r53-checker-{}", random_hex());
        let mut options =
            MqttOptions::new(id.clone(), Broker::tcp(self.endpoint.clone(), super::PORT_DEFAULT));
        options.set_keep_alive(KEEP_ALIVE_S).set_clean_session(true);
        let (tls, name, address) = (Arc::clone(&self.tls), self.name.clone(), self.address.clone());
        options.set_socket_connector(move |_, _| connect(Arc::clone(&tls), name.clone(), address.clone()));
        let (client, mut events) = AsyncClient::builder(options).capacity(WAITING_MAX).build();

        let mut trip = Trip::new(&id, self.count);
        let budget = Duration::from_millis(BUDGET_MS - GOODBYE_MS);
        let result = match tokio::time::timeout(budget, trip.run(&client, &mut events)).await {
            Ok(result) => result,
            Err(_) => Err(trip.late()),
        };
        goodbye(&client, &mut events).await;
        result.map(|()| u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// What one run has yet to see.
struct Trip {
    topic: String,
    stage: &'static str,
    count: u32,
    messages: BTreeSet<Vec<u8>>,
}

impl Trip {
    fn new(id: &str, count: u32) -> Self {
        let secret = random_hex();
        let message = |n| json!({"message": "R53 health check", "count": n, "nonce": secret}).to_string();
        Self {
            topic: format!("dr/r53/check/{id}"),
            stage: "connecting",
            count,
            messages: (1..=count).map(|n| message(n).into_bytes()).collect(),
        }
    }

    async fn run(&mut self, client: &AsyncClient, events: &mut EventLoop) -> Result<(), Unhealthy> {
        while !self.messages.is_empty() {
            let event = events.poll().await.map_err(|why| self.broken(why))?;
            let Event::Incoming(packet) = event else { continue };
            match packet {
                Packet::ConnAck(_) => {
                    self.stage = "subscribing";
                    let subscribed = client.try_subscribe(self.topic.clone(), QoS::AtLeastOnce);
                    subscribed.map_err(|why| self.broken(why))?;
                }
                Packet::SubAck(answer) => {
                    let refused = |code| matches!(code, &SubscribeReasonCode::Failure);
                    if answer.return_codes.iter().any(refused) {
                        return Err(Unhealthy::Subscription);
                    }
                    self.stage = "waiting for the messages";
                    for message in &self.messages {
                        let published = client.try_publish(
                            self.topic.clone(),
                            message.clone(),
                            PublishOptions::at_least_once(),
                        );
                        published.map_err(|why| self.broken(why))?;
                    }
                }
                Packet::Publish(message) => {
                    self.messages.remove(message.payload.as_ref());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn broken(&self, why: impl std::fmt::Display) -> Unhealthy {
        Unhealthy::Connection { stage: self.stage, why: why.to_string() }
    }

    fn late(&self) -> Unhealthy {
        Unhealthy::Late { missing: self.messages.len(), count: self.count, stage: self.stage }
    }
}

/// Disconnects in any case, so that no session is left; dropping the rest closes the socket.
async fn goodbye(client: &AsyncClient, events: &mut EventLoop) {
    if client.try_disconnect_now().is_err() {
        return;
    }
    let until_gone = async { while events.poll().await.is_ok() {} };
    // Late is as good: the socket is closed right after.
    tokio::time::timeout(Duration::from_millis(GOODBYE_MS), until_gone).await.ok();
}

async fn connect(
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    address: String,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    TlsConnector::from(tls).connect(name, socket).await
}

fn tls(settings: &Settings) -> Result<ClientConfig, BadIdentity> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(settings.ca.as_bytes()) {
        let authority = authority.map_err(|_| BadIdentity::Pem("CA"))?;
        roots.add(authority).map_err(BadIdentity::Tls)?;
    }
    let chain = CertificateDer::pem_slice_iter(settings.cert.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| BadIdentity::Pem("CERT"))?;
    let key = PrivateKeyDer::from_pem_slice(settings.key.as_bytes()).map_err(|_| BadIdentity::Pem("KEY"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BadIdentity::Tls)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(BadIdentity::Tls)?;
    // Each probe is to make the whole way that a device makes.
    config.resumption = Resumption::disabled();
    if settings.alpn {
        config.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()];
    }
    Ok(config)
}

/// Sixteen random digits. Without a source of randomness there is no TLS either.
fn random_hex() -> String {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).ok();
    format!("{:016x}", u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
