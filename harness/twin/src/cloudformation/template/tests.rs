use serde_json::json;

use super::*;

fn refused(json: &Json) -> String {
    Template::parse(&json.to_string()).map_or_else(|error| error.message, |_| String::new())
}

fn topic() -> Json {
    json!({"Type": "AWS::SNS::Topic"})
}

#[test]
fn sections_and_members_are_checked_by_name() {
    assert_eq!(refused(&json!({"Resources": {"T": topic()}})), "");
    let none = refused(&json!({"Resources": {}}));
    assert_eq!(none, "Template format error: At least one Resources member must be defined.");
    let other = refused(&json!({"Resource": {}, "Resources": {"T": topic()}}));
    assert_eq!(other, "Invalid template property or properties [Resource]");
    let version = refused(&json!({"AWSTemplateFormatVersion": "2011-01-01", "Resources": {"T": topic()}}));
    assert!(version.contains("2011-01-01 is not a supported value"), "{version}");
    let untyped = refused(&json!({"Resources": {"T": {"Properties": {}}}}));
    assert!(
        untyped.contains("[/Resources/T] Every Resources object must contain a Type member."),
        "{untyped}"
    );
    let name = refused(&json!({"Resources": {"My-T": topic()}}));
    assert_eq!(name, "Template format error: Resources name My-T is non alphanumeric.");
    let member = refused(&json!({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Foo": 1}}}));
    assert_eq!(member, "Invalid template resource property 'Foo'");
}

#[test]
fn references_to_nothing_are_refused() {
    let with = |properties: Json| {
        refused(
            &json!({"Resources": {"T": topic(), "R": {"Type": "AWS::SNS::Topic", "Properties": properties}}}),
        )
    };
    let unresolved =
        "Template format error: Unresolved resource dependencies [X] in the Resources block of the template";
    assert_eq!(with(json!({"TopicName": {"Ref": "X"}})), unresolved);
    assert_eq!(with(json!({"TopicName": {"Fn::Sub": "a-${X}"}})), unresolved);
    assert_eq!(with(json!({"TopicName": {"Fn::Sub": ["a-${X}", {"X": "b"}]}})), "");
    assert_eq!(with(json!({"TopicName": {"Fn::Sub": "a-${!X}-${AWS::Region}"}})), "");
    let gone = with(json!({"TopicName": {"Fn::GetAtt": ["X", "Arn"]}}));
    assert_eq!(gone, "Template error: instance of Fn::GetAtt references undefined resource X");
    let attribute = with(json!({"TopicName": {"Fn::GetAtt": ["T", "Arn"]}}));
    assert_eq!(attribute, "Template error: resource T does not support attribute type Arn in Fn::GetAtt");
    let output = refused(&json!({"Resources": {"T": topic()}, "Outputs": {"O": {"Value": {"Ref": "X"}}}}));
    assert!(output.ends_with("[X] in the Outputs block of the template"), "{output}");
    let depends = json!({"Resources": {"T": {"Type": "AWS::SNS::Topic", "DependsOn": "X"}}});
    assert_eq!(refused(&depends), unresolved);
}

#[test]
fn unknown_types_are_refused_together() {
    let template = json!({"Resources": {
        "A": {"Type": "AWS::EC2::Instance"}, "B": topic(), "C": {"Type": "AWS::EC2::VPC"}, "D": {"Type": "Custom::X"},
    }});
    let error = Template::parse(&template.to_string()).unwrap().check_types().unwrap_err();
    let wanted = "Template format error: Unrecognized resource types: [AWS::EC2::Instance, AWS::EC2::VPC]";
    assert_eq!(error.message, wanted);
}

#[test]
fn roles_need_a_capability_and_named_ones_a_stronger_one() {
    let role = |properties: Json| {
        let text =
            json!({"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": properties}}}).to_string();
        Template::parse(&text).unwrap()
    };
    let (plain, named) = (role(json!({})), role(json!({"RoleName": "r"})));
    let given = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let error = plain.check_capabilities(&[]).unwrap_err();
    assert_eq!(error.code, "InsufficientCapabilitiesException");
    assert_eq!(error.message, "Requires capabilities : [CAPABILITY_IAM]");
    assert!(plain.check_capabilities(&given(&["CAPABILITY_IAM"])).is_ok());
    assert!(plain.check_capabilities(&given(&["CAPABILITY_NAMED_IAM"])).is_ok());
    assert!(named.check_capabilities(&given(&["CAPABILITY_IAM"])).is_err());
    assert!(named.check_capabilities(&given(&["CAPABILITY_NAMED_IAM"])).is_ok());
}
