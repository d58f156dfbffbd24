//! One keep-alive HTTP connection to an AWS endpoint: the cheapest client that the benches can be driven with, so that the
//! server is what is measured. The signature is a form only; neither the twin nor its peers check it.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1, http::request::Builder};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One connection, one request at a time.
#[derive(Debug)]
pub(crate) struct Http {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
}

impl Http {
    /// Connects to `url`, for example `http://127.0.0.1:4566`.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Ok(Self { sender: open(&host).await?, host })
    }

    /// One call of a service in us-east-1; an answer that is no success is an error.
    pub(crate) async fn call(
        &mut self,
        service: &str,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<Bytes> {
        let request = self.request("us-east-1", service).method(method).uri(path);
        self.send(&format!("{method} {path}"), request.body(Full::new(Bytes::from(body)))?).await
    }

    /// One call of a JSON-RPC service in a Region; the target is the operation with its prefix.
    #[allow(dead_code, reason = "not every bench that shares this module asks such a service")]
    pub(crate) async fn rpc(
        &mut self,
        region: &str,
        service: &str,
        target: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value> {
        let request = self.request(region, service).method("POST").uri("/").header("x-amz-target", target);
        let answer = self.send(target, request.body(Full::new(Bytes::from(body.to_string())))?).await?;
        serde_json::from_slice(&answer).with_context(|| format!("{target}: the answer is no JSON"))
    }

    fn request(&self, region: &str, service: &str) -> Builder {
        let scope = format!("AKIDGAMEDAY/20261101/{region}/{service}/aws4_request");
        Request::builder()
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("x-amz-date", "20261101T000000Z")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
    }

    async fn send(&mut self, what: &str, request: Request<Full<Bytes>>) -> Result<Bytes> {
        // A server that ends the connection behind its answer pays for a new one.
        if self.sender.ready().await.is_err() {
            self.sender = open(&self.host).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{what}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

async fn open(host: &str) -> Result<http1::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(host).await.with_context(|| format!("cannot connect to {host}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
