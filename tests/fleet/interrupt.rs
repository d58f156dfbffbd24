//! Interrupts: what is under way is finished, and the next call goes on.

use super::fleets::Fleets;

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_loses_nothing_and_the_next_call_goes_on() {
    let fleets = Fleets::on(2, &[]).await;
    let exit = fleets.interrupted(&["create", "lamps", "--devices", "100"], "devices: 10 of 100");
    assert_eq!(exit, 13);
    let shown = fleets.json(&["show", "lamps", "--json"]);
    let (made, certificates) = (shown["made"].as_u64().unwrap(), shown["certificates"].as_u64().unwrap());
    assert!((10..100).contains(&made), "it was in the middle: {made}");
    assert_eq!(made, certificates, "what was under way was finished");

    let rest = fleets.json(&["create", "lamps", "--json"]);
    assert_eq!(rest["made"], 100);
    assert_eq!(rest["new_devices"].as_u64().unwrap(), 100 - made);
    // As many certificates as devices: none was issued twice.
    let ours = fleets
        .site
        .primary
        .iot
        .list_targets_for_policy()
        .policy_name("gameday-fleet-lamps")
        .page_size(250)
        .send()
        .await
        .unwrap();
    assert_eq!(ours.targets().len(), 100);
    fleets.ends(0, &["delete", "lamps", "--yes"]);

    // A bulk registration goes on in AWS, and its devices are found.
    let arguments = ["create", "pumps", "--devices", "60", "--by", "bulk"];
    assert_eq!(fleets.interrupted(&arguments, "bulk registration "), 13);
    assert_eq!(fleets.json(&["create", "pumps", "--json"])["made"], 60);
    let ours = fleets
        .site
        .primary
        .iot
        .list_targets_for_policy()
        .policy_name("gameday-fleet-pumps")
        .page_size(250)
        .send()
        .await;
    assert_eq!(ours.unwrap().targets().len(), 60);
    // One that is under way is stopped, and what it made goes, too.
    assert_eq!(
        fleets.interrupted(&["create", "cars", "--devices", "60", "--by", "bulk"], "bulk registration "),
        13
    );
    assert!(fleets.ends(0, &["delete", "cars"]).0.contains("a bulk registration is under way"));
    fleets.ends(0, &["delete", "cars", "--yes"]);
    fleets.ends(0, &["delete", "pumps", "--yes"]);
    fleets.assert_empty(&[]).await;
}
