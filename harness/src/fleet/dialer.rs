//! Connecting: DNS, TCP and TLS done here and handed to the MQTT client as one stream, so that each can be timed apart.

use std::{io, sync::Arc, time::Duration};

use anyhow::Context;
use parking_lot::Mutex;
use rumqttc::{Broker, MqttOptions};
use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
    },
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Resolver, trust::Trust};
use crate::{clock::RunClock, identity::Identity};

/// Messages of one device under way at once; AWS allows 100.
const INFLIGHT_MAX: u16 = 20;
/// Nothing that a device gets is larger: a shadow has 8 KB, its documents message three times that.
const PACKET_BYTES_MAX: usize = 64 * 1024;
/// On the port of HTTPS, MQTT is asked for by this name.
const HTTPS_PORT: u16 = 443;
const ALPN: &[u8] = b"x-amzn-mqtt-ca";

/// What all TLS connections of the fleet share: trust and cryptography. Identities are each device's own.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    pub(crate) fn new(ca_pem: &str) -> anyhow::Result<Self> {
        let provider = Arc::new(CryptoProvider {
            // Of devices as they are: the post-quantum exchange, which the SDKs switch on for this whole process, is not theirs.
            kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
            ..aws_lc_rs::default_provider()
        });
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            roots.add(certificate.context("the target's root certificate is not PEM")?)?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
        Ok(Self { trust: Arc::new(Trust::new(verifier)), provider })
    }

    /// The configuration of one identity. Resumption is off: every connection proves the certificate again.
    pub(crate) fn config(&self, identity: &Identity) -> anyhow::Result<Arc<ClientConfig>> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key_der.clone()));
        self.config_of(&identity.certificate_pem, key)
    }

    /// The same of a certificate, with those above it if there are any, and its key.
    pub(crate) fn config_of(
        &self,
        certificate_pem: &str,
        key: PrivateKeyDer<'static>,
    ) -> anyhow::Result<Arc<ClientConfig>> {
        let chain = CertificateDer::pem_slice_iter(certificate_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .context("the certificate is not PEM")?;
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            // No check less than the usual one: see `Trust`.
            .dangerous()
            .with_custom_certificate_verifier(self.trust.clone())
            .with_client_auth_cert(chain, key)?;
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// When an attempt passed each stage, on the run's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub(crate) dns_us: Option<u64>,
    pub(crate) tcp_us: Option<u64>,
    pub(crate) tls_us: Option<u64>,
}

impl Timings {
    /// The stage that an attempt which failed did not pass.
    pub(crate) fn stage(&self) -> &'static str {
        match (self.dns_us, self.tcp_us, self.tls_us) {
            (None, ..) => "dns",
            (_, None, _) => "tcp",
            (_, _, None) => "tls",
            _ => "connack",
        }
    }
}

/// Dials with one identity.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    config: Arc<ClientConfig>,
    resolver: Arc<Resolver>,
    clock: RunClock,
    port: u16,
    /// The stages of the attempt under way.
    pub(crate) timings: Arc<Mutex<Timings>>,
}

impl Dialer {
    pub(crate) fn new(
        config: Arc<ClientConfig>,
        resolver: Arc<Resolver>,
        port: u16,
        clock: RunClock,
    ) -> Self {
        let config = if port == HTTPS_PORT { asking_for_mqtt(&config) } else { config };
        Self { config, resolver, clock, port, timings: Arc::default() }
    }

    /// One like it that times attempts of its own.
    pub(crate) fn apart(&self) -> Self {
        Self { timings: Arc::default(), ..self.clone() }
    }

    /// Options for one connection to `host`, by its name, with the name as SNI.
    pub(crate) fn options(&self, client_id: &str, host: &str, keep_alive: Duration) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, Broker::tcp(host, self.port));
        options.set_keep_alive(u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX));
        options.set_clean_session(true);
        options.set_inflight(INFLIGHT_MAX);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (dialer, host) = (self.clone(), host.to_owned());
        options.set_socket_connector(move |_, _| {
            let (dialer, host) = (dialer.clone(), host.clone());
            async move { dialer.dial(&host).await }
        });
        options
    }

    async fn dial(&self, host: &str) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        *self.timings.lock() = Timings::default();
        let address = self.resolver.address(host).await.map_err(io::Error::other)?;
        self.timings.lock().dns_us = Some(self.clock.now_us());
        let stream = TcpStream::connect((address, self.port)).await?;
        stream.set_nodelay(true)?;
        self.timings.lock().tcp_us = Some(self.clock.now_us());
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(self.config.clone()).connect(name, stream).await?;
        self.timings.lock().tls_us = Some(self.clock.now_us());
        Ok(stream)
    }
}

fn asking_for_mqtt(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyKind, named};

    #[tokio::test]
    async fn mqtt_is_asked_for_where_https_would_answer() {
        let key = KeyKind::P256.generate().unwrap();
        let pem = named("lamp").unwrap().self_signed(&key).unwrap().pem();
        let identity = Identity { certificate_pem: pem.clone(), key_der: key.serialize_der() };
        let config = Tls::new(&pem).unwrap().config(&identity).unwrap();
        let resolver = Arc::new(Resolver::of_machine().unwrap());
        let alpn = |port| {
            let dialer = Dialer::new(config.clone(), resolver.clone(), port, RunClock::start());
            dialer.config.alpn_protocols.clone()
        };
        assert_eq!(alpn(443), [ALPN]);
        assert!(alpn(8883).is_empty());
    }
}
