//! Policies by example, and evaluation against an evaluator that is simple and slow.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn document(text: &str) -> PolicyDocument {
    PolicyDocument::parse(text).unwrap()
}

const OWN_TOPICS: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:1:client/${iot:Connection.Thing.ThingName}"},
    {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["arn:aws:iot:us-east-1:1:topic/dt/${iot:ClientId}/*"]},
    {"Effect":"Deny","Action":"iot:Publish","Resource":"*secret*"}]}"#;

#[test]
fn variables_bind_a_device_to_its_own_topics() {
    let doc = document(OWN_TOPICS);
    let own = Variables { client_id: "d1".into(), thing_name: Some("d1".into()) };
    let stranger = Variables { client_id: "d1".into(), thing_name: None };
    assert!(allowed([&doc], "iot:Connect", "arn:aws:iot:us-east-1:1:client/d1", &own));
    assert!(!allowed([&doc], "iot:Connect", "arn:aws:iot:us-east-1:1:client/d1", &stranger));
    assert!(allowed([&doc], "iot:Publish", "arn:aws:iot:us-east-1:1:topic/dt/d1/x", &own));
    assert!(!allowed([&doc], "iot:Publish", "arn:aws:iot:us-east-1:1:topic/dt/d2/x", &own));
    assert!(!allowed([&doc], "iot:Publish", "arn:aws:iot:us-east-1:1:topic/dt/d1/secret", &own));
    assert!(!allowed([&doc], "iot:Subscribe", "arn:aws:iot:us-east-1:1:topicfilter/dt/d1/x", &own));
}

#[test]
fn a_condition_is_never_generous() {
    let allow =
        document(r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{}}}}"#);
    assert!(!allowed([&allow], "iot:Connect", "x", &Variables::default()));
    let deny = document(
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{}}]}"#,
    );
    assert!(!allowed([&deny], "iot:Connect", "x", &Variables::default()));
}

proptest! {
    /// For all texts, a text matches itself, a star, and its own prefix with a star.
    #[test]
    fn globs(text in "[a-z/]{0,20}", cut in 0usize..20) {
        prop_assert!(matches(&text, &text));
        prop_assert!(matches("*", &text));
        let cut = cut.min(text.len());
        let prefix = format!("{}*", &text[..cut]);
        prop_assert!(matches(&prefix, &text));
        prop_assert_eq!(matches("", &text), text.is_empty());
    }

    /// For all patterns and texts, of characters of any length, matching is what splitting says one character at a time.
    #[test]
    fn globs_match_as_a_simple_matcher_does(pattern in "[ab*?é]{0,8}", text in "[abé]{0,8}") {
        let characters = |s: &str| s.chars().collect::<Vec<_>>();
        prop_assert_eq!(matches(&pattern, &text), simple(&characters(&pattern), &characters(&text)));
    }

    /// For all policies and requests: what a simple evaluator says, in whatever order and however often policies come.
    #[test]
    fn policies_are_evaluated_as_a_simple_evaluator_does(
        policies in prop::collection::vec(policy(), 0..4),
        action in action(),
        resource in resource(),
        client_id in "[ab]?",
        thing_name in prop::option::of("[ab]"),
    ) {
        let documents: Vec<_> = policies.iter().map(|p| document(&p.to_string())).collect();
        let variables = Variables { client_id, thing_name };
        let answer = allowed(&documents, &action, &resource, &variables);
        prop_assert_eq!(answer, simply_allowed(&policies, &action, &resource, &variables));
        prop_assert_eq!(answer, allowed(documents.iter().rev(), &action, &resource, &variables));
        prop_assert_eq!(answer, allowed(documents.iter().chain(&documents), &action, &resource, &variables));
        // One policy of all statements says the same, and nothing outweighs a deny.
        let statements: Vec<&Value> = policies.iter().flat_map(|p| p["Statement"].as_array().unwrap()).collect();
        let one = document(&json!({"Statement": statements}).to_string());
        prop_assert_eq!(answer, allowed([&one], &action, &resource, &variables));
        let deny = document(&json!({"Statement": {"Effect": "Deny", "Action": action, "Resource": "*"}}).to_string());
        prop_assert!(!allowed(documents.iter().chain([&deny]), &action, &resource, &variables));
    }
}

fn simple(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some(('*', rest)), _) => (0..=text.len()).any(|taken| simple(rest, &text[taken..])),
        (Some((p, rest)), Some((t, left))) => (p == t || *p == '?') && simple(rest, left),
        (Some(_), None) => false,
    }
}

fn action() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["iot:Publish", "iot:Connect", "iot:Receive"]).prop_map(str::to_owned)
}

fn resource() -> impl Strategy<Value = String> {
    "[ab]{1,2}/[ab]{1,2}"
}

fn policy() -> impl Strategy<Value = Value> {
    let actions = prop::sample::select(vec!["iot:*", "iot:Publish", "IOT:publish", "iot:?onnect", "*"]);
    let resources = prop_oneof![
        "[ab*?]{1,3}/[ab*?]{1,2}",
        prop::sample::select(vec![
            "*",
            "${iot:ClientId}/*",
            "*/${iot:Connection.Thing.ThingName}",
            "${no}*",
            "${"
        ])
        .prop_map(str::to_owned),
    ];
    let resources = prop::collection::vec(resources, 1..3);
    let statement = (prop::bool::weighted(0.7), prop::collection::vec(actions, 1..3), resources, 0..8_u8)
        .prop_map(|(allow, actions, resources, partial)| {
            let effect = if allow { "Allow" } else { "Deny" };
            let mut statement = json!({"Effect": effect, "Action": actions, "Resource": resources});
            if partial == 0 {
                statement["Condition"] = json!({});
            }
            statement
        });
    prop::collection::vec(statement, 0..4).prop_map(|statements| json!({"Statement": statements}))
}

/// What the module's head says, one statement at a time.
fn simply_allowed(policies: &[Value], action: &str, resource: &str, variables: &Variables) -> bool {
    let characters = |s: &str| s.chars().collect::<Vec<_>>();
    let fits = |pattern: &str, text: &str| simple(&characters(pattern), &characters(text));
    let filled = |pattern: &str| {
        let with_client = match variables.client_id.as_str() {
            "" => pattern.to_owned(),
            id => pattern.replace("${iot:ClientId}", id),
        };
        let filled = match &variables.thing_name {
            Some(name) => with_client.replace("${iot:Connection.Thing.ThingName}", name),
            None => with_client,
        };
        Some(filled).filter(|f| !f.contains("${"))
    };
    let any = |list: &Value, holds: &dyn Fn(&str) -> bool| {
        list.as_array().unwrap().iter().any(|one| holds(one.as_str().unwrap()))
    };
    let mut says = Vec::new();
    for statement in policies.iter().flat_map(|p| p["Statement"].as_array().unwrap()) {
        let (allow, partial) = (statement["Effect"] == "Allow", statement.get("Condition").is_some());
        let hit = any(&statement["Action"], &|a| fits(&a.to_lowercase(), &action.to_lowercase()))
            && any(&statement["Resource"], &|r| filled(r).is_some_and(|r| fits(&r, resource)));
        if (partial && !allow) || (hit && !partial) {
            says.push(allow);
        }
    }
    !says.is_empty() && !says.contains(&false)
}
