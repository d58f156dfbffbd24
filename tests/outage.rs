//! What an operator does before an outage and after it, through the binary: `gameday readiness` says which device the
//! secondary would not let in, and `gameday failback` brings home what changed there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use anyhow::Result;
use aws_sdk_iot::types::CertificateStatus;
use gameday_tests::site::{Site, WAIT_MAX};
use serde_json::{Value, json};

fn block_on(test: impl Future<Output = Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test).unwrap();
}

/// Devices with a certificate each, in both Regions.
async fn fleet(site: &Site, devices: &[&str]) -> Result<Vec<String>> {
    site.primary.policy("device").await?;
    let mut arns = Vec::new();
    for device in devices {
        arns.push(site.primary.device(device, None, "device").await?);
    }
    site.converge(WAIT_MAX).await?;
    Ok(arns)
}

fn json_of(site: &Site, arguments: &[&str], code: i32) -> Result<Value> {
    let (ended, printed, said) = site.ends(arguments)?;
    assert_eq!(ended, Some(code), "{arguments:?}: {printed}\n{said}");
    Ok(serde_json::from_str(&printed)?)
}

#[test]
fn readiness_names_the_device_that_would_not_be_let_in() {
    block_on(async {
        let site = Site::start(20).await?;
        let (code, _, said) = site.ends(&["readiness"])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing of gameday-main is deployed there"), "{said}");
        site.does(&["deploy"])?;
        let nobody = json_of(&site, &["readiness", "--json"], 11)?;
        assert_eq!(
            (&nobody["ready"], &nobody["fleet"]),
            (&json!(false), &json!(0)),
            "no device is no answer"
        );

        let arns = fleet(&site, &["lamp-1", "lamp-2", "lamp-3"]).await?;
        let all = json_of(&site, &["readiness", "--json"], 0)?;
        assert_eq!((&all["ready"], &all["totals"]), (&json!(true), &json!({"ready": 3})));
        let drawn = json_of(&site, &["readiness", "--json", "--sample", "2", "--seed", "7"], 0)?;
        assert_eq!((&drawn["fleet"], &drawn["totals"]), (&json!(3), &json!({"ready": 2})));
        assert_eq!(drawn["sample"], json!({"size": 2, "seed": 7}));

        // The certificate's identity is the same in both Regions.
        site.secondary.status(&arns[1], CertificateStatus::Inactive).await?;
        let one = json_of(&site, &["readiness", "--json"], 10)?;
        assert_eq!(one["totals"], json!({"ready": 2, "not_ready": 1}));
        assert_eq!(one["devices"][0]["thing"], "lamp-2");
        assert_eq!(one["devices"][0]["reasons"][0]["what"], "status_differs");
        let (_, printed, _) = site.ends(&["readiness"])?;
        assert!(
            printed.contains("NotReady lamp-2: certificate ") && printed.contains(" is not Active there\n")
        );
        site.secondary.status(&arns[1], CertificateStatus::Active).await?;
        site.secondary.iot.detach_policy().policy_name("device").target(there(&arns[0])).send().await?;
        let (code, printed, _) = site.ends(&["readiness"])?;
        assert_eq!(code, Some(10));
        assert!(printed.contains("NotReady lamp-1: policy device is not attached\n"), "{printed}");
        site.secondary.iot.attach_policy().policy_name("device").target(there(&arns[0])).send().await?;
        json_of(&site, &["readiness", "--json"], 0)?;

        // With the secondary gone nothing can be said of any device.
        site.fault(&["region-dark", "--region", "us-west-2"])?;
        let (code, _, said) = site.ends(&["readiness", "--at-most", "3s"])?;
        assert_eq!(code, Some(11), "{said}");
        assert!(said.contains("it cannot be said: us-west-2 did not answer"), "{said}");
        site.does(&["twin", "fault", "clear", "--all"])?;
        site.fault(&["api", "--region", "us-west-2", "service=iot", "operation=DescribeThing", "how=hang"])?;
        let unknown = json_of(&site, &["readiness", "--json", "--at-most", "3s"], 11)?;
        assert_eq!((&unknown["ready"], &unknown["totals"]), (&json!(false), &json!({"unknown": 3})));
        site.does(&["twin", "fault", "clear", "--all"])?;
        site.destroy()
    });
}

