//! As much of a broker as the probe needs: it answers each packet by its first byte.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::health::Settings;

/// The first byte of a DISCONNECT packet.
pub(super) const DISCONNECT: u8 = 0xe0;

const CONNECT: u8 = 0x10;
const SUBSCRIBE: u8 = 0x82;
const PUBLISH_QOS_1: u8 = 0x32;

/// Where a CONNECT packet of MQTT 3.1.1 has its flags, and which one says that no session is to be kept.
const FLAGS_AT: usize = 7;
const CLEAN_SESSION: u8 = 0x02;

/// How the broker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It does its work.
    Well,
    /// It acknowledges messages and delivers none.
    Swallows,
    /// It refuses every subscription.
    Refuses,
    /// It accepts connections and says nothing.
    Dark,
}

/// A broker on the loopback address.
pub(super) struct Broker {
    settings: Settings,
    state: Arc<State>,
    last: Mutex<mpsc::UnboundedReceiver<Option<u8>>>,
}

struct State {
    mood: Lock<Mood>,
    /// Sessions that outlive their connections.
    sessions: AtomicUsize,
}

impl Broker {
    pub(super) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (acceptor, settings) = identity(address);
        let (seen, last) = mpsc::unbounded_channel();
        let state = Arc::new(State { mood: Lock::new(mood), sessions: AtomicUsize::new(0) });
        let its = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let mood = *its.mood.lock().unwrap();
                if mood == Mood::Dark {
                    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
                }
                let Ok(stream) = acceptor.accept(socket).await else { continue };
                seen.send(serve(stream, mood, &its.sessions).await).ok();
            }
        });
        Self { settings, state, last: Mutex::new(last) }
    }

    /// Another mood, from the next connection on.
    pub(super) fn becomes(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// How many sessions were asked to be kept.
    pub(super) fn sessions(&self) -> usize {
        self.state.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// The first byte of the last packet of a connection that has ended.
    pub(super) async fn last_packet(&self) -> Option<u8> {
        let mut last = self.last.lock().await;
        tokio::time::timeout(std::time::Duration::from_millis(500), last.recv()).await.ok()??
    }
}

/// An authority, with a certificate for the broker and one for the probe.
fn identity(address: String) -> (TlsAcceptor, Settings) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let (server, server_key) = issue("mqtt.example");
    let (client, client_key) = issue("probe");

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der().clone()], server_key.into())
        .unwrap();
    let settings = Settings {
        endpoint: "mqtt.example".into(),
        address,
        alpn: false,
        ca: authority.pem(),
        cert: client.pem(),
        key: client_key.serialize_pem(),
        query_string: "secret".into(),
        count: 2,
    };
    (TlsAcceptor::from(Arc::new(config)), settings)
}

/// Serves a connection to its end and says which packet was the last.
async fn serve(
    mut stream: TlsStream<tokio::net::TcpStream>,
    mood: Mood,
    sessions: &AtomicUsize,
) -> Option<u8> {
    let mut last = None;
    // No packet of the probe is longer than 127 bytes save the messages, whose length takes two.
    while let Ok(kind) = stream.read_u8().await {
        let mut length = usize::from(stream.read_u8().await.ok()?);
        if length >= 128 {
            length = length - 128 + 128 * usize::from(stream.read_u8().await.ok()?);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        last = Some(kind);
        let answer = match kind {
            CONNECT => {
                sessions.fetch_add(usize::from(body[FLAGS_AT] & CLEAN_SESSION == 0), Ordering::Relaxed);
                vec![0x20, 2, 0, 0]
            }
            SUBSCRIBE if mood == Mood::Refuses => vec![0x90, 3, body[0], body[1], 0x80],
            SUBSCRIBE => vec![0x90, 3, body[0], body[1], 1],
            PUBLISH_QOS_1 => answer_publish(body, mood),
            _ => continue,
        };
        stream.write_all(&answer).await.ok()?;
        stream.flush().await.ok()?;
    }
    last
}

/// The acknowledgement and, if the broker is well, the message itself: the probe is its subscriber.
fn answer_publish(body: Vec<u8>, mood: Mood) -> Vec<u8> {
    let id = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    let mut answer = vec![0x40, 2, body[id], body[id + 1]];
    if mood == Mood::Well {
        let (low, high) = (u8::try_from(body.len() % 128).unwrap(), u8::try_from(body.len() / 128).unwrap());
        answer.push(PUBLISH_QOS_1);
        if high > 0 {
            answer.extend([low | 0x80, high]);
        } else {
            answer.push(low);
        }
        answer.extend(body);
    }
    answer
}
