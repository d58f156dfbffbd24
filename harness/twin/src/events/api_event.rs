//! API calls as events: `AWS API Call via CloudTrail`, as EventBridge has them of calls that change something.
//!
//! AWS says at least once and in no order, seconds to minutes later; the twin sends each once, in order, after
//! `api_event_delay`. Which members CloudTrail hides is not published for IoT: the private key is hidden here.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::envelope;
use crate::{
    call::{Call, Reply},
    error::AwsError,
    region::Region,
    world::World,
};

const KIND: &str = "AWS API Call via CloudTrail";
/// What a bus takes. A call that says more is refused in any case.
const EVENT_BYTES_MAX: usize = 256 * 1024;
const EVENT_VERSION: &str = "1.09";
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Tells the Region's bus of an API call of IoT that was answered. Does next to nothing while no rule could match.
/// `parameters` are the members of the request.
pub(crate) fn api_call(
    world: &Arc<World>,
    region: &Region,
    call: &Call,
    operation: &'static str,
    parameters: impl FnOnce() -> Json,
    outcome: &Result<Reply, AwsError>,
) {
    let Some(bus) = world.events.bus(&region.name) else { return };
    let bytes = call.body.len() + outcome.as_ref().map_or(0, |reply| reply.body.len());
    if is_read_only(operation) || bytes > EVENT_BYTES_MAX {
        return;
    }
    let known = || {
        let detail = json!({"eventSource": "iot.amazonaws.com", "eventName": operation, "readOnly": false});
        let account = &world.account;
        json!({
            "source": "aws.iot", "detail-type": KIND, "account": account, "region": region.name, "detail": detail,
        })
    };
    if !bus.wants(known) {
        return;
    }
    let now = world.clock.now();
    let mut detail = json!({
        "eventVersion": EVENT_VERSION,
        "userIdentity": user(&world.account, call),
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": "iot.amazonaws.com",
        "eventName": operation,
        "awsRegion": region.name,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": call.header("user-agent").unwrap_or("gameday-twin"),
        "requestParameters": cased(parameters()),
        "responseElements": null,
        "requestID": uuid::Uuid::new_v4().to_string(),
        "eventID": uuid::Uuid::new_v4().to_string(),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": world.account,
        "eventCategory": "Management",
    });
    match outcome {
        Ok(reply) => detail["responseElements"] = elements(&reply.body),
        Err(error) => {
            detail["errorCode"] = json!(error.code);
            detail["errorMessage"] = json!(error.message);
        }
    }
    let event = envelope(("aws.iot", KIND), (&region.name, &world.account), now, &[], &detail);
    let arrives = now.saturating_add(world.events.api_event_delay).unwrap_or(now);
    bus.send(arrives, event, bytes);
}

fn is_read_only(operation: &str) -> bool {
    ["Describe", "Get", "List", "Search"].iter().any(|verb| operation.starts_with(verb))
}

fn user(account: &str, call: &Call) -> Json {
    let credential = call.header("authorization").and_then(|a| a.split("Credential=").nth(1));
    let key = credential.and_then(|c| c.split('/').next()).unwrap_or("twin");
    json!({
        "type": "IAMUser",
        "principalId": "AIDAGAMEDAYTWIN",
        "arn": format!("arn:aws:iam::{account}:user/gameday"),
        "accountId": account,
        "accessKeyId": key,
        "userName": "gameday",
    })
}

/// What CloudTrail keeps of an answer: nothing of an empty one, no private key.
fn elements(body: &[u8]) -> Json {
    let Ok(Json::Object(mut answer)) = serde_json::from_slice(body) else { return Json::Null };
    if let Some(pair) = answer.get_mut("keyPair") {
        *pair = json!({"publicKey": pair["PublicKey"], "privateKey": HIDDEN});
    }
    if answer.is_empty() { Json::Null } else { Json::Object(answer) }
}

/// CloudTrail begins members in lower case, of tags too.
fn cased(mut parameters: Json) -> Json {
    let tags = parameters.get_mut("tags").and_then(Json::as_array_mut);
    for tag in tags.into_iter().flatten().filter_map(Json::as_object_mut) {
        let lower = |(name, value): (String, Json)| (name.to_ascii_lowercase(), value);
        *tag = std::mem::take(tag).into_iter().map(lower).collect::<Map<_, _>>();
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_without_private_keys() {
        let body = json!({"certificateId": "c", "keyPair": {"PublicKey": "pub", "PrivateKey": "secret"}});
        let kept = elements(body.to_string().as_bytes());
        assert_eq!(kept["keyPair"], json!({"publicKey": "pub", "privateKey": HIDDEN}));
        assert!(!kept.to_string().contains("secret"));
        assert_eq!((elements(b"{}"), elements(b"")), (Json::Null, Json::Null));
    }

    #[test]
    fn only_calls_that_change_something_are_told() {
        for (operation, expected) in [("GetPolicy", true), ("SearchIndex", true), ("AttachPolicy", false)] {
            assert_eq!(is_read_only(operation), expected);
        }
    }

    #[test]
    fn tags_begin_in_lower_case() {
        let given = json!({"policyName": "p", "tags": [{"Key": "K", "Value": "V"}]});
        assert_eq!(cased(given), json!({"policyName": "p", "tags": [{"key": "K", "value": "V"}]}));
    }
}
