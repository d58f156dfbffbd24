//! Fuzz target: IoT policy documents.

use crate::{
    authorize::{PolicyDocument, Variables, allowed},
    fuzz::fuzz,
};

const SEEDS: [&str; 5] = [
    r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iot:Connect"],"Resource":["arn:aws:iot:us-east-1:1:client/${iot:Connection.Thing.ThingName}"]},
        {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:us-east-1:1:topic/dt/${iot:ClientId}/*"]},
        {"Effect":"Deny","Action":"iot:Publish","Resource":"*secret*"}]}"#,
    r#"{"Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#,
    r#"{"Statement":{"Effect":"Deny","Action":"iot:Conn??t","Resource":"*:client/?*","Condition":{"Bool":{"iot:Connection.Thing.IsAttached":"true"}}}}"#,
    r#"{"Statement":[{"Effect":"Allow","NotAction":"iot:Publish","NotResource":["arn:*"]}]}"#,
    r#"{"Statement":[]}"#,
];
const TOKENS: [&str; 7] = [
    "${iot:ClientId}",
    "${iot:ClientId",
    "${",
    "?",
    "\"Effect\":\"Deny\"",
    "\"Action\":\"*\"",
    "\"Resource\":\"*\"",
];
const ARN: &str = "arn:aws:iot:us-east-1:1:topic/dt/d1/é";

#[test]
fn the_seeds_are_policies() {
    for seed in SEEDS {
        PolicyDocument::parse(seed).unwrap();
    }
}

#[test]
fn any_document_is_a_policy_or_refused() {
    let none = PolicyDocument::parse(r#"{"Statement":[]}"#).unwrap();
    let deny =
        PolicyDocument::parse(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#).unwrap();
    let own = Variables { client_id: "d1".to_owned(), thing_name: Some("d1".to_owned()) };
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let Ok(policy) = PolicyDocument::parse(&String::from_utf8_lossy(input)) else { return };
        for action in ["iot:Connect", "iot:Publish", ""] {
            for variables in [&own, &Variables::default()] {
                let alone = allowed([&policy], action, ARN, variables);
                assert_eq!(alone, allowed([&none, &policy, &policy], action, ARN, variables));
                assert!(!allowed([&policy, &deny], action, ARN, variables));
            }
        }
    });
}

#[test]
fn documents_without_end_are_refused() {
    for open in ["[", "{\"Statement\":", "{\"Statement\":[{\"Resource\":["] {
        assert!(PolicyDocument::parse(&open.repeat(100_000)).is_err());
    }
}