fn there(arn: &str) -> String {
    arn.replace("us-east-1", "us-west-2")
}

#[test]
fn failback_brings_home_what_changed_in_the_secondary_and_nothing_before_it_is_told_to() {
    block_on(async {
        let site = Site::deploy(20, &[]).await?;
        fleet(&site, &["lamp-1", "lamp-2"]).await?;
        site.primary.shadow("lamp-1", None, &json!({"reported": {"on": false}})).await?;
        site.converge(WAIT_MAX).await?;
        let nothing = json_of(&site, &["failback", "--json"], 0)?;
        assert_eq!(nothing["items"], json!([]), "the Regions are alike");

        // The outage: a device writes, an operator makes a thing.
        site.fault(&["region-dark", "--region", "us-east-1"])?;
        site.secondary.shadow("lamp-1", None, &json!({"reported": {"on": true, "hours": 7}})).await?;
        site.secondary.iot.create_thing().thing_name("born-there").send().await?;
        site.does(&["twin", "fault", "clear", "--all"])?;

        let folder = tempfile::tempdir()?;
        let path = folder.path().join("plan.json");
        let file = path.to_str().unwrap();
        let (printed, said) = site.does(&["failback", "--out", file])?;
        assert!(printed.starts_with("From us-west-2 home to us-east-1: 2 changes\n"), "{printed}");
        assert!(printed.contains("shadow of lamp-1") && printed.contains("thing born-there"), "{printed}");
        assert!(said.contains("nothing was changed; gameday failback --apply "), "{said}");
        assert_eq!(reported(&site, "lamp-1").await?, json!({"on": false}), "a plan changes nothing");
        assert!(!site.primary.has_thing("born-there").await);

        let applied = json_of(&site, &["failback", "--apply", file, "--json"], 0)?;
        let endings = |applied: &Value| {
            let endings = applied["endings"].as_array().unwrap().iter();
            endings.map(|ending| ending[1]["ending"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(endings(&applied), ["done", "done"], "{applied}");
        assert_eq!(reported(&site, "lamp-1").await?, json!({"on": true, "hours": 7}));
        assert!(site.primary.has_thing("born-there").await);
        let again = json_of(&site, &["failback", "--apply", file, "--json"], 0)?;
        assert_eq!(endings(&again), ["already", "already"], "{again}");
        site.converge(WAIT_MAX).await?;
        assert_eq!(json_of(&site, &["failback", "--json"], 0)?["items"], json!([]));

        // What has changed since the plan was made is refused, and not touched.
        site.pause(true).await?;
        site.secondary.shadow("lamp-2", None, &json!({"reported": {"on": true}})).await?;
        site.does(&["failback", "--out", file])?;
        site.primary.shadow("lamp-2", None, &json!({"reported": {"on": "maybe"}})).await?;
        let (code, printed, _) = site.ends(&["failback", "--apply", file])?;
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("refused: shadow of lamp-2: it changed in the primary since"), "{printed}");
        assert_eq!(reported(&site, "lamp-2").await?, json!({"on": "maybe"}));
        site.pause(false).await?;
        site.destroy()
    });
}

/// What a device reported in the primary.
async fn reported(site: &Site, thing: &str) -> Result<Value> {
    let shadow = site.primary.data.get_thing_shadow().thing_name(thing).send().await?;
    let document: Value = serde_json::from_slice(shadow.payload.unwrap().as_ref())?;
    Ok(document["state"]["reported"].clone())
}

#[test]
fn failback_takes_no_other_file_for_a_plan_and_no_two_wishes_at_once() {
    block_on(async {
        let site = Site::deploy(20, &[]).await?;
        let (code, _, said) = site.ends(&["failback", "--apply", "/dev/null"])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("is no plan of gameday failback"), "{said}");
        for wish in ["--resurrect", "--deletions", "--out=x"] {
            assert_eq!(site.ends(&["failback", "--apply", "plan.json", wish])?.0, Some(2), "{wish}");
        }
        site.destroy()
    });
}
