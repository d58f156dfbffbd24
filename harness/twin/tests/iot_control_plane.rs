//! The IoT control plane over the wire: a twin is started, and what an SDK would send is sent on a plain socket.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fmt::Write;

use gameday_twin::{Twin, TwinConfig};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

struct Client {
    address: String,
}

struct Answer {
    status: u16,
    /// `x-amzn-ErrorType`.
    error: Option<String>,
    body: Value,
}

impl Client {
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/iot/aws4_request, SignedHeaders=host, \
             Signature=0\r\n",
            body.len()
        );
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let error = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-amzn-errortype").then(|| value.to_owned())
        });
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, error, body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.call(method, path, &[], &body).await;
        assert_eq!((answer.status, answer.error), (200, None), "{method} {path}: {}", answer.body);
        answer.body
    }

    async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let answer = self.call(method, path, &[], &body).await;
        (answer.status, answer.error.unwrap_or_else(|| panic!("{method} {path} was not refused")))
    }
}

async fn start() -> (Twin, Client) {
    let twin = Twin::start(TwinConfig { quota_scale: 100.0, ..TwinConfig::default() }).await.unwrap();
    let address = twin.endpoints().api_url.trim_start_matches("http://").to_owned();
    (twin, Client { address })
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[tokio::test]
async fn types_and_groups() {
    let (twin, c) = start().await;
    let kind =
        json!({"thingTypeProperties": {"thingTypeDescription": "a pump", "searchableAttributes": ["os"]}});
    let made = c.ok("POST", "/thing-types/pump", kind).await;
    assert_eq!(made["thingTypeArn"], "arn:aws:iot:us-east-1:123456789012:thingtype/pump");
    c.ok(
        "POST",
        "/things/t1",
        json!({"thingTypeName": "pump", "attributePayload": {"attributes": {"os": "rtos"}}}),
    )
    .await;
    assert_eq!(c.ok("GET", "/things/t1", Value::Null).await["thingTypeName"], "pump");
    c.ok("POST", "/thing-types/pump/deprecate", json!({})).await;
    let described = c.ok("GET", "/thing-types/pump", Value::Null).await;
    assert_eq!(described["thingTypeMetadata"]["deprecated"], true);
    let typed = json!({"thingTypeName": "pump"});
    assert_eq!(c.refused("POST", "/things/t2", typed).await, (400, "InvalidRequestException".into()));
    assert_eq!(c.refused("DELETE", "/thing-types/pump", Value::Null).await.1, "InvalidRequestException");

    c.ok("POST", "/thing-groups/top", json!({"tags": [{"Key": "team", "Value": "a"}]})).await;
    c.ok("POST", "/thing-groups/low", json!({"parentGroupName": "top"})).await;
    c.ok("PUT", "/thing-groups/addThingToThingGroup", json!({"thingGroupName": "low", "thingName": "t1"}))
        .await;
    let below = c.ok("GET", "/thing-groups/top/things?recursive=true", Value::Null).await;
    assert_eq!(below["things"], json!(["t1"]));
    let low = c.ok("GET", "/thing-groups/low", Value::Null).await;
    assert_eq!(low["thingGroupMetadata"]["rootToParentThingGroups"][0]["groupName"], "top");
    let arn = "arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Athinggroup%2Ftop";
    let tags = c.ok("GET", &format!("/tags?resourceArn={arn}"), Value::Null).await;
    assert_eq!(tags["tags"], json!([{"Key": "team", "Value": "a"}]));
    assert_eq!(c.refused("DELETE", "/thing-groups/top", Value::Null).await.0, 400);

    c.ok("POST", "/policies/p", json!({"policyDocument": POLICY})).await;
    let target = json!({"target": "arn:aws:iot:us-east-1:123456789012:thinggroup/top"});
    c.ok("PUT", "/target-policies/p", target).await;
    let arn = "arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Athinggroup%2Flow";
    let attached = c.ok("POST", &format!("/attached-policies/{arn}?recursive=true"), Value::Null).await;
    assert_eq!(attached["policies"][0]["policyName"], "p");
    twin.stop().await;
}

#[tokio::test]
async fn policy_versions() {
    let (twin, c) = start().await;
    c.ok("POST", "/policies/p", json!({"policyDocument": POLICY})).await;
    for _ in 0..4 {
        c.ok("POST", "/policies/p/version?setAsDefault=true", json!({"policyDocument": POLICY})).await;
    }
    let document = json!({"policyDocument": POLICY});
    let sixth = c.refused("POST", "/policies/p/version", document).await;
    assert_eq!(sixth, (409, "VersionsLimitExceededException".into()));
    let versions = c.ok("GET", "/policies/p/version", Value::Null).await;
    assert_eq!(versions["policyVersions"][0], {
        let created = &versions["policyVersions"][0]["createDate"];
        json!({"versionId": "5", "isDefaultVersion": true, "createDate": created})
    });
    c.ok("PATCH", "/policies/p/version/2", Value::Null).await;
    assert_eq!(c.ok("GET", "/policies/p", Value::Null).await["defaultVersionId"], "2");
    let default = c.refused("DELETE", "/policies/p/version/2", Value::Null).await;
    assert_eq!(default, (409, "DeleteConflictException".into()));
    twin.stop().await;
}

#[tokio::test]
async fn search_and_paging() {
    let (twin, c) = start().await;
    let query = json!({"queryString": "thingName:t*", "maxResults": 4});
    let off = c.refused("POST", "/indices/search", query.clone()).await;
    assert_eq!(off, (400, "IndexNotReadyException".into()));
    let on = json!({"thingIndexingConfiguration": {"thingIndexingMode": "REGISTRY"}});
    c.ok("POST", "/indexing/config", on).await;
    for n in 0..10 {
        c.ok("POST", &format!("/things/t{n}"), json!({})).await;
    }
    let mut found = Vec::new();
    let mut ask = query;
    loop {
        let page = c.ok("POST", "/indices/search", ask.clone()).await;
        found.extend(page["things"].as_array().unwrap().iter().map(|t| t["thingName"].clone()));
        if page["nextToken"].is_null() {
            break;
        }
        ask["nextToken"] = page["nextToken"].clone();
    }
    assert_eq!(found, (0..10).map(|n| json!(format!("t{n}"))).collect::<Vec<_>>());
    let bad = c.refused("POST", "/indices/search", json!({"queryString": "(a"})).await;
    assert_eq!(bad, (400, "InvalidQueryException".into()));
    twin.stop().await;
}

#[tokio::test]
async fn authorities_and_rules() {
    let (twin, c) = start().await;
    let code = c.ok("GET", "/registrationcode", Value::Null).await;
    assert_eq!(code["registrationCode"].as_str().unwrap().len(), 64);
    let ca = json!({"caCertificate": twin.endpoints().ca_pem, "certificateMode": "SNI_ONLY"});
    let made = c.ok("POST", "/cacertificate?setAsActive=true&allowAutoRegistration=true", ca).await;
    let path = format!("/cacertificate/{}", made["certificateId"].as_str().unwrap());
    let described = c.ok("GET", &path, Value::Null).await;
    assert_eq!(described["certificateDescription"]["autoRegistrationStatus"], "ENABLE");
    assert_eq!(c.refused("DELETE", &path, Value::Null).await, (406, "CertificateStateException".into()));
    c.ok("PUT", &format!("{path}?newStatus=INACTIVE"), Value::Null).await;
    c.ok("DELETE", &path, Value::Null).await;

    let rule = json!({"sql": "SELECT * FROM 'a'", "actions": [{"dynamoDBv2": {"roleArn": "r", "putItem": {"tableName": "t"}}}]});
    assert_eq!(c.refused("PATCH", "/rules/r", rule.clone()).await, (401, "UnauthorizedException".into()));
    c.ok("POST", "/rules/r", rule).await;
    c.ok("POST", "/rules/r/disable", Value::Null).await;
    let listed = c.ok("GET", "/rules?ruleDisabled=true", Value::Null).await;
    assert_eq!(listed["rules"][0]["topicPattern"], "a");
    twin.stop().await;
}
