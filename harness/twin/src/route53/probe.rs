//! One probe of an endpoint: what a Route 53 health checker does each time, and what it says of it.
//!
//! Every step is bounded, the connection ends with the probe, and certificates are not judged: an endpoint with an
//! expired certificate is healthy. Only loopback is probed, so that a rehearsal cannot reach anything real.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::route53::config::{CheckType, Config};

/// Until an HTTP or HTTPS endpoint is connected, the TLS handshake included.
const CONNECT_S_MAX: u64 = 4;
/// Until a TCP endpoint is connected.
const TCP_CONNECT_S_MAX: u64 = 10;
/// From being connected until the status line and headers are there.
const RESPONSE_S_MAX: u64 = 2;

const NO_CONNECTION: &str = "The health checker could not establish a connection within the timeout limit.";
const NO_RESPONSE: &str = "The health checker could establish a connection but did not receive a response within the \
                           timeout limit.";
const NO_ADDRESS: &str = "DNS resolution failed: Rcode NXDomain(3)";

/// What a probe found: healthy or not, each with the text that the API tells.
pub(crate) type Outcome = Result<String, String>;

/// TLS settings for all probes, made once. They fail only if the provider has no usable cipher suite.
static TLS: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> = LazyLock::new(|| {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
});

/// Probes the endpoint at an address. `reference` marks the check in the `User-Agent`.
pub(crate) async fn probe(config: &Config, address: Option<IpAddr>, reference: &str) -> Outcome {
    let address = address.ok_or_else(|| NO_ADDRESS.to_owned())?;
    if !address.is_loopback() {
        return Err(format!("The twin probes loopback addresses only, not {address}"));
    }
    let endpoint = SocketAddr::new(address, config.port);
    match config.kind {
        CheckType::Tcp => {
            connect(endpoint, Duration::from_secs(TCP_CONNECT_S_MAX)).await?;
            Ok("TCP connection established".to_owned())
        }
        CheckType::Http => {
            let stream = connect(endpoint, Duration::from_secs(CONNECT_S_MAX)).await?;
            respond(config, stream, reference).await
        }
        CheckType::Https => {
            let limit = Duration::from_secs(CONNECT_S_MAX);
            let secured = timeout(limit, async { secure(config, connect(endpoint, limit).await?).await });
            let stream = secured.await.map_err(|_| NO_CONNECTION.to_owned())??;
            respond(config, stream, reference).await
        }
    }
}

async fn connect(endpoint: SocketAddr, limit: Duration) -> Result<TcpStream, String> {
    match timeout(limit, TcpStream::connect(endpoint)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => Err("Connection refused".to_owned()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(NO_CONNECTION.to_owned()),
    }
}

async fn secure(config: &Config, stream: TcpStream) -> Result<impl AsyncRead + AsyncWrite + Unpin, String> {
    let tls = TLS.clone().map_err(|e| e.to_string())?;
    let address = stream.peer_addr().map_err(|e| e.to_string())?.ip();
    let sni = config.fqdn.clone().filter(|_| config.enable_sni).map(ServerName::try_from);
    // A client that addresses its server by IP address sends no SNI.
    let server = sni.and_then(Result::ok).unwrap_or_else(|| ServerName::from(address));
    TlsConnector::from(tls).connect(server, stream).await.map_err(|e| format!("SSL: {e}"))
}

/// Sends the request and judges the status; the connection ends here.
async fn respond<S>(config: &Config, stream: S, reference: &str) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(config, reference).map_err(|e| e.to_string())?;
    let limit = Duration::from_secs(RESPONSE_S_MAX);
    match timeout(limit, exchange(stream, request)).await {
        Err(_) => Err(NO_RESPONSE.to_owned()),
        Ok(Err(e)) => Err(e.to_string()),
        Ok(Ok(status)) => {
            let text = status.canonical_reason().unwrap_or_default();
            let text = format!("HTTP Status Code {}, {text}", status.as_u16());
            if status.is_success() || status.is_redirection() { Ok(text) } else { Err(text) }
        }
    }
}

fn request(config: &Config, reference: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let agent =
        format!("Amazon-Route53-Health-Check-Service (ref {reference}; report http://amzn.to/1vsZADi)");
    Request::get(config.path())
        .header(header::HOST, config.host())
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, agent)
        .header(header::ACCEPT, "*/*")
        .body(Empty::new())
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<StatusCode, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut response = pin!(sender.send_request(request));
    let early = tokio::select! {
        biased;
        response = &mut response => Some(response),
        // A connection that ends has handed over its response, or the reason why there is none.
        _ = connection => None,
    };
    let response = match early {
        Some(response) => response,
        None => response.await,
    };
    Ok(response?.status())
}

/// Accepts every certificate, as Route 53 does; that the server holds its key is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::route53::config::Settings;

    fn config(kind: &str, port: u16) -> Config {
        Config::new(&Settings {
            kind: Some(kind.to_owned()),
            ip_address: Some("127.0.0.1".to_owned()),
            port: Some(u32::from(port)),
            ..Settings::default()
        })
        .unwrap()
    }

    /// Answers one connection with these bytes, and returns what was asked.
    async fn serve(listener: TcpListener, answer: &'static str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 1024];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    }

    async fn probe_with(kind: &str, answer: &'static str) -> (Outcome, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let config = config(kind, listener.local_addr().unwrap().port());
        let server = tokio::spawn(serve(listener, answer));
        let outcome = probe(&config, config.ip_address, "r").await;
        (outcome, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_status_of_2xx_or_3xx_is_healthy() {
        let (outcome, asked) = probe_with("HTTP", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(outcome, Ok("HTTP Status Code 200, OK".to_owned()));
        assert!(asked.starts_with("GET / HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
        assert!(
            asked.contains("user-agent: Amazon-Route53-Health-Check-Service (ref r; report http"),
            "{asked}"
        );
        let (moved, _) = probe_with("HTTP", "HTTP/1.1 302 Found\r\n\r\n").await;
        assert_eq!(moved, Ok("HTTP Status Code 302, Found".to_owned()));
        let (down, _) = probe_with("HTTP", "HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert_eq!(down, Err("HTTP Status Code 503, Service Unavailable".to_owned()));
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_speak_the_protocol_is_unhealthy() {
        assert!(probe_with("HTTP", "hello").await.0.is_err());
        assert!(
            probe_with("HTTPS", "HTTP/1.1 400 Bad Request\r\n\r\n").await.0.unwrap_err().starts_with("SSL")
        );
    }

    #[tokio::test]
    async fn a_silent_endpoint_times_out_and_a_closed_port_is_refused() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(probe(&config("TCP", port), ip, "r").await.unwrap(), "TCP connection established");
        assert_eq!(probe(&config("HTTP", port), ip, "r").await.unwrap_err(), NO_RESPONSE);
        drop(listener);
        assert_eq!(probe(&config("HTTP", port), ip, "r").await.unwrap_err(), "Connection refused");
    }

    #[tokio::test]
    async fn nothing_but_loopback_is_probed() {
        let public = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert!(probe(&config("HTTP", 80), public, "r").await.unwrap_err().contains("loopback"));
        assert_eq!(probe(&config("HTTP", 80), None, "r").await.unwrap_err(), NO_ADDRESS);
    }
}
