//! API calls of AWS IoT, as EventBridge tells of them: what each is a reason to look at.
//!
//! An event is a hint, never the truth: it may come twice, late and in any order. What it says is only
//! used to know that a look has seen it already.

use serde_json::Value;

use super::{Shows, Want};
use crate::document::Key;
use crate::policy;
use crate::rules::is_own;

/// The calls that change what documents are of. The pattern of the rule that feeds the queue names
/// the same.
pub const CALLS: [&str; 19] = [
    "CreateKeysAndCertificate",
    "CreateCertificateFromCsr",
    "RegisterCertificate",
    "RegisterCertificateWithoutCA",
    "UpdateCertificate",
    "DeleteCertificate",
    "RegisterThing",
    "AttachThingPrincipal",
    "DetachThingPrincipal",
    "AttachPolicy",
    "DetachPolicy",
    "AttachPrincipalPolicy",
    "DetachPrincipalPolicy",
    "CreatePolicy",
    "CreatePolicyVersion",
    "SetDefaultPolicyVersion",
    "DeletePolicyVersion",
    "DeletePolicy",
    "DeleteThingGroup",
];

/// What an event of EventBridge asks to be looked at. Calls of other services and Regions, those that
/// failed and those that change nothing of ours ask for nothing.
pub fn read(event: &Value, region: &str) -> Result<Vec<Want>, String> {
    let detail = &event["detail"];
    let name = detail["eventName"].as_str().ok_or("it is no event of an API call")?;
    let is_elsewhere = detail["eventSource"] != "iot.amazonaws.com"
        || detail["awsRegion"].as_str().is_some_and(|its| its != region);
    if is_elsewhere || !CALLS.contains(&name) || !detail["errorCode"].is_null() {
        return Ok(Vec::new());
    }
    let time = detail["eventTime"].as_str().ok_or("it has no time")?;
    let time: jiff::Timestamp = time.parse().map_err(|_| format!("{time} is no time"))?;
    let since_ms = u64::try_from(time.as_millisecond()).map_err(|_| format!("{time} is no time"))?;
    let wants = looks(name, &detail["requestParameters"], &detail["responseElements"])?;
    let is_ours = |key: &Key| match key {
        Key::Identity(name) | Key::Policy(name) | Key::GroupPolicies(name) => !is_own(name),
        Key::Certificate(_) => true,
    };
    let wants = wants.into_iter().filter(|(key, _)| is_ours(key));
    Ok(wants.map(|(key, shows)| Want { key, since_ms, shows }).collect())
}

type Looks = Vec<(Key, Shows)>;

fn looks(name: &str, request: &Value, answer: &Value) -> Result<Looks, String> {
    let asked = |member: &str| text(request, member);
    Ok(match name {
        "CreateKeysAndCertificate"
        | "CreateCertificateFromCsr"
        | "RegisterCertificate"
        | "RegisterCertificateWithoutCA" => {
            vec![(Key::Certificate(text(answer, "certificateId")?), Shows::Entry(String::new()))]
        }
        "UpdateCertificate" | "DeleteCertificate" => {
            vec![(Key::Certificate(asked("certificateId")?), Shows::Whatever)]
        }
        "RegisterThing" => registered(answer),
        "AttachThingPrincipal" => {
            let principal = asked("principal")?;
            let entry = policy::certificate_id(&principal).unwrap_or(&principal).to_owned();
            vec![(Key::Identity(asked("thingName")?), Shows::Entry(entry))]
        }
        "DetachThingPrincipal" => detached(asked("thingName")?, &asked("principal")?),
        "AttachPolicy" => target(&asked("target")?, attached(asked("policyName")?)),
        "DetachPolicy" => target(&asked("target")?, Shows::Whatever),
        "AttachPrincipalPolicy" => target(&asked("principal")?, attached(asked("policyName")?)),
        "DetachPrincipalPolicy" => target(&asked("principal")?, Shows::Whatever),
        // Its policies go with it.
        "DeleteThingGroup" => vec![(Key::GroupPolicies(asked("thingGroupName")?), Shows::Whatever)],
        _ => vec![(Key::Policy(asked("policyName")?), Shows::Whatever)],
    })
}

fn text(members: &Value, name: &str) -> Result<String, String> {
    members[name].as_str().map(str::to_owned).ok_or_else(|| format!("it has no {name}"))
}

/// The thing, and the certificate by itself: what was seen of it with the thing may never be applied, for
/// the thing's next document comes without it.
fn detached(thing: String, principal: &str) -> Looks {
    let certificate = policy::certificate_id(principal).map(|id| Key::Certificate(id.to_owned()));
    [Some(Key::Identity(thing)), certificate]
        .into_iter()
        .flatten()
        .map(|key| (key, Shows::Whatever))
        .collect()
}

/// What is to be seen of a policy that was attached; the replicator's own are never seen.
fn attached(policy: String) -> Shows {
    if is_own(&policy) { Shows::Whatever } else { Shows::Entry(policy) }
}

/// Whatever has a policy: a certificate or a group. Others are not replicated.
fn target(arn: &str, shows: Shows) -> Looks {
    match policy::resource(arn) {
        Some(("cert", id)) => vec![(Key::Certificate(id.to_owned()), shows)],
        Some(("thinggroup", group)) => vec![(Key::GroupPolicies(group.to_owned()), shows)],
        _ => Vec::new(),
    }
}

