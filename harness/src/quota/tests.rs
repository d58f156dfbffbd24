//! Quota reports of a scenario that ships.

use super::*;
use crate::plan::Aim;

fn scenario(sets: &[&str]) -> Scenario {
    let text = include_str!("../../../scenarios/region-failover.toml");
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::parse(text, "region-failover.toml", &sets).unwrap()
}

fn of(sets: &[&str], aim: Option<Aim>, dispatch: Dispatch) -> QuotaReport {
    let scenario = scenario(sets);
    on(&scenario, aim, dispatch)
}

fn on(scenario: &Scenario, aim: Option<Aim>, dispatch: Dispatch) -> QuotaReport {
    let plan = Plan::of(scenario, aim.unwrap_or_else(|| Aim::twin(&scenario.twin))).unwrap();
    report(&plan, scenario, &Applied::offline(&plan.aim), dispatch)
}

fn find<'a>(report: &'a QuotaReport, phase: &str, what: &str, region: &str) -> &'a QuotaRow {
    let found =
        report.rows.iter().find(|row| (&*row.phase, &*row.what, &*row.region) == (phase, what, region));
    found.unwrap_or_else(|| panic!("{phase} {what} {region}: {:#?}", report.rows))
}

#[test]
fn every_kind_of_row_is_there_in_both_regions_and_every_phase() {
    let report = of(&[], None, Dispatch::Workflow);
    let (primary, secondary) = (report.primary.as_str(), report.secondary.as_str());
    for (phase, what, region) in [
        ("steady", "connections", primary),
        ("steady", "CONNECT", primary),
        ("steady", "inbound messages", primary),
        ("steady", "outbound messages", primary),
        ("steady", "shadow requests", secondary),
        ("steady", "rule evaluations", primary),
        ("steady", "rule actions", primary),
        ("steady", "stream records", secondary),
        ("steady", "functions", secondary),
        ("steady", "StartExecution", secondary),
        ("steady", "state transitions", secondary),
        ("provisioning", "CreateThing", primary),
        ("provisioning", "RegisterCertificateWithoutCA", secondary),
        ("failover", "CONNECT", secondary),
        ("failover", "connections", secondary),
        ("failback", "CONNECT", primary),
        ("game day", "DeleteThing", secondary),
    ] {
        find(&report, phase, what, region);
    }
    let direct = of(&[], None, Dispatch::Direct);
    assert!(direct.rows.iter().all(|row| row.what != "StartExecution"));
    for row in &report.rows {
        assert!(row.sustained.is_none_or(|mean| mean <= row.peak * (1.0 + 1e-9)), "{row:?}");
        if row.verdict == QuotaVerdict::Ok {
            assert!(row.quota.is_some() && row.share <= Some(TIGHT + ROUNDING), "{row:?}");
        }
    }
}

#[test]
fn a_secondary_with_fewer_connects_refuses_the_fleet_and_the_request_holds_it() {
    let sets = ["dns.ttl=5s", "twin.quotas.us-west-2.L-AEA1E176=20"];
    let report = of(&sets, None, Dispatch::Direct);
    let row = find(&report, "failover", "CONNECT", "us-west-2");
    assert_eq!((report.verdict, row.verdict), (QuotaVerdict::Exceeded, QuotaVerdict::Exceeded));
    assert_eq!(report.tightest_row(), Some(row));
    // 500 devices that ask every five seconds, and the health checkers.
    assert!((row.peak - 101.6).abs() < 1e-6, "{row:?}");
    assert_ne!(row.quota_elsewhere, Some(20.0), "the primary has its own");
    let asked = report.requests.iter().find(|request| request.code == "L-AEA1E176").unwrap();
    assert_eq!((asked.desired, asked.region.as_str()), (Some(130.0), "us-west-2"), "{asked:?}");
    let storm = &report.storms[0];
    assert_eq!((storm.phase.as_str(), storm.devices), ("failover", 500));
    assert!((storm.time_least_s.unwrap() - 24.0).abs() < 1e-9, "480 beyond a bucket of 20: {storm:?}");
    assert!(storm.time_most_s > storm.time_least_s, "{storm:?}");

    let granted = of(&["dns.ttl=5s", "twin.quotas.us-west-2.L-AEA1E176=130"], None, Dispatch::Direct);
    let row = find(&granted, "failover", "CONNECT", "us-west-2");
    assert_eq!(row.verdict, QuotaVerdict::Ok, "{row:?}");
    let text = show(&report, false);
    assert!(text.contains("exceeded") && text.contains("request-service-quota-increase"), "{text}");
    assert!(text.trim_end().ends_with("failover: 102 of 20, 508%"), "{text}");
}

#[test]
fn what_nobody_knows_is_unknown_and_decides_where_the_fleet_depends_on_it() {
    let (scenario, aim) = (scenario(&[]), Aim::aws("eu-west-1", "eu-north-1"));
    let plan = Plan::of(&scenario, aim).unwrap();
    let mut demand = *plan.demands.iter().find(|demand| demand.phase == Phase::Load).unwrap();
    demand.limited = Limited::Calls("iot", "NobodyKnows");
    let applied = Applied::offline(&plan.aim);
    let unknown = row(&plan, &demand, &applied);
    assert_eq!((unknown.verdict, unknown.share), (QuotaVerdict::Unknown, None));
    demand.phase = Phase::Undo;
    let own = row(&plan, &demand, &applied);
    let ok = QuotaRow { verdict: QuotaVerdict::Ok, ..unknown.clone() };
    let tight = QuotaRow { verdict: QuotaVerdict::Tight, ..own.clone() };
    assert_eq!(verdict(&[ok.clone(), tight]), QuotaVerdict::Ok, "at gameday's own pace");
    assert_eq!(verdict(&[ok.clone(), unknown]), QuotaVerdict::Unknown);
    assert_eq!(verdict(&[ok.clone(), own]), QuotaVerdict::Ok, "calls of the rehearsal alone");
    assert_eq!(verdict(&[]), QuotaVerdict::Unknown, "nothing was looked at");

    // So many in all that no second can have too many; or one second might.
    demand.limited = Limited::Calls("iot", "CreatePolicy");
    (demand.timed, demand.untimed) = (None, 2.0);
    assert_eq!(row(&plan, &demand, &applied).verdict, QuotaVerdict::Ok);
    demand.untimed = 2_000.0;
    assert_eq!(row(&plan, &demand, &applied).verdict, QuotaVerdict::Unknown);
}

#[test]
fn at_awss_defaults_the_fleet_that_ships_fits_and_a_million_devices_do_not() {
    let aim = || Some(Aim::aws("eu-west-1", "eu-central-1"));
    let small = of(&[], aim(), Dispatch::Direct);
    let wrong: Vec<_> = small.rows.iter().filter(|row| row.verdict > QuotaVerdict::Tight).collect();
    assert!(small.verdict <= QuotaVerdict::Tight, "{wrong:#?}");
    let mut scenario = scenario(&[]);
    scenario.fleet.devices = 1_000_000;
    let large = on(&scenario, aim(), Dispatch::Direct);
    assert_eq!(large.verdict, QuotaVerdict::Exceeded);
    // 999,500 beyond a bucket of 500, 500 a second.
    assert!((large.storms[0].time_least_s.unwrap() - 1_999.0).abs() < 1e-6, "{:?}", large.storms[0]);
    assert_eq!(find(&large, "steady", "connections", "eu-west-1").share, Some(2.0));
}
