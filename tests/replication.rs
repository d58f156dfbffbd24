//! The replicator end to end: deployed into a twin by the binary, driven by the SDKs in the primary, and both Regions
//! compared, thing by thing; direct and by workflow, and with Lambda functions killed, replication paused and AWS's own
//! quotas.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anyhow::Result;
use aws_sdk_iot::types::{AttributePayload, CertificateStatus};
use gameday_tests::{
    gameday,
    site::{POLICY, Site, WAIT_MAX},
    skipped, tool,
};
use serde_json::json;

fn block_on(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test).unwrap();
}

/// Everything that is replicated is made, changed and removed once.
async fn a_life(site: &Site) -> Result<()> {
    let primary = &site.primary;
    primary.thing_type("pump").await?;
    primary.group("plant", None).await?;
    primary.group("hall", Some("plant")).await?;
    primary.policy("device").await?;
    let arn = primary.device("pump-1", Some("pump"), "device").await?;
    primary.device("pump-2", None, "device").await?;
    primary.iot.add_thing_to_thing_group().thing_group_name("hall").thing_name("pump-1").send().await?;
    let group = primary.iot.describe_thing_group().thing_group_name("plant").send().await?;
    let group_arn = group.thing_group_arn.unwrap_or_default();
    primary.iot.attach_policy().policy_name("device").target(&group_arn).send().await?;
    let state = json!({"desired": {"color": {"R": 255, "N": "5", "S": null}}, "reported": {"at": "2021-03-31T10:00:00.000", "small": 1e-7}});
    primary.shadow("pump-1", None, &state).await?;
    primary.shadow("pump-1", Some("config"), &json!({"reported": {"a": [1, {"M": {}}]}})).await?;
    site.converge(WAIT_MAX).await?;
    // Of a policy's ARN the Region is rewritten, and nothing that only looks like one.
    let policy = site.secondary.iot.get_policy().policy_name("device").send().await?;
    let document = policy.policy_document.unwrap_or_default();
    anyhow::ensure!(document.contains("arn:aws:iot:us-west-2:123456789012:topic/us-east-1/x"), "{document}");
    anyhow::ensure!(!document.contains("arn:aws:iot:us-east-1"), "{document}");

    // What no registry event says: a status, a document, attachments.
    primary.status(&arn, CertificateStatus::Inactive).await?;
    let changed = POLICY.replace("iot:*", "iot:Publish");
    let version = primary.iot.create_policy_version().policy_name("device").policy_document(&changed);
    version.set_as_default(true).send().await?;
    let rotated = primary.certificate().await?;
    primary.iot.attach_policy().policy_name("device").target(&rotated).send().await?;
    primary.iot.attach_thing_principal().thing_name("pump-1").principal(&rotated).send().await?;
    primary.iot.detach_thing_principal().thing_name("pump-1").principal(&arn).send().await?;
    // And what it does say: cleared attributes, a type taken back, a type deprecated, a thing out of its group.
    let none = AttributePayload::builder().merge(false).set_attributes(Some([].into())).build();
    primary
        .iot
        .update_thing()
        .thing_name("pump-1")
        .attribute_payload(none)
        .remove_thing_type(true)
        .send()
        .await?;
    primary.iot.deprecate_thing_type().thing_type_name("pump").send().await?;
    primary.iot.remove_thing_from_thing_group().thing_group_name("hall").thing_name("pump-1").send().await?;
    primary.shadow("pump-1", None, &json!({"desired": null, "reported": {"small": null, "n": 1}})).await?;
    primary.delete_shadow("pump-1", Some("config")).await?;
    site.converge(WAIT_MAX).await?;

    // A thing is deleted and made again; a certificate, a group and a policy go.
    primary.delete_thing("pump-2").await?;
    primary.device("pump-2", None, "device").await?;
    primary.status(&arn, CertificateStatus::Revoked).await?;
    let id = arn.rsplit('/').next().unwrap_or_default();
    primary.iot.detach_policy().policy_name("device").target(&arn).send().await?;
    primary.iot.delete_certificate().certificate_id(id).send().await?;
    primary.iot.delete_thing_group().thing_group_name("hall").send().await?;
    primary.policy("short-lived").await?;
    primary.iot.delete_policy().policy_name("short-lived").send().await?;
    site.converge(WAIT_MAX).await?;
    site.no_errors(Duration::from_secs(90)).await
}

#[test]
fn direct_dispatch_brings_everything_that_happens_to_the_secondary() {
    block_on(async {
        let site = Site::deploy(20, &[]).await?;
        a_life(&site).await?;
        site.destroy()
    });
}

#[test]
fn dispatch_by_the_workflow_brings_the_same() {
    block_on(async {
        let site = Site::deploy(20, &["--dispatch", "workflow"]).await?;
        a_life(&site).await?;
        site.destroy()
    });
}

#[test]
fn a_fleet_arrives_in_full_although_functions_die_replication_pauses_and_calls_are_throttled() {
    block_on(async {
        // AWS's own quotas: ten certificates a second.
        let site = Site::deploy(1, &[]).await?;
        site.primary.policy("device").await?;
        site.fault(&[
            "function-kill",
            "--region",
            "us-west-2",
            "--share",
            "0.3",
            "--for-ms",
            "20000",
            "function=*replicate*",
            "after_ms=50",
        ])?;
        for number in 0..60 {
            let thing = format!("fleet-{number}");
            retry(|| site.primary.device(&thing, None, "device")).await?;
            site.primary.shadow(&thing, None, &json!({"reported": {"number": number}})).await?;
            if number == 20 {
                site.fault(&["replication-paused", "--region", "us-east-1", "--for-ms", "15000"])?;
            }
        }
        site.arrived(60, Duration::from_mins(3)).await?;
        site.converge(Duration::from_mins(3)).await?;
        site.no_errors(Duration::from_mins(2)).await?;
        site.destroy()
    });
}

/// An operator's tool waits when it is throttled; what was made stays made.
async fn retry<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> Result<T> {
    let mut last = None;
    for _ in 0..10 {
        match call().await {
            Ok(done) => return Ok(done),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("never tried")))
}

/// The page as people paste it: every block of it, in one shell, stopping at the first command that fails.
#[test]
fn the_walkthrough_can_be_walked() {
    let (Some(_), Some(_)) = (tool("aws"), tool("curl")) else {
        return skipped("the walkthrough", "aws or curl is not installed");
    };
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../replicator/WALKTHROUGH.md"))
        .unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect();
    assert!(blocks.len() > 5, "the page has {} blocks", blocks.len());
    let script =
        format!("set -euo pipefail\ntrap 'kill $twin 2>/dev/null || true' EXIT\n{}", blocks.concat());
    let folder = tempfile::tempdir().unwrap();
    let binaries = gameday().unwrap();
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/bin");
    let path = format!("{}:{tools}:{}", binaries.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("AWS_PAGER", "")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}
