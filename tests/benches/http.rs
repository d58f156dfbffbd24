//! One keep-alive HTTP connection to an AWS endpoint: the cheapest client that the benches can be driven with, so that the
//! server is what is measured. The signature is a form only; neither the twin nor its peers check it.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
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
        let scope = format!("AKIDGAMEDAY/20261101/us-east-1/{service}/aws4_request");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("x-amz-date", "20261101T000000Z")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(Full::new(Bytes::from(body)))?;
        // A server that ends the connection behind its answer pays for a new one.
        if self.sender.ready().await.is_err() {
            self.sender = open(&self.host).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&body));
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
