use super::*;
use crate::{
    identity::KeyKind,
    pool::{
        Given, Method,
        site::{NOTHING, Site},
    },
};

/// Everything of a twin's Regions that a fleet could have left.
async fn rest(site: &Site) -> Vec<String> {
    let mut rest = Vec::new();
    for clients in [&site.aws.primary, &site.aws.secondary] {
        let things = clients.iot.list_things().send().await.unwrap();
        rest.extend(things.things().iter().map(|thing| thing.thing_name().unwrap().to_owned()));
        rest.extend(site.certificates(clients).await);
    }
    rest
}

async fn made(site: &Site, name: &str, devices: u32) -> Pool {
    let mut pool = site.pool(name, devices);
    assert!(site.creation(&mut pool).run(&Given::default()).await.unwrap().is_empty());
    pool
}

fn pem(pool: &Pool, number: u32) -> String {
    pool.identity(number).unwrap().unwrap().certificate_pem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_that_somebody_put_in_the_place_of_a_device_stays() {
    let site = Site::start().await;
    let mut pool = made(&site, "lamps", 2).await;
    let iot = &site.aws.primary.iot;
    let list = iot.list_thing_principals().thing_name("lamps-00002").send().await.unwrap();
    let ours = &list.principals()[0];
    iot.detach_thing_principal().thing_name("lamps-00002").principal(ours).send().await.unwrap();
    iot.delete_thing().thing_name("lamps-00002").send().await.unwrap();
    iot.create_thing().thing_name("lamps-00002").send().await.unwrap();
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    assert_eq!(rest(&site).await, ["lamps-00002"], "it alone: the device's certificate is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_goes_in_the_primary_whatever_its_copy_had() {
    let site = Site::start().await;
    let mut pool = made(&site, "lamps", 1).await;
    site.copy("lamps-00001", Some(&pool.manifest.mark()), &pem(&pool, 1)).await;
    let iot = &site.aws.primary.iot;
    let list = iot.list_thing_principals().thing_name("lamps-00001").send().await.unwrap();
    let ours = &list.principals()[0];
    iot.detach_thing_principal().thing_name("lamps-00001").principal(ours).send().await.unwrap();
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    assert_eq!(rest(&site).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_after_its_deletion_is_found_by_the_certificate_and_deleted_again() {
    let site = Site::start().await;
    let mut pool = made(&site, "lamps", 3).await;
    let (mark, pems) = (pool.manifest.mark(), [1, 2, 3].map(|number| pem(&pool, number)));
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    // The replicator brings a thing, a certificate alone, and one without the mark to the secondary.
    site.copy("lamps-00001", Some(&mark), &pems[0]).await;
    site.copy_certificate(&pems[1]).await;
    site.copy("lamps-00003", None, &pems[2]).await;
    assert_eq!(rest(&site).await.len(), 5);
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    assert_eq!(rest(&site).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deleted_or_looked_for_is_named() {
    let site = Site::start().await;
    let mut pool = made(&site, "lamps", 1).await;
    let id = pool.identities(1).unwrap().remove(0).1;
    site.copy("lamps-00001", Some(&pool.manifest.mark()), &pem(&pool, 1)).await;
    let refused = site.fail("DeleteThing", Some(&site.aws.secondary.region), gameday_twin::Moment::Before);
    let left = site.delete(&mut pool).await;
    assert!(left[0].starts_with("thing lamps-00001 in us-west-2; by hand: aws iot delete-thing"), "{left:?}");
    assert!(left[1].contains("not today"), "{left:?}");
    drop(refused);
    let refused = site.refuse("DescribeCertificate");
    let left = site.delete(&mut pool).await;
    assert!(left[0].contains("lamps-00001 in us-east-1, perhaps"), "{left:?}");
    drop(refused);
    let refused = site.refuse("DeleteCertificate");
    site.copy_certificate(&pool_pem(&pool)).await;
    let left = site.delete(&mut pool).await;
    assert!(
        left[0].starts_with(&format!("certificate {id} of lamps-00001 in us-west-2; by hand")),
        "{left:?}"
    );
    drop(refused);
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    assert_eq!(rest(&site).await, NOTHING);
}

/// The PEM of the first device, deleted or not.
fn pool_pem(pool: &Pool) -> String {
    let states = states::read(&pool.shards().unwrap()[0].states()).unwrap();
    states[&1].clone().into_trace().certificate.unwrap().pem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_registered_itself_goes_and_registers_no_more() {
    let site = Site::start().await;
    let mut pool = site.pool("cars", 1);
    let given = Given { by: Some(Method::JustInTime), ..Given::default() };
    site.creation(&mut pool).run(&given).await.unwrap();
    // As the function does in either Region, without a mark; in the secondary the thing resists once.
    site.copy("cars-00001", None, &pem(&pool, 1)).await;
    let refused = site.fail("DeleteThing", Some(&site.aws.secondary.region), gameday_twin::Moment::Before);
    let (site, pool) = (&site, &mut pool);
    let release = async {
        let authorities = async || site.aws.primary.iot.list_ca_certificates().send().await.unwrap();
        while site.certificates(&site.aws.secondary).await.len() == 1 {
            tokio::task::yield_now().await;
        }
        let inactive = aws_sdk_iot::types::CaCertificateStatus::Inactive;
        assert_eq!(authorities().await.certificates()[0].status(), Some(&inactive), "it is closed first");
        drop(refused);
    };
    let (left, ()) = futures::join!(site.delete(pool), release);
    assert_eq!(left, NOTHING);
    assert_eq!(rest(site).await, NOTHING);
}

/// A fleet of one device that registered itself in the primary.
async fn registered(site: &Site, name: &str) -> Pool {
    let mut pool = site.pool(name, 1);
    let given = Given { by: Some(Method::JustInTime), ..Given::default() };
    site.creation(&mut pool).run(&given).await.unwrap();
    site.bring(&site.aws.primary, &pool.device(1), None, &pem(&pool, 1)).await;
    pool
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_whose_certificate_went_before_it_is_the_fleets_for_the_next_call_too() {
    let site = Site::start().await;
    for clients in [&site.aws.primary, &site.aws.secondary] {
        let mut pool = registered(&site, &format!("cars-{}", clients.region)).await;
        site.copy(&pool.device(1), None, &pem(&pool, 1)).await;
        let refused = site.fail("DeleteThing", Some(&clients.region), gameday_twin::Moment::Before);
        let left = site.delete(&mut pool).await;
        assert!(left[0].contains(&format!("thing {} in {}", pool.device(1), clients.region)), "{left:?}");
        assert!(site.certificates(clients).await.is_empty(), "nothing there says any more whose it is");
        drop(refused);
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert_eq!(rest(&site).await, NOTHING);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_thing_in_the_secondary_of_a_device_that_registered_itself_is_named() {
    let site = Site::start().await;
    let mut pool = registered(&site, "cars").await;
    let there = &site.aws.secondary.iot;
    there.create_thing().thing_name("cars-00001").send().await.unwrap();
    for _ in 0..2 {
        let left = site.delete(&mut pool).await;
        assert!(left.len() == 1 && left[0].starts_with("thing cars-00001 in us-west-2, perhaps"), "{left:?}");
        assert_eq!(rest(&site).await, ["cars-00001"], "nothing says for certain that it is the fleet's");
    }
    there.delete_thing().thing_name("cars-00001").send().await.unwrap();
    assert_eq!(site.delete(&mut pool).await, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_which_half_was_deleted_is_made_again() {
    let site = Site::start().await;
    let mut pool = made(&site, "lamps", 2).await;
    let refused = site.refuse("DeleteThing");
    assert!(!site.delete(&mut pool).await.is_empty());
    assert!(site.certificates(&site.aws.primary).await.is_empty());
    assert_eq!(pool.counts().unwrap().made, 0, "what goes is not made");
    let failed = site.creation(&mut pool).run(&Given::default()).await.unwrap();
    assert!(failed.len() == 2 && failed[&1].contains("cannot be ended"), "{failed:?}");
    drop(refused);
    assert!(site.creation(&mut pool).run(&Given::default()).await.unwrap().is_empty());
    assert_eq!(pool.counts().unwrap().made, 2);
    assert_eq!(site.certificates(&site.aws.primary).await.len(), 2);
    assert_eq!(site.delete(&mut pool).await, NOTHING);
    assert_eq!(rest(&site).await, NOTHING);
}

#[test]
fn a_fleet_of_keys_alone_has_nothing_in_aws() {
    let fleets = tempfile::tempdir().unwrap();
    let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
    pool.manifest.devices = 3;
    let doomed = doomed(&pool).unwrap();
    assert_eq!((doomed.things, doomed.certificates, doomed.policy, doomed.home), (0, 0, None, None));
    assert_eq!((doomed.first.as_str(), doomed.last.as_str()), ("lamps-00001", "lamps-00003"));
}
