//! A fleet from its first device to its last.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::fleets::{Fleets, WAIT_MAX, files};

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_made_compared_grown_looked_at_and_deleted() {
    let fleets = Fleets::on(50, &[]).await;
    let primary = &fleets.site.primary.iot;
    primary.create_thing_type().thing_type_name("lamp").send().await.unwrap();
    let error =
        fleets.ends(1, &["create", "lamps", "--devices", "12", "--type", "lamp", "--group", "berlin"]).1;
    assert!(error.contains("there is no group berlin") && error.contains("create-thing-group"), "{error}");
    primary.create_thing_group().thing_group_name("berlin").send().await.unwrap();

    let create =
        ["create", "lamps", "--type", "lamp", "--group", "berlin", "--attribute", "site=b", "--json"];
    let made = fleets.json(&create);
    assert_eq!(
        (&made["keys"], &made["made"], &made["new_keys"]),
        (&12.into(), &12.into(), &0.into()),
        "{made}"
    );
    for (file, mode) in files(&fleets.path("lamps")) {
        assert_eq!(mode, 0o600, "{}", file.display());
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains("PRIVATE KEY"), file.ends_with("keys.pem"), "{}", file.display());
    }
    let keys = fs::read_to_string(fleets.path("lamps").join("shards/000001/keys.pem")).unwrap();
    assert_eq!(keys.matches("BEGIN PRIVATE KEY").count(), 12);
    fleets.same("lamps");

    // By AWS's own SDK: the thing has what it was to have.
    let thing = primary.describe_thing().thing_name("lamps-00007").send().await.unwrap();
    assert_eq!(thing.thing_type_name(), Some("lamp"));
    assert_eq!(thing.attributes().unwrap().get("site").map(String::as_str), Some("b"));
    let groups = primary.list_thing_groups_for_thing().thing_name("lamps-00007").send().await.unwrap();
    assert_eq!(groups.thing_groups()[0].group_name(), Some("berlin"));

    // What differs is named; 10 says so.
    let secondary = &fleets.site.secondary.iot;
    let principals = secondary.list_thing_principals().thing_name("lamps-00003").send().await.unwrap();
    let arn = principals.principals()[0].clone();
    let id = arn.rsplit('/').next().unwrap();
    let inactive = aws_sdk_iot::types::CertificateStatus::Inactive;
    secondary.update_certificate().certificate_id(id).new_status(inactive).send().await.unwrap();
    let compared: Value = serde_json::from_str(&fleets.ends(10, &["compare", "lamps", "--json"]).0).unwrap();
    assert_eq!((&compared["same"], &compared["differ"]), (&11.into(), &1.into()), "{compared}");
    assert_eq!(compared["told"][0]["thing"], "lamps-00003");
    assert_eq!(compared["told"][0]["why"][0]["what"], "status_differs", "{compared}");
    let active = aws_sdk_iot::types::CertificateStatus::Active;
    secondary.update_certificate().certificate_id(id).new_status(active).send().await.unwrap();
    fleets.same("lamps");

    // It grows, and nothing that is there is made again.
    let grown = fleets.json(&["create", "lamps", "--devices", "15", "--json"]);
    assert_eq!(
        (&grown["made"], &grown["new_keys"], &grown["new_devices"]),
        (&15.into(), &3.into(), &3.into())
    );
    let now = fs::read_to_string(fleets.path("lamps").join("shards/000001/keys.pem")).unwrap();
    assert!(now == keys, "a key that has a certificate is never made anew");
    fleets.same("lamps");
    for (arguments, why) in [
        (&["create", "lamps", "--devices", "14"][..], "has 15 devices"),
        (&["create", "lamps", "--type", "pump"], "--type"),
        (&["create", "Lamps", "--devices", "1"], "small letters"),
        (&["create", "pumps"], "--devices"),
        (&["show", "pumps"], "no fleet pumps"),
        (&["show", "lamps", "--device", "16"], "no device 16"),
    ] {
        let said = fleets.ends(2, arguments).1;
        assert!(said.contains(why), "{arguments:?}: {said}");
    }

    let list = fleets.json(&["list", "--json"]);
    assert_eq!(
        (&list[0]["name"], &list[0]["made"], &list[0]["by"]),
        (&"lamps".into(), &15.into(), &"api".into())
    );
    let shown = fleets.ends(0, &["show", "lamps", "--device", "lamps-00007"]).0;
    for word in ["us-east-1", "us-west-2", "type         lamp", "site=b", "ACTIVE", "gameday-fleet-lamps"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert_eq!(fleets.json(&["show", "lamps", "--json"])["recipe"]["thing_type"], "lamp");

    search(&fleets).await;

    // A dry run deletes nothing.
    let doomed = fleets.ends(0, &["delete", "lamps"]).0;
    for word in ["15 things, lamps-00001 to lamps-00015", "15 certificates", "policy gameday-fleet-lamps"] {
        assert!(doomed.contains(word), "{word}: {doomed}");
    }
    assert_eq!(primary.list_things().send().await.unwrap().things().len(), 15);

    // What others have attached stays; a policy that they use is named.
    let foreign = primary.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
    let foreign = foreign.certificate_arn().unwrap();
    primary.attach_policy().policy_name("gameday-fleet-lamps").target(foreign).send().await.unwrap();
    primary.attach_thing_principal().thing_name("lamps-00001").principal(foreign).send().await.unwrap();
    let said = fleets.ends(20, &["delete", "lamps", "--yes"]).1;
    assert!(said.contains("NOT DELETED: policy gameday-fleet-lamps in us-east-1"), "{said}");
    let id = foreign.rsplit('/').next().unwrap();
    let kept = primary.describe_certificate().certificate_id(id).send().await.unwrap();
    assert_eq!(kept.certificate_description().unwrap().status(), Some(&active_status()));
    assert!(primary.list_things().send().await.unwrap().things().is_empty());
    primary.detach_policy().policy_name("gameday-fleet-lamps").target(foreign).send().await.unwrap();
    primary
        .update_certificate()
        .certificate_id(id)
        .new_status(aws_sdk_iot::types::CertificateStatus::Inactive)
        .send()
        .await
        .unwrap();
    primary.delete_certificate().certificate_id(id).send().await.unwrap();
    gone(&fleets.site.secondary.iot, id).await;
    fleets.ends(0, &["delete", "lamps", "--yes"]);
    assert!(!fleets.path("lamps").exists());
    fleets.assert_empty(&[]).await;
}

