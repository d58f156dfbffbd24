//! The health of a Region as a device sees it: can one connect, subscribe and get a message back?
//!
//! Answers Route 53 through a function URL (payload 2.0) or API Gateway. Route 53 waits two seconds
//! for an answer, so everything happens within [`probe::BUDGET_MS`]. Nothing is remembered between
//! requests: a message that an earlier request sent never makes a later one healthy.

pub mod probe;
mod request;

use std::fmt;

use serde_json::{Value, json};
use tracing::{info, warn};

use probe::Probe;

/// How many messages must come back if `COUNT` does not say.
pub const COUNT_DEFAULT: u32 = 2;

/// The most messages that a probe sends.
pub const COUNT_MAX: u32 = 10;

/// The port of MQTT over TLS.
pub const PORT_DEFAULT: u16 = 8883;

/// What the function is told by its environment.
#[derive(Clone)]
pub struct Settings {
    /// `ENDPOINT`: the name that the certificate of the Region's endpoint must bear.
    pub endpoint: String,
    /// `ENDPOINT_ADDRESS` (`ip:port`), or else the endpoint and `ENDPOINT_PORT`.
    pub address: String,
    /// Whether the address is one on the port that needs ALPN.
    pub alpn: bool,
    /// `CA`: the authorities of the endpoint's certificate, in PEM.
    pub ca: String,
    /// `CERT`: the probe's own certificate, in PEM.
    pub cert: String,
    /// `KEY`: its key, in PEM.
    pub key: String,
    /// `QUERY_STRING`: what a request must know.
    pub query_string: String,
    /// `COUNT`: how many messages must come back.
    pub count: u32,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {0} is not set or not valid")]
pub struct BadSetting(pub &'static str);

impl Settings {
    /// Reads the settings; `variable` looks up an environment variable.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let set = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let need = |name: &'static str| set(name).ok_or(BadSetting(name));
        let port = match set("ENDPOINT_PORT") {
            Some(port) => port.parse::<u16>().map_err(|_| BadSetting("ENDPOINT_PORT"))?,
            None => PORT_DEFAULT,
        };
        let count = match set("COUNT") {
            Some(count) => count.parse::<u32>().map_err(|_| BadSetting("COUNT"))?,
            None => COUNT_DEFAULT,
        };
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(BadSetting("COUNT"));
        }
        let endpoint = need("ENDPOINT")?;
        let address = set("ENDPOINT_ADDRESS").unwrap_or_else(|| format!("{endpoint}:{port}"));
        Ok(Self {
            alpn: address.ends_with(":443"),
            address,
            endpoint,
            ca: need("CA")?,
            cert: need("CERT")?,
            key: need("KEY")?,
            query_string: need("QUERY_STRING")?,
            count,
        })
    }
}

/// Answers one request: 200 if the Region is healthy, else 503. Who does not know the query string
/// learns nothing.
pub async fn answer(probe: &Probe, query_string: &str, request: &Value) -> Value {
    if !request::is_allowed(request, query_string) {
        warn!("a request that is not for the health check");
        return response(503, &json!({"message": "internal server error"}));
    }
    match Box::pin(probe.run()).await {
        Ok(took_ms) => {
            info!(took_ms, "healthy");
            response(200, &json!({"mqtt_status": "healthy"}))
        }
        Err(why) => {
            let error = why.to_string();
            warn!(error, "unhealthy");
            response(503, &json!({"mqtt_status": "unhealthy", "error": error}))
        }
    }
}

fn response(status: u16, body: &Value) -> Value {
    json!({
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "isBase64Encoded": false,
        "body": body.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "ENDPOINT" => "mqtt.example",
            "CA" | "CERT" | "KEY" => "pem",
            "QUERY_STRING" => "secret",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_address_is_the_endpoint_unless_one_is_given() {
        let settings = Settings::from_environment(environment).unwrap();
        assert_eq!(settings.address, "mqtt.example:8883");
        assert_eq!(settings.count, COUNT_DEFAULT);
        let given = |name: &str| match name {
            "ENDPOINT_ADDRESS" => Some("127.0.0.2:9999".to_owned()),
            other => environment(other),
        };
        assert_eq!(Settings::from_environment(given).unwrap().address, "127.0.0.2:9999");
    }

    #[test]
    fn an_empty_secret_is_no_secret() {
        let empty = |name: &str| if name == "QUERY_STRING" { Some(String::new()) } else { environment(name) };
        assert_eq!(Settings::from_environment(empty).unwrap_err(), BadSetting("QUERY_STRING"));
    }

    #[test]
    fn d41_what_is_secret_is_not_logged() {
        let given = |name: &str| environment(name).map(|value| format!("{name} {value}"));
        let shown = format!("{:?}", Settings::from_environment(given).unwrap());
        assert!(shown.contains("mqtt.example"), "{shown}");
        assert!(["KEY", "CERT", "QUERY_STRING"].iter().all(|name| !shown.contains(name)), "{shown}");
    }

    #[test]
    fn a_probe_sends_at_least_one_message() {
        let none = |name: &str| if name == "COUNT" { Some("0".to_owned()) } else { environment(name) };
        assert_eq!(Settings::from_environment(none).unwrap_err(), BadSetting("COUNT"));
    }
}
