//! A page that shows how the run stands: one file that asks for the status once a second. It changes nothing, and ends with the run.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::onlooker::Onlooker;

const PAGE: &str = include_str!("page/page.html");
/// Where the style of the report goes in.
const STYLE: &str = "/* the report's style */";
/// Nothing but what is in the page itself runs, and it talks to nobody else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

/// A page that listens and does not answer yet.
#[derive(Debug)]
pub(super) struct Page {
    listener: TcpListener,
    pub(super) address: SocketAddr,
}

impl Page {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("--page: nothing can listen at {address}"))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Answers until dropped.
    pub(super) async fn serve(self, onlooker: Arc<Onlooker>) {
        let routes = Router::new()
            .route("/", get(async || Html(PAGE.replacen(STYLE, gameday_report::STYLE, 1))))
            .route("/status.json", get(async |State(onlooker): State<Arc<Onlooker>>| Json(onlooker.status())))
            .with_state(onlooker);
        let routes = if self.address.ip().is_loopback() { routes.layer(from_fn(from_here)) } else { routes };
        if let Err(error) = axum::serve(self.listener, routes.layer(from_fn(guarded))).await {
            tracing::warn!(%error, "the page");
        }
    }
}

/// A name of somebody else's that leads to this machine is not let in: a page from there could read this one.
async fn from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_here(host) { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}

fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

async fn guarded(request: Request, next: Next) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, next.run(request).await).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_by_its_own_names_is_here() {
        for host in ["127.0.0.1:8080", "localhost:1", "localhost", "[::1]:80", "[::1]"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["", "evil.example:8080", "10.0.0.1:80", "localhost.evil.example", "127.0.0.1.nip.io:80"]
        {
            assert!(!is_here(host), "{host}");
        }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        assert!(PAGE.contains(STYLE));
        for elsewhere in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!PAGE.contains(elsewhere), "{elsewhere}");
        }
    }
}
