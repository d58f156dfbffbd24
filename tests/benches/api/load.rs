//! The load: calls over keep-alive connections, each waiting for its answer.

use std::{ops::Range, time::Instant};

use anyhow::{Result, anyhow};
use futures::future::try_join_all;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

use crate::{http::Http, server::Server};

const CONNECTIONS: usize = 10;

/// What a load reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_s: f64,
    /// The server's processor time of one call.
    pub(crate) server_cpu_ms: f64,
}

/// One call: service, method, path, body.
type Request = (&'static str, &'static str, String, String);

impl Load {
    /// `CreateThing` with an attribute.
    pub(crate) async fn create_things(server: &Server, range: Range<usize>) -> Result<Self> {
        let body = json!({"attributePayload": {"attributes": {"site": "berlin"}}}).to_string();
        let requests = range.map(|n| ("iot", "POST", format!("/things/bench-{n}"), body.clone()));
        Self::run(server, requests.collect()).await
    }

    /// `UpdateThingShadow` with four reported keys.
    pub(crate) async fn update_shadows(server: &Server, range: Range<usize>) -> Result<Self> {
        let requests = range.map(|n| {
            let state = json!({"reported": {"n": n, "temperature": 21.5, "on": true, "mode": "auto"}});
            let body = json!({"state": state}).to_string();
            ("iotdata", "POST", format!("/things/bench-{n}/shadow"), body)
        });
        Self::run(server, requests.collect()).await
    }

    /// `RegisterCertificateWithoutCA`, each certificate another one.
    pub(crate) async fn register_certificates(server: &Server, range: Range<usize>) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let requests = range
            .map(|n| {
                let mut params = CertificateParams::default();
                params.distinguished_name.push(DnType::CommonName, format!("bench-{n}"));
                let body = json!({"certificatePem": params.self_signed(&key)?.pem(), "status": "ACTIVE"});
                Ok(("iot", "POST", "/certificate/register-no-ca".to_owned(), body.to_string()))
            })
            .collect::<Result<_>>()?;
        Self::run(server, requests).await
    }

    async fn run(server: &Server, requests: Vec<Request>) -> Result<Self> {
        let calls = requests.len() as f64;
        let mut shares: Vec<Vec<Request>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
        for (n, request) in requests.into_iter().enumerate() {
            shares[n % CONNECTIONS].push(request);
        }
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for share in shares {
            connections.push((Http::connect(&server.url).await?, share));
        }
        let (before, began) = (server.usage()?, Instant::now());
        let tasks = connections.into_iter().map(|(mut http, share)| {
            tokio::spawn(async move {
                for (service, method, path, body) in share {
                    http.call(service, method, &path, body).await?;
                }
                anyhow::Ok(())
            })
        });
        for done in try_join_all(tasks).await? {
            done.map_err(|error| anyhow!("{}: {error:#}", server.url))?;
        }
        let elapsed_s = began.elapsed().as_secs_f64();
        Ok(Self {
            per_s: calls / elapsed_s,
            server_cpu_ms: server.usage()?.since(before).cpu_s * 1e3 / calls,
        })
    }
}
