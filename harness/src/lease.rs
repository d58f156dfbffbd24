//! The lease of a game day: no two of them are under way in the same Regions of an account at once.
//!
//! It is a thing group in the secondary, which every account has and may make, with the run, its host and an end as attributes. Each
//! change of it is a compare-and-set on the group's version, so that of two that come at once one gets it. It ends by itself: a run
//! that is killed keeps nobody out for longer than [`LASTS`] and [`SLACK`]. The group's name is one that the replicator leaves alone
//! in either direction. The secondary has it because the primary is what a game day breaks.
//!
//! A game day the other way round has its lease in our primary. Both write their own first and then look for the other's, so that
//! never both go on.

use std::{fmt, fs, time::Duration};

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::{
    operation::{
        create_thing_group::CreateThingGroupError,
        describe_thing_group::{DescribeThingGroupError, DescribeThingGroupOutput},
    },
    types::{AttributePayload, ThingGroupProperties},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::{Aws, RegionClients, describe},
    names::RUN_ATTRIBUTE,
};

/// The thing group.
pub(crate) const NAME: &str = "gameday-health-lease";
/// How long it lasts from each time that it is renewed.
pub(crate) const LASTS: Duration = Duration::from_mins(2);
/// How often it is renewed: three times may fail.
pub(crate) const RENEWAL: Duration = Duration::from_secs(30);
/// The clocks of two hosts may differ by this.
const SLACK: SignedDuration = SignedDuration::from_secs(15);
/// How often it is tried, when others come at the same moment.
const TRIES_MAX: u32 = 4;

const HOST: &str = "gameday-host";
const UNTIL: &str = "gameday-until";
/// AWS takes no longer value.
const HOST_CHARS_MAX: usize = 200;

/// A lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) run: String,
    pub(crate) host: String,
    pub(crate) until: Timestamp,
    pub(crate) region: String,
    version: i64,
}

/// What became of an attempt to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is ours, in this version.
    Ours(i64),
    /// Somebody else has it.
    Held(Lease),
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// It lasts again, in this version.
    Lasts(i64),
    /// It is ours no more.
    Lost(Option<Lease>),
}

impl Lease {
    fn of(region: &str, group: &DescribeThingGroupOutput) -> anyhow::Result<Self> {
        let attributes = group
            .thing_group_properties()
            .and_then(ThingGroupProperties::attribute_payload)
            .and_then(AttributePayload::attributes);
        let value = |name: &str| attributes.and_then(|all| all.get(name)).cloned();
        let read = || {
            Some(Self {
                run: value(RUN_ATTRIBUTE)?,
                host: value(HOST)?,
                until: value(UNTIL)?.parse().ok()?,
                region: region.to_owned(),
                version: group.version(),
            })
        };
        read().with_context(|| {
            format!(
                "the thing group {NAME} of {region} is no lease: aws iot delete-thing-group --region {region} \
                 --thing-group-name {NAME}"
            )
        })
    }

    /// Whether it has ended, for whoever asks now.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        now.duration_since(self.until) > SLACK
    }

    /// From when on others may begin.
    pub(crate) fn free(&self) -> Timestamp {
        self.until.checked_add(SLACK).unwrap_or(self.until)
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, host, free) = (&self.run, &self.host, self.free().strftime("%H:%M:%SZ"));
        write!(f, "run {run} on {host} has the lease in {} until {free}, unless it renews it", self.region)
    }
}

/// Who has the lease of a Region, be it ended or not.
pub(crate) async fn read(clients: &RegionClients) -> anyhow::Result<Option<Lease>> {
    match clients.iot.describe_thing_group().thing_group_name(NAME).send().await {
        Ok(group) => Lease::of(&clients.region, &group).map(Some),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeThingGroupError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(anyhow!(describe(&error)))
            .with_context(|| format!("the lease of {} could not be read", clients.region)),
    }
}

