//! Plans of scenarios that ship, and what holds of every plan.

use super::*;
use crate::scenario::Scenario;

fn scenario(sets: &[&str]) -> Scenario {
    let text = include_str!("../../../scenarios/region-failover.toml");
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::parse(text, "region-failover.toml", &sets).unwrap()
}

fn plan(sets: &[&str]) -> Plan {
    let scenario = scenario(sets);
    Plan::of(&scenario, Aim::twin(&scenario.twin)).unwrap()
}

fn exactly(plan: &Plan, unit: (&str, &str), place: Place) -> f64 {
    let (least, most) = plan.total(unit, Some(place));
    assert!((least - most).abs() < 1e-9, "{unit:?}: {least} to {most}");
    most
}

#[test]
fn the_same_scenario_has_the_same_plan_to_the_byte() {
    assert_eq!(plan(&[]).json().unwrap(), plan(&[]).json().unwrap());
    assert_ne!(plan(&[]).json().unwrap(), plan(&["fleet.devices=501"]).json().unwrap());
}

#[test]
fn calls_grow_with_the_fleet_and_no_faster() {
    let (small, large) = (plan(&["fleet.devices=100"]), plan(&["fleet.devices=200"]));
    let things = |plan| exactly(plan, ("iot", "CreateThing"), Place::Primary);
    assert_eq!((things(&small), things(&large)), (100.0, 200.0));
    let certificates = |plan| exactly(plan, ("iot", "CreateCertificateFromCsr"), Place::Secondary);
    assert_eq!((certificates(&small), certificates(&large)), (2.0, 2.0), "those of the deployment alone");
}

#[test]
fn least_is_never_above_most_and_no_step_ends_before_it_can() {
    for sets in [&[][..], &["fleet.devices=1"], &["fleet.devices=19000", "load.shadow.every=1s"]] {
        let plan = plan(sets);
        for quantity in &plan.quantities {
            assert!(quantity.least <= quantity.most && quantity.least >= 0.0, "{quantity:?}");
        }
        for step in &plan.steps {
            assert!(step.least_s <= step.most_s, "{step:?}");
        }
        assert!(plan.duration_s_min <= plan.duration_s_max);
    }
}

#[test]
fn what_the_harness_paces_never_exceeds_its_share_of_a_quota() {
    let plan = plan(&["fleet.devices=5000"]);
    let own = ["DescribeThing", "ListThingPrincipals", "DescribeCertificate", "DeleteCertificate"];
    let rows = plan.headroom.iter().filter(|row| own.contains(&row.what.as_str()));
    let mut seen = 0;
    for row in rows {
        seen += 1;
        assert!(row.share < 0.85, "{row:?}");
    }
    assert_eq!(seen, 8, "four operations in two Regions: {:?}", plan.headroom);
}

#[test]
fn a_reconnect_storm_is_held_against_the_quota_that_was_set() {
    let sets = ["twin.quotas.us-west-2.L-AEA1E176=20", "dns.ttl=5s"];
    let plan = plan(&sets);
    let row = plan.headroom.iter().find(|row| row.what == "CONNECT" && row.region == "us-west-2").unwrap();
    // 500 devices that ask every five seconds, and the health checkers.
    assert_eq!((row.phase, row.quota), (Phase::Failover, 20.0));
    assert!((row.peak - (100.0 + 1.6)).abs() < 1e-6, "{row:?}");
    assert!(row.share > 5.0 && plan.headroom[0] == *row, "the tightest comes first: {:?}", plan.headroom[0]);
    let text = show(&plan, false);
    assert!(text.contains("OVER") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn on_aws_its_own_quotas_hold() {
    let scenario = scenario(&["twin.quotas.us-west-2.L-AEA1E176=20"]);
    let plan = Plan::of(&scenario, Aim::aws("eu-west-1", "eu-north-1")).unwrap();
    let quota = |what: &str, region: &str| {
        plan.headroom.iter().find(|row| row.what == what && row.region == region).map(|row| row.quota)
    };
    assert_eq!(quota("CreateThing", "eu-west-1"), Some(100.0));
    assert_eq!(quota("CreateThing", "eu-north-1"), Some(50.0), "a Region with smaller ones");
}

#[test]
fn a_fleet_that_stays_is_neither_made_nor_deleted() {
    let text = include_str!("../../../scenarios/region-failover.toml")
        .replace("devices = 500", "devices = 500\npool = \"lamps\"")
        .replace("via = \"api\"", "via = \"pool\"");
    let scenario = Scenario::parse(&text, "f.toml", &[]).unwrap();
    let plan = Plan::of(&scenario, Aim::twin(&scenario.twin)).unwrap();
    for operation in ["CreateThing", "DeleteThing"] {
        assert_eq!(plan.total(("iot", operation), None), (0.0, 0.0), "{operation}");
    }
    assert!(plan.total(("iot", "DescribeThing"), None).0 >= 500.0, "it is looked for");
    assert!(plan.creates.iter().all(|made| made.kind != "thing"));
}
