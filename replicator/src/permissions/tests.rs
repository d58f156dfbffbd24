use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// What begins the name of a call of an SDK.
const VERBS: [&str; 18] = [
    "add_",
    "attach_",
    "create_",
    "delete_",
    "deprecate_",
    "describe_",
    "detach_",
    "get_",
    "list_",
    "put_",
    "register_",
    "remove_",
    "scan",
    "search_",
    "send_",
    "start_",
    "update_",
    "query",
];
/// What looks like a call and is none, or is one that needs no permission.
const NO_CALLS: [&str; 1] = ["get_caller_identity"];
/// What Lambda calls in a function's name, not its code.
const LAMBDA: [&str; 9] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

/// The methods of the ports, and the calls that their adapters make.
const METHODS: &[(&str, &[&str])] = &[
    ("thing", &["DescribeThing"]),
    // With a query `SearchIndex`, which only the syncer gives.
    ("things", &["ListThings"]),
    ("create_thing", &["CreateThing"]),
    ("update_thing", &["UpdateThing"]),
    ("delete_thing", &["DeleteThing"]),
    ("thing_principals", &["ListThingPrincipals"]),
    ("principal_things", &["ListPrincipalThings"]),
    ("attach_principal", &["AttachThingPrincipal"]),
    ("detach_principal", &["DetachThingPrincipal"]),
    ("thing_type", &["DescribeThingType"]),
    ("thing_types", &["ListThingTypes"]),
    ("create_thing_type", &["CreateThingType"]),
    ("deprecate_thing_type", &["DeprecateThingType"]),
    ("delete_thing_type", &["DeleteThingType"]),
    ("type_incarnation", &["DescribeThingType"]),
    ("group_incarnation", &["DescribeThingGroup"]),
    ("group", &["DescribeThingGroup"]),
    ("groups", &["ListThingGroups"]),
    ("create_group", &["CreateThingGroup"]),
    ("update_group", &["UpdateThingGroup"]),
    ("delete_group", &["DeleteThingGroup"]),
    ("thing_groups", &["ListThingGroupsForThing"]),
    ("add_to_group", &["AddThingToThingGroup"]),
    ("remove_from_group", &["RemoveThingFromThingGroup"]),
    ("certificate", &["DescribeCertificate"]),
    ("described_certificate", &["DescribeCertificate"]),
    ("certificates", &["ListCertificates"]),
    ("register_certificate", &["RegisterCertificateWithoutCA"]),
    ("set_status", &["UpdateCertificate"]),
    ("delete_certificate", &["DeleteCertificate"]),
    ("policy", &["GetPolicy"]),
    ("policies", &["ListPolicies"]),
    ("create_policy", &["CreatePolicy"]),
    ("put_policy", &["CreatePolicyVersion", "ListPolicyVersions", "DeletePolicyVersion"]),
    ("delete_policy", &["DeletePolicy", "ListPolicyVersions", "DeletePolicyVersion"]),
    ("attached_policies", &["ListAttachedPolicies"]),
    ("policy_targets", &["ListTargetsForPolicy"]),
    ("attach_policy", &["AttachPolicy"]),
    ("detach_policy", &["DetachPolicy"]),
    ("shadow", &["GetThingShadow", "DescribeEndpoint"]),
    ("named_shadows", &["ListNamedShadowsForThing", "DescribeEndpoint"]),
    ("update_shadow", &["UpdateThingShadow", "DescribeEndpoint"]),
    ("delete_shadow", &["DeleteThingShadow", "DescribeEndpoint"]),
];

/// The modules whose code a function runs on a Region.
const MODULES: &[(&str, &[&str])] = &[
    ("replicate", APPLYING),
    ("apply", APPLYING),
    ("repair", APPLYING),
    ("give-up", &[]),
    ("dispatch", &[]),
    ("health", &[]),
    ("capture", &["capture.rs", "capture", "look.rs"]),
    ("jitr", &["jitr.rs"]),
    ("reconcile", &["reconcile.rs", "sync.rs", "sync", "look.rs", "compare.rs"]),
];
const APPLYING: &[&str] = &[
    "thing.rs",
    "thing",
    "thing_type.rs",
    "group.rs",
    "membership.rs",
    "shadow.rs",
    "shadow",
    "identity.rs",
    "identity",
    "patience.rs",
];