/// Who has one that is in the way of a game day, in either Region.
pub(crate) async fn in_the_way(aws: &Aws) -> anyhow::Result<Option<Lease>> {
    let now = Timestamp::now();
    let (here, there) = tokio::try_join!(read(&aws.secondary), read(&aws.primary))?;
    Ok(here.into_iter().chain(there).find(|lease| !lease.has_ended(now)))
}

/// Takes it for a run, unless somebody else has it.
pub(crate) async fn take(aws: &Aws, run: &str) -> anyhow::Result<Taken> {
    let clients = &aws.secondary;
    for _ in 0..TRIES_MAX {
        let written = match read(clients).await? {
            None => create(clients, run).await?,
            Some(ours) if ours.run == run => true,
            Some(ended) if ended.has_ended(Timestamp::now()) => {
                update(clients, run, ended.version).await?.is_some()
            }
            Some(held) => return Ok(Taken::Held(held)),
        };
        if !written {
            continue;
        }
        // What was answered may be that of an attempt before.
        let Some(ours) = read(clients).await?.filter(|lease| lease.run == run) else { continue };
        let other = read(&aws.primary).await?.filter(|other| !other.has_ended(Timestamp::now()));
        let Some(other) = other else { return Ok(Taken::Ours(ours.version)) };
        release(clients, run).await?;
        return Ok(Taken::Held(other));
    }
    bail!("the lease of {} changed {TRIES_MAX} times while it was taken: try again", clients.region)
}

/// Lets it last from now on.
pub(crate) async fn renew(clients: &RegionClients, run: &str, version: i64) -> anyhow::Result<Renewed> {
    if let Some(version) = update(clients, run, version).await? {
        return Ok(Renewed::Lasts(version));
    }
    // An attempt that was made again finds the version of the one before.
    match read(clients).await? {
        Some(ours) if ours.run == run => Ok(Renewed::Lasts(ours.version)),
        other => Ok(Renewed::Lost(other)),
    }
}

/// Gives it back, if it is that run's. May be repeated.
pub(crate) async fn release(clients: &RegionClients, run: &str) -> anyhow::Result<()> {
    let Some(ours) = read(clients).await?.filter(|lease| lease.run == run) else { return Ok(()) };
    let delete = clients.iot.delete_thing_group().thing_group_name(NAME).expected_version(ours.version);
    delete
        .send()
        .await
        .map(drop)
        .map_err(|error| anyhow!(describe(&error)))
        .with_context(|| format!("the lease of {} could not be given back", clients.region))
}

