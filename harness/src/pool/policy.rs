//! The policy of a fleet's own: made with it, and deleted with it. Whatever somebody else made is used and never deleted.

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::operation::create_policy::CreatePolicyError;
use replicator::policy::certificate_arn;
use serde_json::Value;

use super::{Making, create::Creation};
use crate::{
    aws::{Missing, RegionClients, describe},
    deploy::device_document,
};

/// A policy that is made by somebody at the same time is looked at so often.
const LOOKS_MAX: u32 = 3;

/// What the fleet's policy says in a Region.
fn document(making: &Making, region: &str) -> Value {
    let arn = certificate_arn(region, &making.home.account, "");
    device_document(arn.trim_end_matches(":cert/"))
}

/// What the policy says there; none: there is no such policy.
async fn found(clients: &RegionClients, name: &str) -> anyhow::Result<Option<Value>> {
    let found = clients.iot.get_policy().policy_name(name).send().await.missing_ok()?;
    let document = found.map(|found| found.policy_document.unwrap_or_default());
    Ok(document.map(|document| serde_json::from_str(&document).unwrap_or_default()))
}

/// Makes the policy if it is not there: the call before this one may not have come to that. If somebody made one of its name
/// meanwhile, it is theirs.
pub(super) async fn make(creation: &mut Creation<'_>) -> anyhow::Result<()> {
    let making = creation.making()?.clone();
    if !making.policy_is_ours {
        return Ok(());
    }
    let (clients, name) = (&creation.aws.primary, &making.recipe.policy);
    let ours = document(&making, &clients.region);
    for _ in 0..LOOKS_MAX {
        match found(clients, name).await? {
            // It was made before, whatever it says by now; or it was, and the answer was lost.
            Some(found) if making.policy_is_made || found == ours => return set(creation, true),
            Some(_) => {
                creation.output.line(&format!(
                    "policy {name} was made by somebody else meanwhile: the devices get it, and it stays when they go"
                ));
                return set(creation, false);
            }
            None => {}
        }
        let make = clients.iot.create_policy().policy_name(name).policy_document(ours.to_string());
        match make.send().await {
            Ok(_) => return set(creation, true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreatePolicyError::is_resource_already_exists_exception) => {}
            Err(error) => {
                return Err(anyhow!(describe(&error)))
                    .with_context(|| format!("policy {name} could not be made"));
            }
        }
    }
    bail!("policy {name} comes and goes in {}", clients.region)
}

/// Writes down whose it is, now that it is there.
fn set(creation: &mut Creation<'_>, is_ours: bool) -> anyhow::Result<()> {
    let making = creation.making_mut()?;
    if (making.policy_is_ours, making.policy_is_made) == (is_ours, is_ours) {
        return Ok(());
    }
    (making.policy_is_ours, making.policy_is_made) = (is_ours, is_ours);
    creation.pool.save()
}

/// Deletes the fleet's own policy, unless somebody else has come to use it.
pub(super) async fn delete(clients: &RegionClients, making: &Making) -> anyhow::Result<()> {
    if !making.policy_is_ours {
        return Ok(());
    }
    let (name, region) = (&making.recipe.policy, &clients.region);
    let by_hand = || {
        format!(
            "policy {name} in {region}; by hand: aws iot list-targets-for-policy --region {region} --policy-name {name}, \
             detach each, aws iot delete-policy --region {region} --policy-name {name}"
        )
    };
    if !making.policy_is_made {
        let found = found(clients, name).await.with_context(by_hand)?;
        // That it was made was never seen: another document is somebody else's.
        if found.is_none_or(|found| found != document(making, region)) {
            return Ok(());
        }
    }
    let targets = clients.iot.list_targets_for_policy().policy_name(name).send().await.missing_ok();
    let targets = targets.with_context(by_hand)?;
    let used = targets.map_or(0, |targets| targets.targets().len());
    if used > 0 {
        return Err(anyhow!("it is attached to something that is not the fleet's")).with_context(by_hand);
    }
    clients.iot.delete_policy().policy_name(name).send().await.missing_ok().with_context(by_hand)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use gameday_twin::Moment;

    use crate::pool::{
        Given,
        create::Failed,
        site::{NOTHING, Site},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_policy_that_could_not_be_made_is_made_by_the_next_call() {
        let site = Site::start().await;
        let mut pool = site.pool("lamps", 2);
        let refused = site.refuse("CreatePolicy");
        let error = site.creation(&mut pool).run(&Given::default()).await.unwrap_err();
        assert!(format!("{error:#}").contains("policy gameday-fleet-lamps could not be made"), "{error:#}");
        drop(refused);
        let failed = site.creation(&mut pool).run(&Given::default()).await.unwrap();
        assert_eq!((failed, pool.counts().unwrap().made), (Failed::new(), 2));
        // And one that somebody deleted meanwhile.
        let mut pool = site.pool("pumps", 1);
        site.creation(&mut pool).run(&Given::default()).await.unwrap();
        site.delete(&mut pool).await;
        let failed = site.creation(&mut pool).run(&Given::default()).await.unwrap();
        assert_eq!((failed, pool.counts().unwrap().made), (Failed::new(), 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_policy_that_somebody_made_after_the_fleet_could_not_is_theirs() {
        let site = Site::start().await;
        let iot = &site.aws.primary.iot;
        let has = async |name: &str| iot.get_policy().policy_name(name).send().await.is_ok();
        for (fleet, goes_on) in [("lamps", true), ("pumps", false)] {
            let mut pool = site.pool(fleet, 1);
            let refused = site.refuse("CreatePolicy");
            site.creation(&mut pool).run(&Given::default()).await.unwrap_err();
            drop(refused);
            let name = format!("gameday-fleet-{fleet}");
            let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
            iot.create_policy().policy_name(&name).policy_document(document).send().await.unwrap();
            if goes_on {
                let failed = site.creation(&mut pool).run(&Given::default()).await.unwrap();
                assert_eq!((failed, pool.counts().unwrap().made), (Failed::new(), 1));
                assert!(!pool.manifest.making.as_ref().unwrap().policy_is_ours);
            }
            assert_eq!(site.delete(&mut pool).await, NOTHING);
            assert!(has(&name).await, "{name} is somebody else's");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_policy_whose_creation_was_not_answered_goes_with_the_fleet() {
        let site = Site::start().await;
        let iot = &site.aws.primary.iot;
        let mut pool = site.pool("lamps", 1);
        let lost = site.fail("CreatePolicy", None, Moment::After);
        site.creation(&mut pool).run(&Given::default()).await.unwrap_err();
        drop(lost);
        assert!(iot.get_policy().policy_name("gameday-fleet-lamps").send().await.is_ok());
        assert_eq!(site.delete(&mut pool).await, NOTHING);
        assert!(iot.get_policy().policy_name("gameday-fleet-lamps").send().await.is_err());
    }
}
