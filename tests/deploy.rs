//! `gameday deploy`, `outputs` and `destroy` on a twin: what they make is there by AWS's SDK, doing it again changes nothing,
//! the replicator works, and in the end both Regions are as they were. And the templates, by AWS's own linter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output},
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_iot::types::{Configuration, EventType};
use gameday_tests::{TwinProcess, gameday, skipped, tool};
use serde_json::Value;

const PRIMARY: &str = "us-east-1";
const SECONDARY: &str = "us-west-2";
/// A state is waited for this long.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Clients of one Region.
struct At {
    stacks: aws_sdk_cloudformation::Client,
    tables: aws_sdk_dynamodb::Client,
    iot: aws_sdk_iot::Client,
    functions: aws_sdk_lambda::Client,
}

/// A twin and what looks at it.
struct Site {
    twin: TwinProcess,
    primary: At,
    secondary: At,
    names: aws_sdk_route53::Client,
}

async fn config(url: &str, region: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(url)
        .credentials_provider(aws_sdk_iot::config::Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

impl At {
    async fn new(url: &str, region: &str) -> Self {
        let config = config(url, region).await;
        Self {
            stacks: aws_sdk_cloudformation::Client::new(&config),
            tables: aws_sdk_dynamodb::Client::new(&config),
            iot: aws_sdk_iot::Client::new(&config),
            functions: aws_sdk_lambda::Client::new(&config),
        }
    }

    async fn events_on(&self) -> BTreeSet<String> {
        let now = self.iot.describe_event_configurations().send().await.unwrap();
        let kinds = now.event_configurations.unwrap_or_default();
        kinds
            .into_iter()
            .filter(|(_, kind)| kind.enabled())
            .map(|(name, _)| name.as_str().to_owned())
            .collect()
    }

    async fn functions(&self) -> BTreeSet<String> {
        let list = self.functions.list_functions().send().await.unwrap();
        list.functions().iter().map(|function| function.function_name().unwrap().to_owned()).collect()
    }

    async fn stacks(&self) -> BTreeSet<String> {
        let list = self.stacks.list_stacks().send().await.unwrap();
        list.stack_summaries()
            .iter()
            .filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete))
            .map(|stack| stack.stack_name().unwrap().to_owned())
            .collect()
    }

    async fn has_thing(&self, name: &str) -> bool {
        self.iot.describe_thing().thing_name(name).send().await.is_ok()
    }
}

impl Site {
    async fn start() -> Self {
        let twin = TwinProcess::start().unwrap();
        let url = twin.variable("AWS_ENDPOINT_URL").to_owned();
        Self {
            primary: At::new(&url, PRIMARY).await,
            secondary: At::new(&url, SECONDARY).await,
            names: aws_sdk_route53::Client::new(&config(&url, PRIMARY).await),
            twin,
        }
    }

    /// Runs `gameday` against the twin, which its variables name.
    fn gameday(&self, arguments: &[&str]) -> Output {
        self.twin.command(&gameday().unwrap()).args(arguments).output().unwrap()
    }

