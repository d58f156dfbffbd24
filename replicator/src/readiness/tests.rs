use super::*;
use crate::model::{Authority, Policy, Status};
use crate::outcome::Class;
use crate::pace::TRIES_MAX;
use crate::simulation::{PRIMARY, SECONDARY, Twins, arn, group_arn, policy_document};
use crate::sync::Mode;
use crate::sync::tests::{direct, fleet, regions};

async fn swept(twins: &Twins, options: Options) -> Report {
    twins.advance_ms(120_000);
    sweep(&regions(twins), &options, &|_| {}).await.unwrap()
}

#[tokio::test]
async fn an_empty_secondary_is_not_ready_and_a_synced_one_is() {
    let twins = fleet(7);
    let report = swept(&twins, Options::default()).await;
    assert_eq!((report.is_ready(), report.totals[&Standing::NotReady]), (false, 7), "{report}");
    direct(&twins, Mode::Smart).await;
    let report = swept(&twins, Options::default()).await;
    // Every third device has an inactive certificate.
    assert_eq!((report.is_ready(), report.totals[&Standing::Ready]), (true, 5), "{report}");
    assert_eq!((report.totals[&Standing::NoCertificate], report.devices.len()), (2, 0));
    assert_eq!(report.without_certificate, ["t-2", "t-5"]);
}

#[tokio::test]
async fn d45_each_field_that_differs_is_said_and_the_fleet_is_not_ready() {
    let twins = fleet(7);
    direct(&twins, Mode::Smart).await;
    {
        let mut inner = twins.inner();
        let there = &mut inner.secondary;
        there.set_status("c-0", Status::Inactive).unwrap();
        there.detach_policy("p", &arn(SECONDARY, "c-1")).unwrap();
        there.detach_principal("t-3", &arn(SECONDARY, "c-3")).unwrap();
        there.remove_from_group("line", "t-4").unwrap();
        there.detach_principal("t-6", &arn(SECONDARY, "c-6")).unwrap();
        there.delete_thing("t-6").unwrap();
    }
    let report = swept(&twins, Options::default()).await;
    let text = report.to_string();
    for expected in [
        "NotReady t-0: certificate c-0 is not Active there\n",
        "NotReady t-1: policy p is not attached\n",
        "NotReady t-3: certificate c-3 is not attached\n",
        "NotReady t-4: not in group line\n",
        "NotReady t-6: no such thing; certificate c-6 is not attached; not in group line\n",
        "of 7 devices: ",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!report.is_ready());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["devices"][0]["reasons"][0]["what"], "status_differs");
}

#[tokio::test]
async fn another_document_of_a_policy_keeps_all_out() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    let document = twins.inner().primary.policies["of-groups"].document().replace("group", "other");
    let policy = Policy { name: "of-groups".into(), document };
    twins.inner().primary.put_policy(&policy).unwrap();
    let report = swept(&twins, Options::default()).await;
    assert!(
        report
            .devices
            .iter()
            .all(|device| { device.reasons == [Difference::DocumentDiffers("of-groups".into())] })
    );
    assert_eq!(report.devices.len(), 2);
}

#[tokio::test]
async fn a_sample_is_of_its_size_and_its_seed() {
    let twins = fleet(9);
    let sample = async |seed| {
        let options = Options { sample: Some(4), seed, ..Options::default() };
        let report = swept(&twins, options).await;
        assert_eq!(report.fleet, 9);
        report.devices.into_iter().map(|device| device.thing).collect::<Vec<_>>()
    };
    let (one, again, other) = (sample(1).await, sample(1).await, sample(2).await);
    assert_eq!((one.len(), &one), (4, &again));
    assert_ne!(one, other);
}

#[tokio::test]
async fn devices_may_be_named() {
    let twins = fleet(7);
    direct(&twins, Mode::Smart).await;
    let names = ["t-1", "t-4", "t-99"].map(str::to_owned);
    let options = Options { which: Which::Named(names.into()), ..Options::default() };
    let report = swept(&twins, options.clone()).await;
    assert_eq!((report.fleet, report.of(Standing::Ready), report.of(Standing::Unknown)), (3, 2, 1));
    assert_eq!(report.to_string().lines().next(), Some("Unknown t-99: the primary has no such thing"));
    let report = swept(&twins, Options { sample: Some(2), seed: 5, ..options }).await;
    assert_eq!((report.fleet, report.totals.values().sum::<u64>()), (3, 2));
    assert!(report.to_string().contains("of 3 devices, a sample of 2 by seed 5: "), "{report}");
}

#[tokio::test]
async fn what_was_not_looked_at_in_time_is_unknown() {
    let twins = fleet(7);
    direct(&twins, Mode::Smart).await;
    twins.advance_ms(120_000);
    let names = (0..7).map(|number| format!("t-{number}")).collect();
    let options = Options {
        which: Which::Named(names),
        rate_per_s: Some(1.0),
        deadline_ms: Some(twins.inner().now_ms + 2_500),
        workers: 1,
        ..Options::default()
    };
    let report = sweep(&regions(&twins), &options, &|_| {}).await.unwrap();
    assert_eq!((report.of(Standing::Unknown), report.is_ready()), (3, false), "{report}");
    assert!(report.to_string().contains("sweep: the time was up\n"), "{report}");
}