/// `false`: somebody else was first.
async fn create(clients: &RegionClients, run: &str) -> anyhow::Result<bool> {
    let create = clients.iot.create_thing_group().thing_group_name(NAME);
    match create.thing_group_properties(properties(run)).send().await {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(CreateThingGroupError::is_resource_already_exists_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(anyhow!(describe(&error)))
            .with_context(|| format!("the lease of {} could not be taken", clients.region)),
    }
}

/// The new version. None: somebody else was first.
async fn update(clients: &RegionClients, run: &str, version: i64) -> anyhow::Result<Option<i64>> {
    let update = clients.iot.update_thing_group().thing_group_name(NAME).expected_version(version);
    match update.thing_group_properties(properties(run)).send().await {
        Ok(updated) => Ok(Some(updated.version())),
        Err(error)
            if error.as_service_error().is_some_and(|e| {
                e.is_version_conflict_exception() || e.is_resource_not_found_exception()
            }) =>
        {
            Ok(None)
        }
        Err(error) => Err(anyhow!(describe(&error)))
            .with_context(|| format!("the lease of {} could not be renewed", clients.region)),
    }
}

fn properties(run: &str) -> ThingGroupProperties {
    let until = Timestamp::now().checked_add(LASTS).unwrap_or(Timestamp::MAX);
    let attributes = AttributePayload::builder()
        .attributes(RUN_ATTRIBUTE, run)
        .attributes(HOST, host())
        .attributes(UNTIL, until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .build();
    ThingGroupProperties::builder()
        .thing_group_description("A gameday run is under way in this account. It ends by itself.")
        .attribute_payload(attributes)
        .build()
}

/// This host, in the characters that AWS takes in a value.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
    let name: String = name.trim().chars().take(HOST_CHARS_MAX).map(fits).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::site::Site;

    async fn ours(site: &Site, run: &str) -> i64 {
        match take(&site.aws, run).await.unwrap() {
            Taken::Ours(version) => version,
            Taken::Held(other) => panic!("{other}"),
        }
    }

    /// Writes a lease whose end was so long ago.
    async fn ended(clients: &RegionClients, run: &str, ago_s: i64) {
        let until = Timestamp::now() - SignedDuration::from_secs(ago_s);
        let attributes = AttributePayload::builder()
            .attributes(RUN_ATTRIBUTE, run)
            .attributes(HOST, "elsewhere")
            .attributes(UNTIL, until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let properties = ThingGroupProperties::builder().attribute_payload(attributes.build()).build();
        let create = clients.iot.create_thing_group().thing_group_name(NAME);
        create.thing_group_properties(properties).send().await.unwrap();
    }

    #[test]
    fn the_replicator_leaves_it_alone() {
        assert!(replicator::rules::is_own(NAME));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_has_it_until_it_is_given_back() {
        let site = Site::start().await;
        let clients = &site.aws.secondary;
        let version = ours(&site, "first000").await;
        let Taken::Held(held) = take(&site.aws, "second00").await.unwrap() else { panic!("both have it") };
        assert_eq!((held.run.as_str(), held.version), ("first000", version));
        assert_eq!(in_the_way(&site.aws).await.unwrap(), Some(held));

        let Renewed::Lasts(renewed) = renew(clients, "first000", version).await.unwrap() else {
            panic!("lost")
        };
        assert!(renewed > version);
        assert_eq!(renew(clients, "first000", version).await.unwrap(), Renewed::Lasts(renewed), "made again");

        release(clients, "second00").await.unwrap();
        assert!(read(clients).await.unwrap().is_some(), "only its owner gives it back");
        release(clients, "first000").await.unwrap();
        release(clients, "first000").await.unwrap();
        assert_eq!(read(clients).await.unwrap(), None);
        assert_eq!(renew(clients, "first000", renewed).await.unwrap(), Renewed::Lost(None));
        assert_eq!(read(clients).await.unwrap(), None, "a renewal makes none");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_has_ended_is_taken_over_by_one_of_many() {
        let site = Site::start().await;
        ended(&site.aws.secondary, "dead0000", 10).await;
        assert!(matches!(take(&site.aws, "early000").await.unwrap(), Taken::Held(_)), "clocks differ");
        release(&site.aws.secondary, "dead0000").await.unwrap();
        ended(&site.aws.secondary, "dead0000", 20).await;
        assert_eq!(in_the_way(&site.aws).await.unwrap(), None);
        let runs: Vec<String> = (0..8).map(|n| format!("run{n:05}")).collect();
        let all = futures::future::join_all(runs.iter().map(|run| take(&site.aws, run))).await;
        let won = all.into_iter().filter(|taken| matches!(taken.as_ref().unwrap(), Taken::Ours(_))).count();
        assert_eq!(won, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_the_other_way_round_is_in_the_way() {
        let site = Site::start().await;
        let turned = Aws {
            primary: site.aws.secondary.clone(),
            secondary: site.aws.primary.clone(),
            ..site.aws.clone()
        };
        assert!(matches!(take(&turned, "turned00").await.unwrap(), Taken::Ours(_)));
        let Taken::Held(held) = take(&site.aws, "first000").await.unwrap() else { panic!("both go on") };
        assert_eq!(held.run, "turned00");
        assert_eq!(read(&site.aws.secondary).await.unwrap(), None, "what was written is taken back");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_lease_is_said_with_what_to_do() {
        let site = Site::start().await;
        site.aws.secondary.iot.create_thing_group().thing_group_name(NAME).send().await.unwrap();
        let said = format!("{:#}", take(&site.aws, "first000").await.unwrap_err());
        assert!(said.contains("is no lease: aws iot delete-thing-group"), "{said}");
    }
}