    /// The same; it must succeed. The answer is what it printed and said.
    fn does(&self, arguments: &[&str]) -> (String, String) {
        let output = self.gameday(arguments);
        let [printed, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        (printed, said)
    }

    fn outputs(&self, postfix: &str) -> Value {
        serde_json::from_str(&self.does(&["outputs", "--json", "--postfix", postfix]).0).unwrap()
    }

    /// A thing made in the primary comes to the secondary, and goes with it.
    async fn replicates(&self, thing: &str) {
        self.primary.iot.create_thing().thing_name(thing).send().await.unwrap();
        eventually("the thing is in the secondary", async || self.secondary.has_thing(thing).await).await;
        self.primary.iot.delete_thing().thing_name(thing).send().await.unwrap();
        eventually("the thing is gone from the secondary", async || !self.secondary.has_thing(thing).await)
            .await;
    }

    async fn is_healthy(&self, check: &str) -> bool {
        let status = self.names.get_health_check_status().health_check_id(check).send().await.unwrap();
        let observations = status.health_check_observations();
        !observations.is_empty()
            && observations.iter().all(|observation| {
                let report = observation.status_report().and_then(|report| report.status());
                report.is_some_and(|status| status.starts_with("Success"))
            })
    }

    /// Nothing is left of any deployment, by the services themselves.
    async fn assert_empty(&self) {
        for at in [&self.primary, &self.secondary] {
            assert_eq!(at.stacks().await, BTreeSet::new());
            assert_eq!(at.functions().await, BTreeSet::new());
            let tables = at.tables.list_tables().send().await.unwrap();
            assert_eq!(tables.table_names(), [""; 0]);
            assert!(at.iot.list_topic_rules().send().await.unwrap().rules().is_empty());
            assert!(at.iot.list_policies().send().await.unwrap().policies().is_empty());
            assert!(at.iot.list_certificates().send().await.unwrap().certificates().is_empty());
            let mappings = at.functions.list_event_source_mappings().send().await.unwrap();
            assert!(mappings.event_source_mappings().is_empty());
        }
        assert!(self.names.list_health_checks().send().await.unwrap().health_checks().is_empty());
        let Some(aws) = tool("aws") else {
            return skipped("queues, rules and APIs", "no AWS CLI to look with; see .ci/tools");
        };
        let url = self.twin.variable("AWS_ENDPOINT_URL");
        for region in [PRIMARY, SECONDARY] {
            let list = |call: &[&str]| {
                let call = [call, &["--region", region, "--endpoint-url", url]].concat();
                self.twin.aws(&aws, &call).unwrap()
            };
            assert_eq!(list(&["sqs", "list-queues"]), Value::Null, "queues in {region}");
            assert_eq!(list(&["events", "list-rules"])["Rules"], serde_json::json!([]), "in {region}");
            assert_eq!(list(&["apigateway", "get-rest-apis"])["items"], serde_json::json!([]), "in {region}");
            let machines = list(&["stepfunctions", "list-state-machines"]);
            assert_eq!(machines["stateMachines"], serde_json::json!([]), "in {region}");
        }
    }
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
    let site = Site::start().await;
    let (primary, secondary) = (&site.primary, &site.secondary);
    // What somebody else has switched on stays on.
    let on = Configuration::builder().enabled(true).build();
    let events = primary.iot.update_event_configurations().event_configurations(EventType::ThingGroup, on);
    events.send().await.unwrap();
    let before = primary.events_on().await;

    primary.iot.create_thing().thing_name("old").send().await.unwrap();
    site.does(&["deploy", "--postfix", "blue", "--interval", "10"]);
    let outputs = site.outputs("blue");
    let wanted = ["gameday-blue-tables", "gameday-blue-secondary", "gameday-blue-health"];
    assert_eq!(secondary.stacks().await, set(&wanted));
    assert_eq!(primary.stacks().await, set(&["gameday-blue-primary", "gameday-blue-health"]));
    let wanted = ["gameday-blue-replicate", "gameday-blue-repair", "gameday-blue-health"];
    assert_eq!(secondary.functions().await, set(&wanted));
    let wanted = ["gameday-blue-capture", "gameday-blue-reconcile", "gameday-blue-health"];
    assert_eq!(primary.functions().await, set(&wanted));
    let rules = primary.iot.list_topic_rules().send().await.unwrap();
    assert_eq!(rules.rules().len(), 8);
    let wanted = ["THING", "THING_GROUP", "THING_GROUP_MEMBERSHIP", "THING_TYPE"];
    assert_eq!(primary.events_on().await, set(&wanted));
    for at in [primary, secondary] {
        let table = at.tables.describe_table().table_name("gameday-blue-events").send().await.unwrap();
        let table = table.table().unwrap();
        assert_eq!(table.global_table_version(), Some("2019.11.21"));
        assert!(table.latest_stream_arn().is_some());
        let ttl = at.tables.describe_time_to_live().table_name("gameday-blue-events").send().await.unwrap();
        assert_eq!(ttl.time_to_live_description().unwrap().attribute_name(), Some("expires"));
    }

    let checks: Vec<String> = [PRIMARY, SECONDARY]
        .map(|region| {
            by_stack(&outputs, region)["gameday-blue-health"]["HealthCheck"].as_str().unwrap().to_owned()
        })
        .into();
    for check in &checks {
        eventually("the health check's function answers", async || site.is_healthy(check).await).await;
    }
    site.replicates("lamp").await;
    // What no event told of, since it was there before.
    let reconcile = primary.functions.invoke().function_name("gameday-blue-reconcile").send().await.unwrap();
    assert_eq!(reconcile.function_error(), None);
    eventually("the old thing is in the secondary", async || secondary.has_thing("old").await).await;
    primary.iot.delete_thing().thing_name("old").send().await.unwrap();
    eventually("the old thing is gone", async || !secondary.has_thing("old").await).await;

    let (_, said) = site.does(&["deploy", "--postfix", "blue", "--interval", "10"]);
    assert_eq!(said.matches(": unchanged").count(), 5, "{said}");
    assert_eq!(site.outputs("blue"), outputs);

    // A secret that is new, and a dispatch that is another.
    let certificates = primary.iot.list_certificates().send().await.unwrap();
    site.does(&["deploy", "--postfix", "blue", "--interval", "10", "--rotate", "--dispatch", "workflow"]);
    let rotated = primary.iot.list_certificates().send().await.unwrap();
    let id = |list: &aws_sdk_iot::operation::list_certificates::ListCertificatesOutput| {
        assert_eq!(list.certificates().len(), 1);
        list.certificates()[0].certificate_id().unwrap().to_owned()
    };
    assert_ne!(id(&certificates), id(&rotated));
    let wanted =
        ["dispatch", "apply", "give-up", "repair", "health"].map(|name| format!("gameday-blue-{name}"));
    assert_eq!(secondary.functions().await, BTreeSet::from(wanted));
    site.replicates("pump").await;
    for check in &checks {
        eventually("the health check is healthy again", async || site.is_healthy(check).await).await;
    }

    // Another deployment beside it, which does not take with it what both need.
    site.does(&["deploy", "--postfix", "green"]);
    let (_, said) = site.does(&["destroy", "--postfix", "blue"]);
    assert!(said.contains("another deployment"), "{said}");
    assert!(primary.events_on().await.contains("THING"));
    site.replicates("valve").await;
    site.does(&["destroy", "--postfix", "green"]);
    let (_, said) = site.does(&["destroy", "--postfix", "green"]);
    assert!(said.contains("nothing of gameday-green was there"), "{said}");
    assert_eq!(site.gameday(&["outputs", "--postfix", "green"]).status.code(), Some(1));
    site.assert_empty().await;
    assert_eq!(primary.events_on().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_says_why_and_may_be_given_again() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let site = Site::start().await;
    let before = site.primary.events_on().await;
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

    let output = site.gameday(&["deploy"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: it is not deployed") && said.contains("ErrorTable"), "{said}");
    assert!(said.contains("gameday-main-secondary in us-west-2 is ROLLBACK_COMPLETE"), "{said}");
    assert_eq!(site.primary.events_on().await, before, "no producer was begun");
    assert_eq!(site.primary.stacks().await, set(&[]));

    tables.delete_table().table_name("gameday-main-errors").send().await.unwrap();
    let (_, said) = site.does(&["deploy"]);
    assert!(said.contains("making it anew"), "{said}");
    site.replicates("lamp").await;
    let stack = site.secondary.stacks.update_termination_protection().stack_name("gameday-main-secondary");
    stack.enable_termination_protection(true).send().await.unwrap();
    let output = site.gameday(&["destroy"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("NOT DESTROYED: stack gameday-main-secondary in us-west-2"), "{said}");
    assert!(said.contains("by hand: aws cloudformation delete-stack"), "{said}");
    let wanted = ["gameday-main-secondary", "gameday-main-tables"];
    assert_eq!(site.secondary.stacks().await, set(&wanted), "what remembers the rest stays with it");
    let stack = site.secondary.stacks.update_termination_protection().stack_name("gameday-main-secondary");
    stack.enable_termination_protection(false).send().await.unwrap();
    site.does(&["destroy"]);
    site.assert_empty().await;
    assert_eq!(site.primary.events_on().await, before);
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
    print!("{said}");
}