#[tokio::test]
async fn what_was_not_listed_is_not_ready() {
    let twins = fleet(7);
    direct(&twins, Mode::Smart).await;
    twins.fail_next("primary.things", Class::Permanent, 1);
    let report = swept(&twins, Options::default()).await;
    assert!(report.totals.is_empty() && !report.is_ready(), "{report}");
    twins.advance_ms(120_000);
    let deadline_ms = Some(twins.inner().now_ms + 2_500);
    let options = Options { rate_per_s: Some(1.0), deadline_ms, workers: 1, ..Options::default() };
    let report = sweep(&regions(&twins), &options, &|_| {}).await.unwrap();
    assert!(report.of(Standing::Ready) > 0 && !report.is_ready(), "{report}");
    assert!(report.to_string().contains("not all devices were listed: sweep: the time was up\n"), "{report}");
}

#[tokio::test]
async fn a_device_that_cannot_be_looked_at_is_not_ready() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    twins.fail_next("secondary.thing_principals", Class::Permanent, 1);
    let report = swept(&twins, Options::default()).await;
    assert_eq!((report.is_ready(), report.totals[&Standing::Unknown]), (false, 1));
    assert!(!Report::default().is_ready(), "a sweep of nothing says nothing");
    assert_eq!(PRIMARY, regions(&twins).names.primary);
}

#[tokio::test]
async fn a_policy_of_a_group_above_counts_and_each_group_is_compared_once() {
    let twins = fleet(6);
    let high = policy_document(PRIMARY, "high");
    {
        let here = &mut twins.inner().primary;
        here.create_policy(&Policy { name: "high".into(), document: high }).unwrap();
        here.attach_policy("high", &group_arn(PRIMARY, "z-plant")).unwrap();
    }
    direct(&twins, Mode::Smart).await;
    twins.clear_calls();
    let one = Options { workers: 1, ..Options::default() };
    let report = swept(&twins, one.clone()).await;
    assert!(report.is_ready(), "{report}");
    let looks = twins.calls().into_iter().filter(|call| call == "secondary.group").count();
    assert_eq!(looks, 3, "line, hall and z-plant, not again for each device");
    twins.inner().secondary.detach_policy("high", &group_arn(SECONDARY, "z-plant")).unwrap();
    let report = swept(&twins, one).await;
    assert_eq!(report.totals.get(&Standing::NotReady), Some(&6), "{report}");
    assert!(report.to_string().contains("NotReady t-0: policy high is not attached\n"), "{report}");
}

#[tokio::test]
async fn a_group_under_another_one_keeps_its_things_out() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    twins.inner().secondary.groups.get_mut("hall").unwrap().group.parent = None;
    let report = swept(&twins, Options::default()).await;
    assert!(report.to_string().contains("NotReady t-0: group hall is under another group\n"), "{report}");
    assert!(!report.is_ready());
}

#[tokio::test]
async fn just_in_time_says_what_it_did_not_look_at_and_looks_at_the_authorities() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    let options = Options { identities: false, ..Options::default() };
    let report = swept(&twins, options.clone()).await;
    assert_eq!((report.is_ready(), &report.authorities[..]), (false, &[Difference::NoAuthority][..]));
    let authority = Authority { id: "ca-1".into(), pem: "a\nb\n".into(), active: true, registers: true };
    let out_of_use = Authority { active: false, id: "old".into(), ..Authority::default() };
    twins.inner().primary.authorities = vec![out_of_use, authority.clone()];
    let id = || "ca-1".to_owned();
    for (there, expected) in [
        (vec![], vec![Difference::AuthorityAbsent(id())]),
        (vec![Authority { active: false, ..authority.clone() }], vec![Difference::AuthorityInactive(id())]),
        (
            vec![Authority { registers: false, ..authority.clone() }],
            vec![Difference::AuthorityRegistersNone(id())],
        ),
        (vec![Authority { pem: "a\r\nb".into(), ..authority.clone() }], vec![]),
    ] {
        twins.inner().secondary.authorities = there;
        let report = swept(&twins, options.clone()).await;
        assert_eq!(report.authorities, expected);
        assert_eq!(report.is_ready(), expected.is_empty(), "{report}");
        assert_eq!(report.totals, [(Standing::BringsIdentity, 2)].into(), "none is Ready that was not seen");
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_compared_or_not_in_time_are_unknown_and_not_ready() {
    let twins = fleet(2);
    direct(&twins, Mode::Smart).await;
    let authority = Authority { id: "ca-1".into(), pem: "a".into(), active: true, registers: true };
    twins.inner().primary.authorities = vec![authority.clone()];
    twins.inner().secondary.authorities = vec![authority];
    let options = Options { identities: false, ..Options::default() };
    assert!(swept(&twins, options.clone()).await.is_ready());
    for (region, class) in [("primary", Class::Transient), ("secondary", Class::Permanent)] {
        twins.fail_next(&format!("{region}.authorities"), class, TRIES_MAX);
        let report = swept(&twins, options.clone()).await;
        twins.fail_next(&format!("{region}.authorities"), class, 0);
        assert!(!report.is_ready() && report.authorities.is_empty(), "{report}");
        assert_eq!(report.of(Standing::BringsIdentity), 2, "{report}");
        assert!(report.to_string().contains("the authorities could not be compared: "), "{report}");
    }
    twins.clear_calls();
    let late = Options { deadline_ms: Some(twins.now_ms()), ..options };
    let report = sweep(&regions(&twins), &late, &|_| {}).await.unwrap();
    assert!(!twins.calls().contains(&"primary.authorities".to_owned()), "the time is up");
    assert!(report.to_string().contains("the authorities could not be compared: sweep: the time was up\n"));
    assert!(!report.is_ready());
}
