//! Fuzz target: provisioning templates, resolved and carried out on a registry.

use std::collections::BTreeMap;

use super::Template;
use crate::{
    fuzz::fuzz,
    registry::{GroupChange, Registry, ThingFilter},
};

const SEEDS: [&str; 4] = [
    r#"{"Parameters":{"N":{"Type":"String"},"S":{"Type":"String","Default":"s"}},"Mappings":{"M":{"s":{"k":"v"}}},"Resources":{
        "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["-",["t",{"Ref":"N"}]]},"AttributePayload":{"a":{"Fn::FindInMap":["M",{"Ref":"S"},"k"]}},"ThingGroups":["g"]},
        "OverrideSettings":{"AttributePayload":"MERGE","ThingTypeName":"REPLACE","ThingGroups":"DO_NOTHING"}},
        "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"p"}}}}"#,
    r#"{"Parameters":{"N":{"Type":"String"}},"Resources":{"thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Select":["1",{"Fn::Split":[",",{"Fn::Sub":["a,${x}",{"x":{"Ref":"N"}}]}]}]},"ThingTypeName":"k"}}}}"#,
    r#"{"Parameters":{"C":{"Type":"String","Default":"x"}},"Resources":{"certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"C"},"Status":"ACTIVE"},"OverrideSettings":{"Status":"FAIL"}}}}"#,
    r#"{"Resources":{"certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificatePem":"x","CACertificatePem":"y"}},"own":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}}},"DeviceConfiguration":{"a":1}}"#,
];
const TOKENS: [&str; 12] = [
    "{\"Ref\":\"N\"}",
    "{\"Ref\":\"AWS::IoT::Certificate::Id\"}",
    "\"Fn::Sub\":",
    "\"Fn::Select\":",
    "${N}",
    "${!N}",
    "${",
    "\"REPLACE\"",
    "\"CertificateSigningRequest\":",
    "\"Properties\":{},",
    "\"ThingGroups\":[\"g\",\"g\"],",
    "9999",
];

fn registry() -> Registry {
    let mut registry = Registry::new("us-east-1", "123456789012");
    registry.create_group("g", None, GroupChange::default(), 0).unwrap();
    registry.create_policy("p", r#"{"Version":"2012-10-17","Statement":[]}"#, 0).unwrap();
    registry
}

fn parameters() -> BTreeMap<String, String> {
    BTreeMap::from([("N".to_owned(), "1".to_owned())])
}

#[test]
fn the_seeds_are_templates() {
    for seed in SEEDS {
        Template::parse(seed).and_then(|template| template.plan(&parameters())).unwrap();
    }
    let plan = Template::parse(SEEDS[0]).unwrap().plan(&parameters()).unwrap();
    plan.apply(None, &mut registry(), 0, &mut Vec::new()).unwrap();
}

#[test]
fn any_text_is_a_template_or_refused() {
    fuzz!(SEEDS, TOKENS, |input: &[u8]| {
        let Ok(template) = Template::parse(&String::from_utf8_lossy(input)) else { return };
        let Ok(plan) = template.plan(&parameters()) else { return };
        assert_eq!(template.plan(&parameters()).unwrap(), plan, "the same comes to the same");
        let mut registry = registry();
        if let Ok(made) = plan.apply(None, &mut registry, 0, &mut Vec::new()) {
            assert_eq!(plan.thing.is_some(), registry.things(ThingFilter::default(), None).next().is_some());
            assert!(made.arns.values().all(|arn| arn.starts_with("arn:aws:iot:")), "{:?}", made.arns);
        }
    });
}

#[test]
fn templates_without_end_are_refused() {
    for open in ["[", "{\"Resources\":", "{\"Fn::Sub\":[", "{\"Ref\":"] {
        assert!(Template::parse(&open.repeat(100_000)).is_err(), "{open}");
    }
    let deep = format!("{}\"x\"{}", "{\"Fn::Join\":[\"\",[".repeat(50), "]]}".repeat(50));
    let body = format!(
        r#"{{"Resources":{{"thing":{{"Type":"AWS::IoT::Thing","Properties":{{"ThingName":{deep}}}}}}}}}"#
    );
    if let Ok(template) = Template::parse(&body) {
        drop(template.plan(&parameters()));
    }
}