/// What a Region is called in code.
const REGIONS: [&str; 4] = ["region()", "region", "primary", "secondary"];

/// The code, without its tests and without white space.
fn code(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path);
    let mut files = vec![path.clone()];
    if path.is_dir() {
        files = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    }
    let is_code = |file: &&std::path::PathBuf| file.is_file() && !file.ends_with("tests.rs");
    let text: String = files
        .iter()
        .filter(is_code)
        .map(|file| std::fs::read_to_string(file).unwrap())
        .map(|text| text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned())
        .collect();
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The calls of an SDK in a text: `.verb_noun().`, a builder and what is set on it.
fn calls(code: &str) -> BTreeSet<String> {
    let names = code.match_indices("().").filter_map(|(end, _)| {
        let start = code[..end].rfind(|c: char| !c.is_ascii_lowercase() && c != '_')?;
        code[..=start].ends_with('.').then(|| code[start + 1..end].to_owned())
    });
    let is_call =
        |name: &String| VERBS.iter().any(|verb| name.starts_with(verb)) && !NO_CALLS.contains(&name.as_str());
    names.filter(is_call).map(|name| name.replace('_', "")).collect()
}

fn plain(action: &str) -> String {
    action.split(':').next_back().unwrap_or_default().to_ascii_lowercase()
}

#[test]
fn each_call_of_the_adapters_is_granted_to_someone_and_nothing_else_is() {
    let made = calls(&code("aws"));
    assert!(made.len() > 40 && made.contains("registercertificatewithoutca"), "{made:?}");
    let granted: BTreeSet<String> = FUNCTIONS
        .iter()
        .flat_map(|(function, _)| of(function))
        .filter(|(action, _)| !LAMBDA.contains(action))
        .map(|(action, _)| plain(action))
        .collect();
    assert_eq!(made, granted);
}

#[test]
fn a_function_may_call_what_its_modules_call_and_nothing_else() {
    for (function, modules) in MODULES {
        let code: String = modules.iter().map(|module| code(module)).collect();
        let wanted: BTreeSet<&str> = METHODS
            .iter()
            .filter(|(method, _)| REGIONS.iter().any(|region| code.contains(&format!("{region}.{method}("))))
            .flat_map(|(_, calls)| calls.iter().copied())
            .collect();
        let granted = of(function);
        let granted: BTreeSet<&str> =
            granted.iter().filter_map(|(action, _)| action.strip_prefix("iot:")).collect();
        assert_eq!(wanted, granted, "{function}");
    }
}

#[test]
fn a_call_is_granted_for_everything_only_where_aws_knows_no_less() {
    // Of the service authorization reference: these have no resources.
    const NONE: [&str; 10] = [
        "dynamodb:ListStreams",
        "iot:DescribeEndpoint",
        "iot:ListAttachedPolicies",
        "iot:ListCACertificates",
        "iot:ListCertificates",
        "iot:ListPolicies",
        "iot:ListThingGroups",
        "iot:ListThings",
        "iot:ListThingTypes",
        "iot:RegisterCertificateWithoutCA",
    ];
    for (function, _) in FUNCTIONS {
        for (action, scopes) in of(function) {
            assert_eq!(
                scopes.contains(&Scope::Any),
                NONE.contains(&action),
                "{function}: {action} {scopes:?}"
            );
        }
    }
}

#[test]
fn who_looks_changes_nothing() {
    for function in ["capture", "reconcile", "health"] {
        for (action, _) in of(function) {
            let reads = ["iot:Get", "iot:List", "iot:Describe", "iot:Search"];
            assert!(
                !action.starts_with("iot:") || reads.iter().any(|read| action.starts_with(read)),
                "{action}"
            );
        }
    }
}
