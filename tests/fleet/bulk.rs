//! Bulk registration: what it could not make is named, and made later.

use std::fs;

use gameday_tests::{skipped, tool};
use serde_json::Value;

use super::fleets::{Fleets, files};

#[tokio::test(flavor = "multi_thread")]
async fn bulk_registration_names_what_failed_and_finishes_it_later() {
    let fleets = Fleets::on(50, &[]).await;
    let primary = &fleets.site.primary.iot;
    primary.create_thing_group().thing_group_name("berlin").send().await.unwrap();
    let keys = fleets.json(&["create", "pumps", "--devices", "1100", "--keys-only", "--json"]);
    assert_eq!((&keys["keys"], &keys["made"]), (&1_100.into(), &0.into()));
    assert_eq!(files(&fleets.path("pumps")).iter().filter(|(path, _)| path.ends_with("keys.pem")).count(), 2);

    // One of those names is somebody else's; another is of a call that got no further.
    let (foreign, begun) = ("pumps-00007", "pumps-01003");
    primary.create_thing().thing_name(foreign).send().await.unwrap();
    // What the fleet's things carry.
    let manifest: Value =
        serde_json::from_slice(&fs::read(fleets.path("pumps").join("fleet.json")).unwrap()).unwrap();
    let mark = format!("pumps-{}", manifest["id"].as_str().unwrap());
    let ours = aws_sdk_iot::types::AttributePayload::builder().attributes("gameday-fleet", mark).build();
    primary.create_thing().thing_name(begun).attribute_payload(ours).send().await.unwrap();
    let create = ["create", "pumps", "--by", "bulk", "--group", "berlin", "--json"];
    let (printed, said) = fleets.ends(1, &create);
    let made: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(made["made"], 1_099, "{said}");
    assert!(said.contains("NOT MADE: pumps-00007: a thing of that name is there already"), "{said}");
    assert!(said.contains("1 devices failed and are tried again"), "{said}");
    let groups = primary.list_thing_groups_for_thing().thing_name(begun).send().await.unwrap();
    assert_eq!(groups.thing_groups()[0].group_name(), Some("berlin"), "it got what it lacked");

    primary.delete_thing().thing_name(foreign).send().await.unwrap();
    assert_eq!(fleets.json(&["create", "pumps", "--json"])["made"], 1_100);
    fleets.same("pumps");
    if let Some(aws) = tool("aws") {
        let url = fleets.site.url();
        let list = ["s3api", "list-buckets", "--query", "Buckets[].Name", "--endpoint-url", &url];
        let output = fleets.site.twin.command(&aws).args(list).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Without any bucket the query's answer is null.
        let names = if names.is_null() { Vec::new() } else { names.as_array().unwrap().clone() };
        assert!(names.is_empty(), "the input's bucket went with it: {names:?}");
    } else {
        skipped("the bucket of a bulk registration", "no AWS CLI to look with; see .ci/tools");
    }
    fleets.ends(0, &["delete", "pumps", "--yes"]);
    fleets.assert_empty(&[]).await;
}
