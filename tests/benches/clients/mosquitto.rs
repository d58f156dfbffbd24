//! Debian's mosquitto in the place of a twin's MQTT endpoints: it listens on the addresses of both Regions, has a certificate
//! with their names, and demands one that the twin's authority signed. What else a game day needs, the twin is there for. A
//! game day finds it by the twin's endpoints with another port, which a listener of the bench gives out.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result};
use gameday_tests::skipped;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::{broker, broker::Broker, http::Http};

/// mosquitto before a twin. It ends with this value.
pub(crate) struct Stand {
    /// Where a game day asks for its target.
    pub(crate) url: String,
    /// Of the primary's MQTT.
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Stand {
    /// Starts it, if it is installed.
    pub(crate) async fn before(twin: &Broker) -> Result<Option<Self>> {
        let Some(program) = broker::mosquitto() else {
            skipped("mosquitto", "it is not installed");
            return Ok(None);
        };
        let api = twin.api().context("a twin has an API")?;
        let endpoints =
            Http::connect(api).await?.call("iot", "GET", "/_twin/endpoints", String::new()).await?;
        let mut endpoints: Value = serde_json::from_slice(&endpoints)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        let regions = endpoints["regions"].as_array_mut().context("Regions")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
        for region in regions {
            region["mqtt_port"] = port.into();
            hosts.push(text(&region["host"])?);
            addresses.push(text(&region["address"])?.parse::<IpAddr>()?);
        }
        let (ca, server, key) = certificates(hosts)?;
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        // Devices have the twin's certificates, the server has ours; who is let in is the former's business alone.
        let twins = text(&endpoints["ca_pem"])?;
        fs::write(path("devices.pem"), &twins)?;
        fs::write(path("server.pem"), server)?;
        fs::write(path("server.key"), key)?;
        endpoints["ca_pem"] = json!(format!("{twins}{ca}"));
        let listeners: Vec<String> = addresses
            .iter()
            .map(|address| {
                format!(
                    "listener {port} {address}\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
                    path("devices.pem").display(),
                    path("server.pem").display(),
                    path("server.key").display(),
                )
            })
            .collect();
        let rest = "allow_anonymous true\nmax_inflight_messages 100\npersistence false\nset_tcp_nodelay true\n\
                    log_type error\nuser root\n";
        fs::write(path("mosquitto.conf"), rest.to_owned() + &listeners.concat())?;
        let child = Command::new(program)
            .arg("-c")
            .arg(path("mosquitto.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let address = SocketAddr::new(*addresses.first().context("a primary")?, port);
        let stand = Self { url: give_out(&endpoints)?, address, child, _folder: folder };
        broker::until(|| TcpStream::connect(address).is_ok())?;
        Ok(Some(stand))
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority of the bench's own, a certificate for these names, and its key; PEM.
fn certificates(hosts: Vec<String>) -> Result<(String, String, String)> {
    let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "bench CA");
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let server = CertificateParams::new(hosts)?.signed_by(&key, &Issuer::new(ca, ca_key))?;
    Ok((ca_pem, server.pem(), key.serialize_pem()))
}

/// Answers whoever asks, whatever he asks for, with these endpoints, until the bench ends; the answer is where.
fn give_out(endpoints: &Value) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    let body = endpoints.to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let Ok(asked) = stream.try_clone() else { continue };
            let _ = BufReader::new(asked).lines().map_while(Result::ok).find(String::is_empty);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    Ok(url)
}