/// What a provisioning template made, or took as it was: the answer does not say which.
fn registered(answer: &Value) -> Looks {
    let arns = answer["resourceArns"].as_object().into_iter().flat_map(|arns| arns.values());
    let look = |arn: &Value| match policy::resource(arn.as_str()?)? {
        ("thing", name) => Some((Key::Identity(name.to_owned()), Shows::Anything)),
        ("cert", id) => Some((Key::Certificate(id.to_owned()), Shows::Entry(String::new()))),
        ("policy", name) => Some((Key::Policy(name.to_owned()), Shows::Known)),
        _ => None,
    };
    arns.filter_map(look).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, request: &Value, answer: &Value) -> Value {
        json!({"version": "0", "source": "aws.iot", "detail-type": "AWS API Call via CloudTrail",
            "account": "1", "region": "r", "time": "2026-01-01T00:00:01Z", "resources": [],
            "detail": {"eventSource": "iot.amazonaws.com", "eventName": name, "awsRegion": "r",
                "eventTime": "2026-01-01T00:00:01Z", "requestParameters": request,
                "responseElements": answer}})
    }

    fn keys(name: &str, request: &Value, answer: &Value) -> Vec<Key> {
        let wants = read(&event(name, request, answer), "r").unwrap();
        assert!(wants.iter().all(|want| want.since_ms == 1_767_225_601_000), "{wants:?}");
        wants.into_iter().map(|want| want.key).collect()
    }

    #[test]
    fn each_call_is_a_reason_to_look_at_what_it_changed() {
        let (cert, group) = ("arn:aws:iot:r:1:cert/c", "arn:aws:iot:r:1:thinggroup/g");
        let certificate = || vec![Key::Certificate("c".into())];
        let id = json!({"certificateId": "c"});
        for name in [
            "CreateKeysAndCertificate",
            "CreateCertificateFromCsr",
            "RegisterCertificate",
            "RegisterCertificateWithoutCA",
        ] {
            assert_eq!(keys(name, &json!({}), &id), certificate(), "{name}");
        }
        for name in ["UpdateCertificate", "DeleteCertificate"] {
            assert_eq!(keys(name, &id, &Value::Null), certificate(), "{name}");
        }
        for name in ["AttachThingPrincipal", "DetachThingPrincipal"] {
            let request = json!({"thingName": "t", "principal": cert});
            let seen = keys(name, &request, &Value::Null);
            assert_eq!(seen[0], Key::Identity("t".into()), "{name}");
            assert_eq!(seen[1..] == certificate(), name == "DetachThingPrincipal", "{name}");
        }
        for name in ["AttachPolicy", "DetachPolicy"] {
            let of = |target| keys(name, &json!({"policyName": "p", "target": target}), &Value::Null);
            assert_eq!(of(cert), certificate(), "{name}");
            assert_eq!(of(group), [Key::GroupPolicies("g".into())], "{name}");
            assert_eq!(of("r:1234-cognito"), [], "{name}");
        }
        for name in ["AttachPrincipalPolicy", "DetachPrincipalPolicy"] {
            let request = json!({"policyName": "p", "principal": cert});
            assert_eq!(keys(name, &request, &Value::Null), certificate(), "{name}");
        }
        for name in [
            "CreatePolicy",
            "CreatePolicyVersion",
            "SetDefaultPolicyVersion",
            "DeletePolicyVersion",
            "DeletePolicy",
        ] {
            let request = json!({"policyName": "p"});
            assert_eq!(keys(name, &request, &Value::Null), [Key::Policy("p".into())], "{name}");
        }
        let arns = json!({"resourceArns": {"certificate": cert, "policy_X": "arn:aws:iot:r:1:policy/p",
            "thing": "arn:aws:iot:r:1:thing/t:1"}});
        let made = keys("RegisterThing", &json!({}), &arns);
        assert_eq!(made, [certificate().remove(0), Key::Policy("p".into()), Key::Identity("t:1".into())]);
    }

    #[test]
    fn calls_that_failed_or_change_nothing_of_ours_ask_for_nothing() {
        let mut failed = event("DeleteCertificate", &json!({"certificateId": "c"}), &Value::Null);
        failed["detail"]["errorCode"] = json!("ResourceNotFoundException");
        assert_eq!(read(&failed, "r"), Ok(Vec::new()));
        for name in ["CreateThing", "TransferCertificate", "AcceptCertificateTransfer", "UpdateRoleAlias"] {
            assert_eq!(keys(name, &json!({"certificateId": "c"}), &Value::Null), []);
        }
        let elsewhere = event("DeletePolicy", &json!({"policyName": "p"}), &Value::Null);
        assert_eq!(read(&elsewhere, "other"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_the_replicators_own_is_not_looked_at() {
        let name = format!("{}x", crate::rules::EXCLUDED_PREFIX);
        let thing = json!({"thingName": name, "principal": "arn:aws:iot:r:1:cert/c"});
        assert_eq!(keys("AttachThingPrincipal", &thing, &Value::Null), []);
        assert_eq!(keys("CreatePolicy", &json!({"policyName": name}), &Value::Null), []);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(read(&json!({}), "r").is_err());
        assert!(read(&event("DeletePolicy", &json!({}), &Value::Null), "r").is_err());
        let mut timeless = event("DeletePolicy", &json!({"policyName": "p"}), &Value::Null);
        timeless["detail"]["eventTime"] = json!("yesterday");
        assert!(read(&timeless, "r").is_err());
    }
}
