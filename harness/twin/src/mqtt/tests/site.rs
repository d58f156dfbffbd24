//! A twin for a test, devices registered through its API, and clients of both versions: rumqttc as devices use it, and a
//! bare one that says exactly what it is told.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rmqtt_codec::v5::{Codec, Connect, Packet, Subscribe, SubscriptionOptions};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::codec::{Decoder, Encoder};

use crate::twin::{Endpoints, RegionEndpoint, Twin, TwinConfig};

/// A policy that allows everything.
pub(crate) const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"iot:*","Resource":"*"}"#;
/// A test waits this long for what has to come.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A running twin.
pub(crate) struct Site {
    pub(crate) twin: Twin,
    pub(crate) endpoints: Endpoints,
}

/// A registered device.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) certificate: String,
    tls: Arc<ClientConfig>,
    region: RegionEndpoint,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let twin = Twin::start(TwinConfig::default()).await.unwrap();
        let endpoints = twin.endpoints();
        Self { twin, endpoints }
    }

    /// Calls the IoT API of the primary Region.
    pub(crate) async fn api(&self, method: &str, path: &str, principal: Option<&str>, body: &Value) -> Value {
        let address = self.endpoints.api_url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address)
            .header("content-type", "application/json")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iot/aws4_request, a=b",
            );
        if let Some(principal) = principal {
            request = request.header("x-amzn-principal", principal);
        }
        let body = Full::new(Bytes::from(body.to_string()));
        let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{method} {path}: {status} {bytes:?}");
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    /// Registers a device with a certificate of its own and one policy of these statements.
    pub(crate) async fn device(&self, name: &str, statements: &str) -> Device {
        let key = rcgen::KeyPair::generate().unwrap();
        let pem =
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let registered = self
            .api(
                "POST",
                "/certificate/register-no-ca",
                None,
                &json!({"certificatePem": pem, "status": "ACTIVE"}),
            )
            .await;
        let arn = registered["certificateArn"].as_str().unwrap();
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        self.api("POST", &format!("/policies/{name}"), None, &json!({"policyDocument": policy})).await;
        self.api("PUT", &format!("/target-policies/{name}"), None, &json!({"target": arn})).await;
        self.api("POST", &format!("/things/{name}"), None, &json!({})).await;
        self.api("PUT", &format!("/things/{name}/principals"), Some(arn), &json!({})).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.endpoints.ca_pem.as_bytes()).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        Device {
            certificate: registered["certificateId"].as_str().unwrap().to_owned(),
            tls: Arc::new(tls),
            region: self.endpoints.regions[0].clone(),
        }
    }
}

impl Device {
    pub(crate) async fn dial_port(
        &self,
        port: u16,
        alpn: Option<&str>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
        let stream = TcpStream::connect((self.region.address, port)).await?;
        let name = ServerName::try_from(self.region.host.clone()).map_err(std::io::Error::other)?;
        TlsConnector::from(Arc::new(tls)).connect(name, stream).await
    }

    pub(crate) async fn dial(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.dial_port(self.region.mqtt_port, None).await
    }

    pub(crate) fn v4(&self, client_id: &str) -> rumqttc::MqttOptions {
        let mut options = rumqttc::MqttOptions::new(client_id, rumqttc::Broker::tcp("twin", 8883));
        let device = self.clone();
        options.set_socket_connector(move |_, _| {
            let device = device.clone();
            async move { device.dial().await }
        });
        options
    }

    pub(crate) fn v5(&self, client_id: &str) -> rumqttc_v5::MqttOptions {
        let mut options = rumqttc_v5::MqttOptions::new(client_id, rumqttc_v5::Broker::tcp("twin", 8883));
        let device = self.clone();
        options.set_socket_connector(move |_, _| {
            let device = device.clone();
            async move { device.dial().await }
        });
        options
    }

    /// A bare MQTT 5 client, connected or refused.
    pub(crate) async fn bare(&self, connect: Connect) -> Bare {
        Bare::over(self.dial().await.unwrap(), connect).await
    }

    /// The same over the HTTPS port, by ALPN.
    pub(crate) async fn bare_by_alpn(&self, alpn: &str, connect: Connect) -> Bare {
        Bare::over(self.dial_port(self.region.https_port, Some(alpn)).await.unwrap(), connect).await
    }
}

/// CONNECT of a client id, with nothing else.
pub(crate) fn hello(client_id: &str) -> Connect {
    Connect {
        clean_start: true,
        keep_alive: 60,
        receive_max: std::num::NonZeroU16::new(100),
        ..Connect::default().client_id(client_id)
    }
}

/// A client that sends and receives packets and does nothing by itself.
pub(crate) struct Bare {
    stream: TlsStream<TcpStream>,
    codec: Codec,
    input: BytesMut,
    packet_id: u16,
}

impl Bare {
    async fn over(stream: TlsStream<TcpStream>, connect: Connect) -> Self {
        let mut bare = Self { stream, codec: Codec::new(0, 0), input: BytesMut::new(), packet_id: 0 };
        bare.send(Packet::Connect(Box::new(connect))).await;
        bare
    }

    /// Connected: asserts CONNACK, and hands it out.
    pub(crate) async fn accepted(&mut self) -> rmqtt_codec::v5::ConnectAck {
        match self.next().await {
            Some(Packet::ConnectAck(ack)) => *ack,
            other => panic!("expected CONNACK, got {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        let mut output = BytesMut::new();
        self.codec.encode(packet, &mut output).unwrap();
        // The other side may be gone already, which the test sees when it reads.
        let _ = self.stream.write_all(&output).await;
        let _ = self.stream.flush().await;
    }

    /// The next packet; `None` when the connection ended.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        timeout(SOON, self.read()).await.expect("nothing came")
    }

    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Some((packet, _)) = self.codec.decode(&mut self.input).unwrap() {
                return Some(packet);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// All that comes until nothing comes for `quiet`.
    pub(crate) async fn drain(&mut self, quiet: Duration) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Ok(Some(packet)) = timeout(quiet, self.read()).await {
            packets.push(packet);
        }
        packets
    }

    pub(crate) fn packet_id(&mut self) -> std::num::NonZeroU16 {
        self.packet_id += 1;
        std::num::NonZeroU16::new(self.packet_id).unwrap()
    }

    pub(crate) async fn subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Vec<rmqtt_codec::v5::SubscribeAckReason> {
        let packet_id = self.packet_id();
        let topic_filters = filters.iter().map(|(filter, options)| ((*filter).into(), *options)).collect();
        self.send(Packet::Subscribe(Subscribe {
            packet_id,
            id: None,
            user_properties: Vec::new(),
            topic_filters,
        }))
        .await;
        match self.next().await {
            Some(Packet::SubscribeAck(ack)) => ack.status,
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }
}
