//! Who may call: programs of this machine. A web page can make a browser send calls to a local port, by a link or by a name
//! that it lets point here; what comes from a page, or was meant for another host, is refused.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Response},
    middleware::Next,
};
use serde_json::json;

use crate::call::Reply;

/// Lets calls through that are meant for this machine and come from no page of another.
pub(super) async fn local_only(request: Request, next: Next) -> Response<Body> {
    if is_local(request.headers()) {
        return next.run(request).await;
    }
    let message = "The twin answers programs of this machine alone: Host and Origin must name it";
    super::response(Reply::json(403, &json!({"message": message, "__type": "AccessDeniedException"})))
}

fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    text("host").is_none_or(names_this_machine)
        && text("origin").is_none_or(|origin| {
            origin.split_once("://").is_some_and(|(_, authority)| names_this_machine(authority))
        })
}

/// `127.x.y.z`, `[::1]`, `localhost` or a name below it, with or without a port.
fn names_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn pages_of_others_are_not_served() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| {
                    (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect::<HeaderMap>()
        };
        for good in [
            &[][..],
            &[("host", "127.0.0.1:4566")],
            &[("host", "localhost:4566"), ("origin", "http://localhost:3000")],
            &[("host", "bucket.localhost")],
            &[("host", "[::1]:4566")],
        ] {
            assert!(is_local(&headers(good)), "{good:?}");
        }
        for bad in [
            &[("host", "evil.example:4566")][..],
            &[("host", "127.0.0.1"), ("origin", "http://evil.example")],
            &[("host", "127.0.0.1"), ("origin", "null")],
            &[("host", "127.0.0.1.evil.example")],
        ] {
            assert!(!is_local(&headers(bad)), "{bad:?}");
        }
    }
}
