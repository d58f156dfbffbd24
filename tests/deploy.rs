//! `gameday deploy`, `outputs` and `destroy` on a twin: what they make is there by AWS's SDK, doing it again changes nothing,
//! the replicator works, and in the end both Regions are as they were. And the templates, by AWS's own linter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use aws_sdk_iot::types::{Configuration, EventType};
use gameday_tests::{
    gameday,
    site::{PRIMARY, Region, SECONDARY, Site, WAIT_MAX},
    skipped, tool,
};
use serde_json::Value;

/// AWS's quotas times this.
const QUOTA_SCALE: u32 = 20;

/// A thing made in the primary comes to the secondary, and goes with it.
async fn replicates(site: &Site, thing: &str) {
    site.primary.iot.create_thing().thing_name(thing).send().await.unwrap();
    eventually("the thing is in the secondary", async || site.secondary.has_thing(thing).await).await;
    site.primary.iot.delete_thing().thing_name(thing).send().await.unwrap();
    eventually("the thing is gone from the secondary", async || !site.secondary.has_thing(thing).await).await;
}

/// How many instances are kept for a function.
async fn reserved(region: &Region, function: &str) -> Option<i32> {
    let answer = region.functions.get_function_concurrency().function_name(function).send().await.unwrap();
    answer.reserved_concurrent_executions()
}

async fn is_healthy(site: &Site, check: &str) -> bool {
    let status = site.names.get_health_check_status().health_check_id(check).send().await.unwrap();
    let observations = status.health_check_observations();
    !observations.is_empty()
        && observations.iter().all(|observation| {
            let report = observation.status_report().and_then(|report| report.status());
            report.is_some_and(|status| status.starts_with("Success"))
        })
}

