use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A template with a parameter, a list, a mapping and conditions; one resource that is there.
fn with_scope<T>(work: impl FnOnce(&Scope<'_>) -> T) -> T {
    let mut template = json!({
        "Parameters": {
            "Stage": {"Type": "String", "Default": "prod"},
            "Names": {"Type": "CommaDelimitedList", "Default": "a, b,c"},
        },
        "Mappings": {"Sizes": {"prod": {"Cpu": 4}}},
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "Test": {"Fn::Not": [{"Condition": "Prod"}]},
            "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "Test"}]},
            "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
            "LoopIf": {"Fn::Equals": [{"Fn::If": ["LoopIf", "a", "b"]}, "a"]},
            "C0": {"Condition": "Prod"},
        },
        "Resources": {"T": {"Type": "AWS::SNS::Topic"}, "Gone": {"Type": "AWS::SNS::Topic", "Condition": "Test"}},
    });
    for n in 1..=14 {
        let before = json!({"Condition": format!("C{}", n - 1)});
        template["Conditions"][format!("C{n}")] = json!({"Fn::And": [before, before, before, before]});
    }
    let template = Template::parse(&template.to_string()).unwrap();
    let parameters = super::super::parameter::values(&template.parameters, &[], None).unwrap();
    let pseudo = BTreeMap::from([("AWS::Region", json!("us-east-1"))]);
    let exports = BTreeMap::from([("shared".to_owned(), "42".to_owned())]);
    let attributes = json!({"TopicName": "t"}).as_object().unwrap().clone();
    let resources = BTreeMap::from([("T".to_owned(), Known { id: "arn:t".to_owned(), attributes })]);
    work(&Scope {
        template: &template,
        parameters: &parameters,
        pseudo: &pseudo,
        exports: &exports,
        resources,
        conditions: RefCell::default(),
    })
}

fn resolved(value: &Json) -> Json {
    with_scope(|scope| scope.resolve(value).unwrap().unwrap_or(Json::Null))
}

fn refused(value: &Json) -> String {
    with_scope(|scope| scope.resolve(value).map_or_else(|error| error.message, |_| String::new()))
}

#[test]
fn every_function_comes_to_what_it_says() {
    for (value, wanted) in [
        (json!({"Ref": "Stage"}), json!("prod")),
        (json!({"Ref": "Names"}), json!(["a", "b", "c"])),
        (json!({"Ref": "T"}), json!("arn:t")),
        (json!({"Ref": "AWS::Region"}), json!("us-east-1")),
        (json!({"Fn::GetAtt": ["T", "TopicName"]}), json!("t")),
        (json!({"Fn::GetAtt": "T.TopicName"}), json!("t")),
        (json!({"Fn::Sub": "${Stage}-${T.TopicName}-${!Stage}-$5"}), json!("prod-t-${Stage}-$5")),
        (json!({"Fn::Sub": ["${X}/${Stage}", {"X": {"Ref": "T"}}]}), json!("arn:t/prod")),
        (json!({"Fn::Join": ["-", ["a", 1, {"Ref": "Stage"}]]}), json!("a-1-prod")),
        (json!({"Fn::Join": [",", {"Ref": "Names"}]}), json!("a,b,c")),
        (json!({"Fn::Select": ["1", {"Fn::Split": ["/", "x/y/z"]}]}), json!("y")),
        (json!({"Fn::If": ["Prod", "yes", {"Ref": "AWS::NoValue"}]}), json!("yes")),
        (json!({"Fn::If": ["Both", 1, 2]}), json!(2)),
        (json!({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Cpu"]}), json!(4)),
        (json!({"Fn::ImportValue": {"Fn::Sub": "shared"}}), json!("42")),
        (json!({"Fn::Base64": "hello"}), json!("aGVsbG8=")),
        (json!({"Fn::Length": {"Ref": "Names"}}), json!(3)),
        (json!({"Fn::ToJsonString": {"a": {"Ref": "Stage"}}}), json!("{\"a\":\"prod\"}")),
        (json!({"Fn::Or": [{"Condition": "Test"}, {"Condition": "Prod"}]}), json!(true)),
    ] {
        assert_eq!(resolved(&value), wanted, "{value}");
    }
}

#[test]
fn no_value_leaves_out_members_and_items() {
    let value =
        json!({"A": {"Ref": "AWS::NoValue"}, "B": [1, {"Fn::If": ["Test", 2, {"Ref": "AWS::NoValue"}]}]});
    assert_eq!(resolved(&value), json!({"B": [1]}));
}

#[test]
fn what_does_not_work_out_is_refused_as_aws_words_it() {
    for (value, wanted) in [
        (json!({"Fn::ImportValue": "other"}), "No export named other found"),
        (
            json!({"Fn::Select": [9, {"Ref": "Names"}]}),
            "Template error: Fn::Select cannot select nonexistent value at index 9",
        ),
        (
            json!({"Fn::FindInMap": ["Sizes", "test", "Cpu"]}),
            "Template error: Unable to get mapping for Sizes::test::Cpu",
        ),
        (
            json!({"Fn::Cidr": ["10.0.0.0/16", 1]}),
            "Template error: the twin does not have the function Fn::Cidr",
        ),
        (json!({"Fn::GetAtt": ["T", "Nope"]}), "Attribute 'Nope' does not exist of resource T"),
    ] {
        assert_eq!(refused(&value), wanted);
    }
    let circle = refused(&json!({"Fn::If": ["Loop", 1, 2]}));
    assert!(circle.contains("in a circle"), "{circle}");
}

#[test]
fn dependencies_are_those_of_the_branch_that_is_taken() {
    let value = json!({"A": {"Fn::If": ["Prod", {"Ref": "T"}, {"Ref": "Gone"}]}, "B": {"Ref": "Stage"}});
    let mut found = BTreeSet::new();
    with_scope(|scope| scope.dependencies(&value, &mut found)).unwrap();
    assert_eq!(found, BTreeSet::from(["T".to_owned()]));
    let mut found = BTreeSet::new();
    let value = json!({"Fn::Sub": ["${T.TopicName} ${x}", {"x": {"Ref": "Gone"}}]});
    with_scope(|scope| scope.dependencies(&value, &mut found)).unwrap();
    assert_eq!(found, BTreeSet::from(["Gone".to_owned(), "T".to_owned()]));
}

fn plain() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[a-z ${}.]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[A-Z][a-z]{0,4}", inner, 2..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// A value without functions is what it is.
    #[test]
    fn what_has_no_functions_stays(value in plain()) {
        prop_assert_eq!(resolved(&value), value);
    }

    /// Text of any kind goes through `Fn::Sub` without a panic, and unchanged if it names nothing.
    #[test]
    fn sub_never_panics(text in "[a${}!.]{0,16}") {
        with_scope(|scope| {
            if let Ok(out) = scope.resolve(&json!({"Fn::Sub": text})) && !text.contains("${") {
                assert_eq!(out, Some(json!(text)));
            }
        });
    }
}

#[test]
fn a_condition_is_worked_out_once() {
    assert_eq!(resolved(&json!({"Fn::If": ["C14", "yes", "no"]})), json!("yes"));
    let why = refused(&json!({"Fn::If": ["LoopIf", "yes", "no"]}));
    assert!(why.contains("in a circle"), "{why}");
}
