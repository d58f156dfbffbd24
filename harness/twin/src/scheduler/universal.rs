//! Universal targets: API calls that a schedule makes, `arn:aws:scheduler:::aws-sdk:<service>:<action>`. The input is the
//! request's members as JSON.
//!
//! Only operations whose codec is known here are taken; others are refused when the schedule is made.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value as Json};

use crate::{call::Call, error::AwsError};

const PREFIX: &str = "arn:aws:scheduler:::aws-sdk:";
/// Elements of lists in Route 53's XML, by the list's name.
const ITEMS: [(&str, &str); 6] = [
    ("Regions", "Region"),
    ("ResetElements", "ResettableElementName"),
    ("ChildHealthChecks", "ChildHealthCheck"),
    ("Changes", "Change"),
    ("ResourceRecords", "ResourceRecord"),
    ("Tags", "Tag"),
];
/// Members of Route 53 that the SDK for Java, after which inputs are named, spells in another case.
const SPELLINGS: [(&str, &str); 3] = [("IpAddress", "IPAddress"), ("EnableSni", "EnableSNI"), ("Ttl", "TTL")];

/// An API call that a schedule can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UniversalCall {
    UpdateHealthCheck,
    ChangeResourceRecordSets,
    Invoke,
}

impl UniversalCall {
    /// Whether an ARN is of this kind at all.
    pub(crate) fn is_one(arn: &str) -> bool {
        arn.starts_with(PREFIX)
    }

    pub(crate) fn parse(arn: &str) -> Option<Self> {
        match arn.strip_prefix(PREFIX)? {
            "route53:updateHealthCheck" => Some(Self::UpdateHealthCheck),
            "route53:changeResourceRecordSets" => Some(Self::ChangeResourceRecordSets),
            "lambda:invoke" => Some(Self::Invoke),
            _ => None,
        }
    }

    /// The call, with the input's members where the operation has them.
    pub(crate) fn call(self, region: &str, input: &str) -> Result<Call, AwsError> {
        let Ok(Json::Object(mut members)) = serde_json::from_str(input) else {
            return Err(invalid("the input is not an object"));
        };
        let mut call = Call {
            method: Method::POST,
            raw_path: String::new(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            region: region.to_owned(),
            service: if self == Self::Invoke { "lambda" } else { "route53" }.to_owned(),
        };
        match self {
            Self::UpdateHealthCheck => {
                let id = taken(&mut members, "HealthCheckId")?;
                call.raw_path = format!("/2013-04-01/healthcheck/{}", segment(&id));
                call.body = xml("UpdateHealthCheckRequest", &members).into();
            }
            Self::ChangeResourceRecordSets => {
                let id = taken(&mut members, "HostedZoneId")?;
                call.raw_path = format!("/2013-04-01/hostedzone/{}/rrset/", segment(&id));
                call.body = xml("ChangeResourceRecordSetsRequest", &members).into();
            }
            Self::Invoke => {
                let name = taken(&mut members, "FunctionName")?;
                call.raw_path = format!("/2015-03-31/functions/{}/invocations", segment(&name));
                let event = members.get("InvocationType").and_then(Json::as_str) == Some("Event");
                let kind = if event { "Event" } else { "RequestResponse" };
                call.headers.insert("x-amz-invocation-type", HeaderValue::from_static(kind));
                call.body = match members.remove("Payload") {
                    Some(Json::String(payload)) => payload.into(),
                    Some(payload) => payload.to_string().into(),
                    None => bytes::Bytes::from_static(b"{}"),
                };
            }
        }
        Ok(call)
    }
}

fn invalid(why: &str) -> AwsError {
    AwsError::new(400, "ValidationException", format!("Universal target: {why}"))
}

fn taken(members: &mut Map<String, Json>, name: &str) -> Result<String, AwsError> {
    match members.remove(name) {
        Some(Json::String(value)) if !value.is_empty() => Ok(value),
        _ => Err(invalid(&format!("{name} is required"))),
    }
}

fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn xml(root: &str, members: &Map<String, Json>) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in members {
        element(&mut text, name, value);
    }
    let _ = write!(text, "</{root}>");
    text
}

fn element(text: &mut String, name: &str, value: &Json) {
    let name = SPELLINGS.iter().find(|(other, _)| *other == name).map_or(name, |(_, name)| name);
    // A name with other characters is none, and would not be one element.
    if !name.chars().all(|c| c.is_ascii_alphanumeric()) || name.is_empty() {
        return;
    }
    let _ = write!(text, "<{name}>");
    match value {
        Json::Object(members) => {
            for (name, value) in members {
                element(text, name, value);
            }
        }
        Json::Array(list) => {
            let item = ITEMS.iter().find(|(of, _)| *of == name).map_or("member", |(_, item)| item);
            for one in list {
                element(text, item, one);
            }
        }
        Json::String(value) => text.push_str(&quick_xml::escape::escape(value.as_str())),
        Json::Null => {}
        scalar => text.push_str(&scalar.to_string()),
    }
    let _ = write!(text, "</{name}>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arn: &str, input: &str) -> Call {
        UniversalCall::parse(arn).unwrap().call("us-east-1", input).unwrap()
    }

    #[test]
    fn a_health_check_is_updated_in_xml() {
        let made = call(
            "arn:aws:scheduler:::aws-sdk:route53:updateHealthCheck",
            r#"{"HealthCheckId":"h-1","HealthCheckVersion":3,"ResourcePath":"/a?b=1&c","EnableSni":true,
                "ResetElements":["Regions"]}"#,
        );
        assert_eq!(
            (made.service.as_str(), made.raw_path.as_str()),
            ("route53", "/2013-04-01/healthcheck/h%2D1")
        );
        let body = String::from_utf8(made.body.to_vec()).unwrap();
        for part in [
            "<HealthCheckVersion>3</HealthCheckVersion>",
            "<ResourcePath>/a?b=1&amp;c</ResourcePath>",
            "<EnableSNI>true</EnableSNI>",
            "<ResetElements><ResettableElementName>Regions</ResettableElementName></ResetElements>",
        ] {
            assert!(body.contains(part), "{body}");
        }
        assert!(!body.contains("HealthCheckId"));
    }

    #[test]
    fn a_function_is_invoked_with_its_payload() {
        let made = call(
            "arn:aws:scheduler:::aws-sdk:lambda:invoke",
            r#"{"FunctionName":"f","InvocationType":"Event","Payload":"{\"a\":1}"}"#,
        );
        assert_eq!(made.raw_path, "/2015-03-31/functions/f/invocations");
        assert_eq!(
            (made.header("x-amz-invocation-type"), &made.body[..]),
            (Some("Event"), &b"{\"a\":1}"[..])
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(UniversalCall::parse("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"), None);
        assert!(UniversalCall::is_one("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"));
        let update = UniversalCall::UpdateHealthCheck;
        assert!(update.call("us-east-1", "{}").is_err());
        assert!(update.call("us-east-1", "[]").is_err());
    }
}
