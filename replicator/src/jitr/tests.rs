//! Registration step by step, and what is refused.

use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;
use crate::checks::at_every_end;
use crate::simulation::{ACCOUNT, Crash, SECONDARY, Twins, arn};

fn settings() -> Settings {
    Settings { region: SECONDARY.to_owned(), policy: POLICY_NAME.to_owned(), shares_things: false }
}

fn event(id: &str) -> Value {
    json!({"certificateId": id, "caCertificateId": "ca", "timestamp": 1, "certificateStatus": "PENDING_ACTIVATION",
        "awsAccountId": ACCOUNT, "certificateRegistrationTimestamp": "1"})
}

fn certificate(name: Option<&str>) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "fleet");
    if let Some(name) = name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A Region in which a device was just registered with that certificate.
fn with(id: &str, pem: &str) -> Twins {
    let twins = Twins::new();
    add(&twins, id, pem);
    twins
}

fn add(twins: &Twins, id: &str, pem: &str) {
    let pending = crate::model::Certificate { pem: pem.to_owned(), status: Status::Inactive };
    let mut inner = twins.inner();
    inner.secondary.certificates.insert(id.to_owned(), pending);
    inner.secondary.pending.insert(id.to_owned());
}

async fn run(twins: &Twins, id: &str) -> Outcome<()> {
    use crate::ports::World;
    register(twins.world().region(), &settings(), &event(id)).await
}

fn is_registered(twins: &Twins) -> bool {
    let inner = twins.inner();
    inner.secondary.things.contains_key("pump-1")
        && inner.secondary.thing_principals("pump-1") == [arn(SECONDARY, "c")]
        && inner.secondary.attached_policies(&arn(SECONDARY, "c")) == [POLICY_NAME]
        && inner.secondary.certificates["c"].status == Status::Active
}

#[tokio::test]
async fn a_device_is_registered_by_its_common_name_and_active_last() {
    let twins = with("c", &certificate(Some("pump-1")));
    run(&twins, "c").await.unwrap();
    assert!(is_registered(&twins));
    assert_eq!(twins.region_calls().last().unwrap(), "secondary.set_status");
    let policy = twins.inner().secondary.policy(POLICY_NAME).unwrap();
    let document: Value = serde_json::from_str(&policy.document).unwrap();
    assert_eq!(
        document["Statement"][0]["Resource"],
        format!("arn:aws:iot:{SECONDARY}:{ACCOUNT}:client/${{iot:Connection.Thing.ThingName}}")
    );
}

#[tokio::test]
async fn d37_a_failure_at_any_step_is_raised_and_the_repeat_ends_right() {
    let pem = certificate(Some("pump-1"));
    at_every_end(
        async || with("c", &pem),
        async |twins| {
            let is_done = run(twins, "c").await.is_ok();
            let is_active = twins.inner().secondary.certificates["c"].status == Status::Active;
            assert!(!is_active || is_registered(twins), "active before it is complete");
            is_done
        },
        |twins, story| assert!(is_registered(twins), "{story}"),
    )
    .await;
    let twins = with("c", &pem);
    run(&twins, "c").await.unwrap();
    for at in 1..=twins.calls().len() {
        let twins = with("c", &pem);
        twins.crash(Some(Crash { at, after: true }));
        assert!(run(&twins, "c").await.is_err(), "{at}");
    }
}

#[tokio::test]
async fn d37_a_name_whose_thing_has_another_certificate_is_refused_unless_allowed() {
    use crate::ports::World;
    let pem = certificate(Some("pump-1"));
    let twins = with("c", &pem);
    run(&twins, "c").await.unwrap();
    add(&twins, "thief", &pem);
    let refused = run(&twins, "thief").await.unwrap_err();
    assert_eq!(refused.class, Class::Permanent);
    assert_eq!(twins.inner().secondary.certificates["thief"].status, Status::Inactive);
    assert!(is_registered(&twins));
    let shares = Settings { shares_things: true, ..settings() };
    register(twins.world().region(), &shares, &event("thief")).await.unwrap();
    assert_eq!(twins.inner().secondary.thing_principals("pump-1").len(), 2);
}

#[tokio::test]
async fn a_thing_that_was_replicated_gets_its_certificate() {
    let twins = with("c", &certificate(Some("pump-1")));
    let attributes = [("site".to_owned(), "north".to_owned())].into();
    let thing = Thing { name: "pump-1".to_owned(), thing_type: None, attributes };
    twins.inner().secondary.create_thing(&thing).unwrap();
    run(&twins, "c").await.unwrap();
    assert!(is_registered(&twins));
    assert_eq!(twins.inner().secondary.things["pump-1"].thing, thing, "as it was");
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_and_not_active() {
    let long = "x".repeat(NAME_LENGTH_MAX + 1);
    let own = format!("{EXCLUDED_PREFIX}x");
    for name in [None, Some("a b"), Some("a/b"), Some(long.as_str()), Some(own.as_str())] {
        let twins = with("c", &certificate(name));
        assert_eq!(run(&twins, "c").await.unwrap_err().class, Class::Permanent, "{name:?}");
        assert!(twins.inner().secondary.things.is_empty());
        assert_eq!(twins.inner().secondary.certificates["c"].status, Status::Inactive);
    }
    let twins = with("c", "no certificate");
    assert_eq!(run(&twins, "c").await.unwrap_err().class, Class::Permanent);
    assert!(run(&Twins::new(), "c").await.unwrap_err().is_transient(), "it may come still");
    let twins = with("c", &certificate(Some("pump-1")));
    twins.inner().secondary.set_status("c", Status::Revoked).unwrap();
    assert_eq!(run(&twins, "c").await.unwrap_err().class, Class::Permanent);
}

#[tokio::test]
async fn a_certificate_that_was_made_inactive_stays_so_when_its_event_comes_again() {
    let twins = with("c", &certificate(Some("pump-1")));
    run(&twins, "c").await.unwrap();
    run(&twins, "c").await.unwrap();
    assert!(is_registered(&twins));
    twins.inner().secondary.set_status("c", Status::Inactive).unwrap();
    run(&twins, "c").await.unwrap();
    assert_eq!(twins.inner().secondary.certificates["c"].status, Status::Inactive);
}

#[tokio::test]
async fn an_event_that_is_not_of_a_waiting_certificate_does_nothing() {
    use crate::ports::World;
    let twins = with("c", &certificate(Some("pump-1")));
    let mut active = event("c");
    active["certificateStatus"] = json!("ACTIVE");
    register(twins.world().region(), &settings(), &active).await.unwrap();
    assert_eq!(twins.calls(), [""; 0]);
    assert!(register(twins.world().region(), &settings(), &json!({})).await.is_err());
}
