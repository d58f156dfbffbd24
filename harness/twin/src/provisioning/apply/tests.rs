use serde_json::{Value, json};

use super::*;
use crate::{pki::Pki, provisioning::Template, registry::GroupChange};

/// A registry with a group, a type and a policy, and events of things switched on.
fn registry() -> Registry {
    let mut registry = Registry::new("us-east-1", "123456789012");
    for group in ["g1", "g2"] {
        registry.create_group(group, None, GroupChange::default(), 0).unwrap();
    }
    registry.create_policy("p", POLICY, 0).unwrap();
    registry.set_event("THING", true);
    registry
}

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

fn plan(resources: &Value) -> Plan {
    Template::parse(&json!({"Resources": resources}).to_string()).unwrap().plan(&BTreeMap::new()).unwrap()
}

fn thing(properties: &Value, overrides: &Value) -> Value {
    json!({"thing": {"Type": "AWS::IoT::Thing", "Properties": properties, "OverrideSettings": overrides}})
}

fn apply(registry: &mut Registry, resources: &Value) -> Result<(Registered, Vec<RegistryEvent>), AwsError> {
    let mut events = Vec::new();
    let registered = plan(resources).apply(None, registry, 5_000, &mut events)?;
    Ok((registered, events))
}

fn certificate(registry: &mut Registry, status: CertificateStatus) -> Certificate {
    let pem = Pki::new().unwrap().issue_with_keys(0).unwrap().certificate_pem;
    registry.register_certificate(&pem, status, "DEFAULT", None, 0).unwrap()
}

#[test]
fn a_device_is_made_with_all_that_belongs_to_it() {
    let mut registry = registry();
    let pem = Pki::new().unwrap().issue_with_keys(0).unwrap().certificate_pem;
    let mut resources =
        thing(&json!({"ThingName": "t", "AttributePayload": {"a": "1"}, "ThingGroups": ["g1"]}), &json!({}));
    resources["certificate"] =
        json!({"Type": "AWS::IoT::Certificate", "Properties": {"CertificateSigningRequest": "csr"}});
    resources["own"] = json!({"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": POLICY}});
    resources["shared"] = json!({"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "p"}});
    let mut events = Vec::new();
    let made = plan(&resources).apply(Some(pem.clone()), &mut registry, 5_000, &mut events).unwrap();
    assert_eq!(made.certificate_pem.as_deref(), Some(pem.as_str()));
    assert_eq!(made.arns["thing"], "arn:aws:iot:us-east-1:123456789012:thing/t");
    assert_eq!(registry.principals("t").unwrap(), [made.arns["certificate"].clone()]);
    assert_eq!(registry.attached_policies(&made.arns["certificate"]).len(), 2);
    assert_eq!(
        registry.certificate_by_arn(&made.arns["certificate"]).unwrap().status,
        CertificateStatus::Active
    );
    assert_eq!(registry.groups_of("t").len(), 1);
    assert_eq!(events[0].topic, "$aws/events/thing/t/created");
}

#[test]
fn what_is_missing_is_found_before_anything_is_made() {
    let mut registry = registry();
    for properties in [
        json!({"ThingName": "t", "ThingGroups": ["absent"]}),
        json!({"ThingName": "t", "ThingTypeName": "absent"}),
        json!({"ThingName": "a b"}),
    ] {
        let error = apply(&mut registry, &thing(&properties, &json!({}))).unwrap_err();
        assert_eq!(error.code, "ResourceRegistrationFailureException", "{properties}");
    }
    let mut resources = thing(&json!({"ThingName": "t"}), &json!({}));
    resources["policy"] = json!({"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "absent"}});
    assert!(apply(&mut registry, &resources).is_err());
    resources["policy"] = json!({"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": "absent"}});
    assert!(apply(&mut registry, &resources).is_err());
    assert!(registry.thing("t").is_err());
}

#[test]
fn override_settings_decide_about_what_is_there() {
    let before = json!({"ThingName": "t", "AttributePayload": {"a": "1"}, "ThingGroups": ["g1"]});
    let after = json!({"ThingName": "t", "AttributePayload": {"b": "2"}, "ThingGroups": ["g2"]});
    for (setting, attributes, groups) in [
        (None, "a=1", "g1"),
        (Some("DO_NOTHING"), "a=1", "g1"),
        (Some("REPLACE"), "b=2", "g2"),
        (Some("MERGE"), "a=1,b=2", "g1,g2"),
    ] {
        let mut registry = registry();
        apply(&mut registry, &thing(&before, &json!({}))).unwrap();
        let overrides = match setting {
            Some(setting) => json!({"AttributePayload": setting, "ThingGroups": setting}),
            None => json!({}),
        };
        let (_, events) = apply(&mut registry, &thing(&after, &overrides)).unwrap();
        let found: Vec<String> =
            registry.thing("t").unwrap().attributes.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let member_of: Vec<&str> = registry.groups_of("t").iter().map(|g| g.name.as_str()).collect();
        assert_eq!(
            (found.join(",").as_str(), member_of.join(",").as_str()),
            (attributes, groups),
            "{setting:?}"
        );
        assert_eq!(events.is_empty(), attributes == "a=1", "{setting:?}");
    }
    let mut registry = registry();
    apply(&mut registry, &thing(&before, &json!({}))).unwrap();
    let error = apply(&mut registry, &thing(&after, &json!({"AttributePayload": "FAIL"}))).unwrap_err();
    assert_eq!(error.code, "ConflictingResourceUpdateException");
}

#[test]
fn a_certificate_that_waits_is_activated_and_another_by_its_setting() {
    use CertificateStatus::{Active, Inactive, PendingActivation};
    let status = |from, overrides: &Value| {
        let mut registry = registry();
        let id = certificate(&mut registry, from).id;
        let resource = json!({"Type": "AWS::IoT::Certificate", "OverrideSettings": overrides,
            "Properties": {"CertificateId": id, "Status": "ACTIVE"}});
        apply(&mut registry, &json!({"certificate": resource}))?;
        Ok::<_, AwsError>(registry.certificate(&id).unwrap().status)
    };
    assert_eq!(status(PendingActivation, &json!({"Status": "DO_NOTHING"})).unwrap(), Active);
    assert_eq!(status(Inactive, &json!({})).unwrap(), Inactive);
    assert_eq!(status(Inactive, &json!({"Status": "REPLACE"})).unwrap(), Active);
    assert_eq!(
        status(Inactive, &json!({"Status": "FAIL"})).unwrap_err().code,
        "ConflictingResourceUpdateException"
    );
}

#[test]
fn a_devices_own_certificate_is_registered_once() {
    let mut registry = registry();
    let pem = Pki::new().unwrap().issue_with_keys(0).unwrap().certificate_pem;
    let resources = json!({"c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificatePem": pem}}});
    let first = apply(&mut registry, &resources).unwrap().0;
    assert_eq!(registry.certificate_by_arn(&first.arns["c"]).unwrap().mode, "SNI_ONLY");
    assert_eq!(apply(&mut registry, &resources).unwrap().0, first);
}
