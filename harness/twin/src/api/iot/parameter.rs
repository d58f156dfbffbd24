//! The members of a request by their names, wherever HTTP carries them: path, query, header or body.

use serde_json::{Map, Value, json};

use crate::call::Call;

/// Members that path segments are, by the segment before.
const IN_PATH: [(&str, &str); 9] = [
    ("things", "thingName"),
    ("thing-types", "thingTypeName"),
    ("thing-groups", "thingGroupName"),
    ("certificates", "certificateId"),
    ("cacertificate", "certificateId"),
    ("policies", "policyName"),
    ("target-policies", "policyName"),
    ("principal-policies", "policyName"),
    ("rules", "ruleName"),
];
const IN_HEADERS: [(&str, &str); 3] =
    [("x-amzn-principal", "principal"), ("x-amzn-iot-principal", "principal"), ("x-amz-tagging", "tags")];
/// Members of the query that are no strings.
const FLAGS: [&str; 4] = ["setAsActive", "setAsDefault", "forceDelete", "allowAutoRegistration"];
const NUMBERS: [&str; 1] = ["expectedVersion"];

/// All members; null if there are none.
pub(super) fn parameters(call: &Call, operation: &str, path: &[&str]) -> Value {
    let mut members = Map::new();
    let body: Option<Value> = serde_json::from_slice(&call.body).ok();
    match body {
        Some(payload) if matches!(operation, "CreateTopicRule" | "ReplaceTopicRule") => {
            members.insert("topicRulePayload".to_owned(), payload);
        }
        Some(Value::Object(body)) => members.extend(body),
        _ => {}
    }
    for (name, value) in &call.query {
        let value = if FLAGS.contains(&name.as_str()) {
            json!(value == "true")
        } else if NUMBERS.contains(&name.as_str()) {
            value.parse::<u64>().map_or_else(|_| json!(value), |n| json!(n))
        } else {
            json!(value)
        };
        members.insert(name.clone(), value);
    }
    for (header, member) in IN_HEADERS {
        if let Some(value) = call.header(header) {
            members.insert(member.to_owned(), json!(value));
        }
    }
    // The two operations on memberships have a verb there.
    if let [first, name, ..] = path
        && !matches!(operation, "AddThingToThingGroup" | "RemoveThingFromThingGroup")
        && let Some((_, member)) = IN_PATH.iter().find(|(segment, _)| segment == first)
    {
        members.insert((*member).to_owned(), json!(name));
    }
    if let ["policies", _, "version", version] = path {
        members.insert("policyVersionId".to_owned(), json!(version));
    }
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;

    fn told(
        operation: &str,
        path: &str,
        query: &[(&str, &str)],
        header: Option<(&'static str, &'static str)>,
        body: &Value,
    ) -> Value {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let call = Call {
            method: Method::POST,
            raw_path: format!("/{path}"),
            query: query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            headers,
            body: if body.is_null() { String::new() } else { body.to_string() }.into(),
            region: "us-east-1".to_owned(),
            service: "iot".to_owned(),
        };
        let segments = call.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        parameters(&call, operation, &path)
    }

    #[test]
    fn members_are_named_wherever_they_stand() {
        let none = Value::Null;
        assert_eq!(
            told("AttachPolicy", "target-policies/p", &[], None, &json!({"target": "arn:c"})),
            json!({"policyName": "p", "target": "arn:c"})
        );
        assert_eq!(
            told("UpdateCertificate", "certificates/c", &[("newStatus", "INACTIVE")], None, &none),
            json!({"certificateId": "c", "newStatus": "INACTIVE"})
        );
        assert_eq!(
            told(
                "AttachThingPrincipal",
                "things/a%3Ab/principals",
                &[],
                Some(("x-amzn-principal", "arn:c")),
                &none
            ),
            json!({"thingName": "a:b", "principal": "arn:c"})
        );
        assert_eq!(
            told("SetDefaultPolicyVersion", "policies/p/version/2", &[], None, &none),
            json!({"policyName": "p", "policyVersionId": "2"})
        );
        assert_eq!(
            told(
                "CreatePolicyVersion",
                "policies/p/version",
                &[("setAsDefault", "true")],
                None,
                &json!({"policyDocument": "{}"})
            ),
            json!({"policyName": "p", "setAsDefault": true, "policyDocument": "{}"})
        );
        assert_eq!(
            told("DeleteThing", "things/t", &[("expectedVersion", "3")], None, &none),
            json!({"thingName": "t", "expectedVersion": 3})
        );
        assert_eq!(
            told("CreateTopicRule", "rules/r", &[], None, &json!({"sql": "s"})),
            json!({"ruleName": "r", "topicRulePayload": {"sql": "s"}})
        );
        assert_eq!(
            told(
                "AddThingToThingGroup",
                "thing-groups/addThingToThingGroup",
                &[],
                None,
                &json!({"thingName": "t"})
            ),
            json!({"thingName": "t"})
        );
        assert_eq!(
            told("RegisterCertificate", "certificate/register", &[], None, &json!({"a": 1})),
            json!({"a": 1})
        );
        assert_eq!(told("CreateKeysAndCertificate", "keys-and-certificate", &[], None, &none), none);
    }
}