/// What the fleet index knows is found, once there is one.
async fn search(fleets: &Fleets) {
    let query = ["search", "attributes.site:b", "--json"];
    let said = fleets.ends(1, &query).1;
    assert!(said.contains("the fleet index of us-east-1 cannot be searched"), "{said}");
    let registry = aws_sdk_iot::types::ThingIndexingMode::Registry;
    let registry = aws_sdk_iot::types::ThingIndexingConfiguration::builder().thing_indexing_mode(registry);
    let update = fleets.site.primary.iot.update_indexing_configuration();
    update.thing_indexing_configuration(registry.build().unwrap()).send().await.unwrap();
    let (printed, said) = fleets.ends(0, &query);
    assert!(said.contains("15 things in us-east-1"), "{said}");
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!((&first["thing_type"], &first["groups"][0]), (&"lamp".into(), &"berlin".into()));
    assert_eq!(printed.lines().count(), 15);
}

fn active_status() -> aws_sdk_iot::types::CertificateStatus {
    aws_sdk_iot::types::CertificateStatus::Active
}

/// Waits until the replicator has taken a certificate away.
async fn gone(iot: &aws_sdk_iot::Client, id: &str) {
    let began = Instant::now();
    while iot.describe_certificate().certificate_id(id).send().await.is_ok() {
        assert!(began.elapsed() < WAIT_MAX, "certificate {id} is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
