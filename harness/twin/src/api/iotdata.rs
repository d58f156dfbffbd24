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
    registry::CertificateStatus,
    shadow::ShadowError,
    world::World,
};

pub(super) fn handle(world: &Arc<World>, call: &Call) -> Result<Reply, AwsError> {
    let region = world
        .region(&call.region)
        .ok_or_else(|| AwsError::unknown_operation(&format!("iotdata in {}", call.region)))?;
    carry_out(world, region, call, USER_ID)
}

/// A call with a client certificate: refused unless the certificate is ACTIVE and its policies allow the call.
pub(crate) fn device_call(
    world: &Arc<World>,
    region: &Region,
    certificate: Option<&str>,
    call: &Call,
) -> Reply {
    let forbidden = || super::error_json(&AwsError::new(403, "ForbiddenException", "Forbidden"));
    let Some(certificate) = certificate else {
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
        registry.certificate(certificate).is_ok_and(|c| c.status == CertificateStatus::Active)
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