async fn assert_empty(site: &Site) {
    assert_eq!(site.leftovers().await.unwrap(), [""; 0]);
}

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < WAIT_MAX, "not within {} s: {what}", WAIT_MAX.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The outputs of the stacks in a Region, by stack.
fn by_stack(outputs: &Value, region: &str) -> BTreeMap<String, Value> {
    let stacks = outputs["stacks"].as_array().unwrap().iter().filter(|stack| stack["region"] == region);
    stacks.map(|stack| (stack["name"].as_str().unwrap().to_owned(), stack["outputs"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn deployed_twice_it_works_and_destroyed_it_leaves_everything_as_it_was() {
    let site = Site::start(QUOTA_SCALE).await.unwrap();
    let (primary, secondary) = (&site.primary, &site.secondary);
    // What somebody else has switched on stays on.
    let on = Configuration::builder().enabled(true).build();
    let events = primary.iot.update_event_configurations().event_configurations(EventType::ThingGroup, on);
    events.send().await.unwrap();
    let before = primary.events_on().await.unwrap();

    primary.iot.create_thing().thing_name("old").send().await.unwrap();
    site.does(&["deploy", "--postfix", "blue", "--interval", "10"]).unwrap();
    let outputs = site.outputs("blue").unwrap();
    let wanted = ["gameday-blue-tables", "gameday-blue-secondary", "gameday-blue-health"];
    assert_eq!(secondary.stack_names().await.unwrap(), set(&wanted));
    assert_eq!(primary.stack_names().await.unwrap(), set(&["gameday-blue-primary", "gameday-blue-health"]));
    let wanted = ["gameday-blue-replicate", "gameday-blue-repair", "gameday-blue-health"];
    assert_eq!(secondary.function_names().await.unwrap(), set(&wanted));
    let wanted = ["gameday-blue-capture", "gameday-blue-reconcile", "gameday-blue-health"];
    assert_eq!(primary.function_names().await.unwrap(), set(&wanted));
    let rules = primary.iot.list_topic_rules().send().await.unwrap();
    assert_eq!(rules.rules().len(), 8);
    let wanted = ["THING", "THING_GROUP", "THING_GROUP_MEMBERSHIP", "THING_TYPE"];
    assert_eq!(primary.events_on().await.unwrap(), set(&wanted));
    for at in [primary, secondary] {
        for name in ["gameday-blue-events", "gameday-blue-documents"] {
            let table = at.tables.describe_table().table_name(name).send().await.unwrap();
            let table = table.table().unwrap();
            assert_eq!(table.global_table_version(), Some("2019.11.21"));
            assert!(table.latest_stream_arn().is_some());
            let ttl = at.tables.describe_time_to_live().table_name(name).send().await.unwrap();
            assert_eq!(ttl.time_to_live_description().unwrap().attribute_name(), Some("expires"));
        }
    }

    let checks: Vec<String> = [PRIMARY, SECONDARY]
        .map(|region| {
            by_stack(&outputs, region)["gameday-blue-health"]["HealthCheck"].as_str().unwrap().to_owned()
        })
        .into();
    for check in &checks {
        eventually("the health check's function answers", async || is_healthy(&site, check).await).await;
    }
    replicates(&site, "lamp").await;
    // What no event told of, since it was there before.
    let reconcile = primary.functions.invoke().function_name("gameday-blue-reconcile").send().await.unwrap();
    assert_eq!(reconcile.function_error(), None);
    eventually("the old thing is in the secondary", async || secondary.has_thing("old").await).await;
    primary.iot.delete_thing().thing_name("old").send().await.unwrap();
    eventually("the old thing is gone", async || !secondary.has_thing("old").await).await;

    let (_, said) = site.does(&["deploy", "--postfix", "blue", "--interval", "10"]).unwrap();
    assert_eq!(said.matches(": unchanged").count(), 5, "{said}");
    assert_eq!(site.outputs("blue").unwrap(), outputs);

    // A secret that is new, and a dispatch that is another.
    let certificates = primary.iot.list_certificates().send().await.unwrap();
    site.does(&["deploy", "--postfix", "blue", "--interval", "10", "--rotate", "--dispatch", "workflow"])
        .unwrap();
    let rotated = primary.iot.list_certificates().send().await.unwrap();
    let id = |list: &aws_sdk_iot::operation::list_certificates::ListCertificatesOutput| {
        assert_eq!(list.certificates().len(), 1);
        list.certificates()[0].certificate_id().unwrap().to_owned()
    };
    assert_ne!(id(&certificates), id(&rotated));
    let wanted =
        ["dispatch", "apply", "give-up", "repair", "health"].map(|name| format!("gameday-blue-{name}"));
    assert_eq!(secondary.function_names().await.unwrap(), BTreeSet::from(wanted));
    replicates(&site, "pump").await;

    // Paused, it applies nothing; what has waited is applied when it goes on.
    let workflow = ["deploy", "--postfix", "blue", "--interval", "10", "--dispatch", "workflow"];
    site.does(&[&workflow[..], &["--pause", "--concurrency", "shared"]].concat()).unwrap();
    assert_eq!(reserved(secondary, "gameday-blue-apply").await, Some(0));
    assert_eq!(reserved(secondary, "gameday-blue-health").await, None);
    primary.iot.create_thing().thing_name("late").send().await.unwrap();
    site.does(&workflow).unwrap();
    assert_eq!(reserved(secondary, "gameday-blue-apply").await, Some(20));
    assert_eq!(reserved(secondary, "gameday-blue-health").await, Some(5));
    eventually("what has waited is applied", async || secondary.has_thing("late").await).await;
    primary.iot.delete_thing().thing_name("late").send().await.unwrap();
    eventually("the late thing is gone", async || !secondary.has_thing("late").await).await;
    for check in &checks {
        eventually("the health check is healthy again", async || is_healthy(&site, check).await).await;
    }

    // Another deployment beside it, which does not take with it what both need.
    site.does(&["deploy", "--postfix", "green"]).unwrap();
    let (_, said) = site.does(&["destroy", "--postfix", "blue"]).unwrap();
    assert!(said.contains("another deployment"), "{said}");
    assert!(primary.events_on().await.unwrap().contains("THING"));
    replicates(&site, "valve").await;
    site.does(&["destroy", "--postfix", "green"]).unwrap();
    let (_, said) = site.does(&["destroy", "--postfix", "green"]).unwrap();
    assert!(said.contains("nothing of gameday-green was there"), "{said}");
    assert_eq!(site.gameday(&["outputs", "--postfix", "green"]).unwrap().status.code(), Some(1));
    assert_empty(&site).await;
    assert_eq!(primary.events_on().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_says_why_and_may_be_given_again() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let site = Site::start(QUOTA_SCALE).await.unwrap();
    let before = site.primary.events_on().await.unwrap();
    let key = KeySchemaElement::builder().attribute_name("k").key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder().attribute_name("k").attribute_type(ScalarAttributeType::S);
    let tables = &site.secondary.tables;
    let in_the_way = tables
        .create_table()
        .table_name("gameday-main-errors")
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key)
        .attribute_definitions(attribute.build().unwrap());
    in_the_way.send().await.unwrap();

    let output = site.gameday(&["deploy"]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: it is not deployed") && said.contains("ErrorTable"), "{said}");
    assert!(said.contains("gameday-main-secondary in us-west-2 is ROLLBACK_COMPLETE"), "{said}");
    assert_eq!(site.primary.events_on().await.unwrap(), before, "no producer was begun");
    assert_eq!(site.primary.stack_names().await.unwrap(), set(&[]));

    tables.delete_table().table_name("gameday-main-errors").send().await.unwrap();
    let (_, said) = site.does(&["deploy"]).unwrap();
    assert!(said.contains("making it anew"), "{said}");
    replicates(&site, "lamp").await;
    // What cannot be taken down is said, and what remembers the rest stays with it, whichever stack it is.
    let folder = package_folder(&site).await;
    assert!(folder.is_dir());
    protect(&site.secondary, "gameday-main-secondary", true).await;
    protect(&site.primary, "gameday-main-health", true).await;
    let (code, _, said) = site.ends(&["destroy"]).unwrap();
    assert_eq!(code, Some(20), "{said}");
    assert!(said.contains("NOT DESTROYED: stack gameday-main-secondary in us-west-2"), "{said}");
    assert!(said.contains("NOT DESTROYED: stack gameday-main-health in us-east-1"), "{said}");
    assert!(said.contains("by hand: aws cloudformation delete-stack"), "{said}");
    let wanted = ["gameday-main-secondary", "gameday-main-tables"];
    assert_eq!(site.secondary.stack_names().await.unwrap(), set(&wanted));
    protect(&site.secondary, "gameday-main-secondary", false).await;
    assert_eq!(site.ends(&["destroy"]).unwrap().0, Some(20));
    assert_eq!(site.secondary.stack_names().await.unwrap(), set(&["gameday-main-tables"]));
    assert_eq!(site.primary.stack_names().await.unwrap(), set(&["gameday-main-health"]));
    assert!(folder.is_dir(), "the health check's function runs from it");
    protect(&site.primary, "gameday-main-health", false).await;
    site.does(&["destroy"]).unwrap();
    assert_empty(&site).await;
    assert!(!folder.exists());
    assert_eq!(site.primary.events_on().await.unwrap(), before);
}

async fn protect(region: &Region, stack: &str, on: bool) {
    let protect = region.stacks.update_termination_protection().stack_name(stack);
    protect.enable_termination_protection(on).send().await.unwrap();
}

/// Where the functions' package is: on the twin a folder.
async fn package_folder(site: &Site) -> PathBuf {
    let stacks = site.secondary.stacks.describe_stacks().stack_name("gameday-main-secondary").send().await;
    let stacks = stacks.unwrap().stacks.unwrap();
    let mut parameters = stacks[0].parameters().iter();
    let key = parameters.find(|parameter| parameter.parameter_key() == Some("CodeKey")).unwrap();
    key.parameter_value().unwrap().into()
}

#[test]
fn what_makes_no_sense_ends_with_2() {
    for (arguments, why) in [
        (&["deploy", "--target", "aws"][..], "--primary"),
        (&["deploy", "--target", "aws", "--primary", "a", "--secondary", "a"], "the same Region"),
        (&["deploy", "--postfix", "Big"], "small letters"),
        (&["deploy", "--interval", "20"], "10 or every 30"),
        (&["destroy", "--target", "mars"], "give aws, or a twin"),
        (&["outputs"], "AWS_ENDPOINT_URL"),
        (&["readiness", "--sample", "0"], "--sample"),
        (&["readiness", "--at-most", "soon"], "is not a time"),
        (&["failback", "--target", "mars"], "give aws, or a twin"),
    ] {
        let output =
            Command::new(gameday().unwrap()).args(arguments).env_remove("AWS_ENDPOINT_URL").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}

#[test]
fn the_templates_are_clean() {
    let Some(lint) = tool("cfn-lint") else {
        return skipped("the_templates_are_clean", "no cfn-lint; see .ci/tools");
    };
    let templates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../replicator/templates");
    let files: Vec<_> = std::fs::read_dir(templates).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 5);
    let regions = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1"];
    let output = Command::new(lint).arg("--regions").args(regions).arg("--").args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What is ours of this is the templates alone: the client is boto3, the target MiniStack.
#[test]
fn the_templates_deploy_on_ministack() {
    let (Some(python), Some(_)) = (tool("python3"), tool("ministack")) else {
        return skipped("the_templates_deploy_on_ministack", "no MiniStack; see .ci/tools");
    };
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/templates.py");
    let output = Command::new(python).arg(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
