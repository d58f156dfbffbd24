//! The IoT data plane over HTTP: shadows and publish. With SigV4 on the API endpoint, and with a client certificate on
//! a Region's own HTTPS port, where its policies decide.

use std::sync::Arc;

use axum::http::Method;
use rmqtt_codec::types::QoS;
use serde_json::json;

use super::sts::USER_ID;
use crate::{
    authorize::{Variables, allowed},
    call::{Call, Reply},
    error::AwsError,
    mqtt::{PublishRefusal, ShadowOperation, publish_over_https, shadow},
    region::Region,
    shadow::ShadowError,
    world::World,
};

pub(super) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let region = world
        .region(&call.region)
        .ok_or_else(|| AwsError::unknown_operation(&format!("iotdata in {}", call.region)))?;
    carry_out(world, region, call, USER_ID)
}

/// Who calls over TLS.
#[derive(Debug, Default)]
pub(crate) struct Device {
    /// Id of the certificate that it proved to hold.
    pub(crate) certificate: Option<String>,
    /// The name that it asked for.
    pub(crate) sni: Option<String>,
}

/// A call with a client certificate: refused unless the certificate is one that may connect and its policies allow the
/// call.
pub(crate) fn device_call(world: &Arc<World>, region: &Region, device: &Device, call: &Call) -> Reply {
    let forbidden = || super::error_json(&AwsError::new(403, "ForbiddenException", "Forbidden"));
    let Some(certificate) = device.certificate.as_deref() else {
        return forbidden();
    };
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (action, kind, name) = match (&call.method, parts.as_slice()) {
        (&Method::POST, ["topics", topic @ ..]) => ("iot:Publish", "topic", topic.join("/")),
        (&Method::GET, ["things", thing, "shadow"]) => ("iot:GetThingShadow", "thing", (*thing).to_owned()),
        (&Method::POST, ["things", thing, "shadow"]) => {
            ("iot:UpdateThingShadow", "thing", (*thing).to_owned())
        }
        (&Method::DELETE, ["things", thing, "shadow"]) => {
            ("iot:DeleteThingShadow", "thing", (*thing).to_owned())
        }
        _ => return super::error_json(&AwsError::unknown_operation(&call.raw_path)),
    };
    let permitted = {
        let registry = region.registry.lock();
        let principal = registry.arn(&format!("cert/{certificate}"));
        let resource = registry.arn(&format!("{kind}/{name}"));
        let sni = device.sni.as_deref();
        registry.certificate(certificate).is_ok_and(|c| c.admits(&region.endpoint, sni))
            && allowed(
                registry.policies_of(&principal, None).iter().map(|p| p.parsed.as_ref()),
                action,
                &resource,
                &Variables::default(),
            )
    };
    if !permitted {
        return forbidden();
    }
    carry_out(world, region, call, certificate).unwrap_or_else(|e| super::error_json(&e))
}

fn carry_out(world: &Arc<World>, region: &Region, call: &Call, principal: &str) -> Result<Reply, AwsError> {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let named = call.query("name").unwrap_or_default();
    let operation = match (&call.method, parts.as_slice()) {
        (&Method::POST, ["things", thing, "shadow"]) => Some((*thing, ShadowOperation::Update)),
        (&Method::GET, ["things", thing, "shadow"]) => Some((*thing, ShadowOperation::Get)),
        (&Method::DELETE, ["things", thing, "shadow"]) => Some((*thing, ShadowOperation::Delete)),
        _ => None,
    };
    if let Some((thing, operation)) = operation {
        let document = shadow(world, region, thing, named, operation, &call.body).map_err(|e| refusal(&e))?;
        return Ok(Reply::json(200, &document));
    }
    match (&call.method, parts.as_slice()) {
        (&Method::POST, ["topics", topic @ ..]) if !topic.is_empty() => {
            let qos = if call.query("qos") == Some("1") { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            match publish_over_https(world, region, &topic.join("/"), &call.body, qos, principal) {
                Ok(()) => Ok(Reply::json(200, &json!({"message": "OK"}))),
                Err(PublishRefusal::Topic) => {
                    Err(AwsError::new(400, "InvalidRequestException", "The topic may not be published to"))
                }
                Err(PublishRefusal::Throttled) => {
                    Err(AwsError::new(429, "ThrottlingException", "Rate exceeded"))
                }
                // The model of Publish has no error of 413.
                Err(PublishRefusal::TooLarge) => {
                    Err(AwsError::new(400, "InvalidRequestException", "The payload exceeds 128 KB"))
                }
            }
        }
        (&Method::GET, ["api", "things", "shadow", "ListNamedShadowsForThing", thing]) => {
            let results = region.shadows.lock().named(thing);
            Ok(Reply::json(200, &json!({"results": results, "timestamp": world.clock.now_s()})))
        }
        _ => Err(AwsError::unknown_operation(&format!("{} {}", call.method, call.raw_path))),
    }
}

fn refusal(error: &ShadowError) -> AwsError {
    let code = match error.code {
        404 => "ResourceNotFoundException",
        409 => "ConflictException",
        413 => "RequestEntityTooLargeException",
        429 => "ThrottlingException",
        _ => "InvalidRequestException",
    };
    AwsError::new(error.code, code, error.message.clone())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use bytes::Bytes;

    use super::*;
    use crate::mqtt::tests::site::{ALLOW_ALL, Site};

    fn publish(region: &Region, bytes: usize) -> Call {
        Call {
            method: Method::POST,
            raw_path: "/topics/a".to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::from(vec![b'x'; bytes]),
            region: region.name.clone(),
            service: "iotdata".to_owned(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_payload_of_more_than_128_kb_is_refused() {
        let site = Site::start().await;
        let region = site.twin.world().region("us-east-1").unwrap();
        let ask = |bytes| handle(site.twin.world(), &publish(region, bytes));
        assert_eq!(ask(128 * 1024).unwrap().status, 200);
        let refused = ask(128 * 1024 + 1).unwrap_err();
        assert_eq!((refused.status, refused.code), (400, "InvalidRequestException"));
        site.twin.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_registered_without_a_ca_needs_the_name_of_the_endpoint() {
        let site = Site::start().await;
        let region = site.twin.world().region("us-east-1").unwrap();
        let device = site.device("d", ALLOW_ALL).await;
        let status = |sni: Option<&str>| {
            let device =
                Device { certificate: Some(device.certificate.clone()), sni: sni.map(str::to_owned) };
            device_call(site.twin.world(), region, &device, &publish(region, 1)).status
        };
        assert_eq!(status(Some(region.endpoint.as_str())), 200);
        for other in [None, Some("127.0.0.1"), Some("localhost")] {
            assert_eq!(status(other), 403, "{other:?}");
        }
        site.twin.stop().await;
    }
}
