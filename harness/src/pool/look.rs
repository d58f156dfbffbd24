//! Looking things up: what the fleet index finds, and all that a Region knows of a thing.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::Serialize;

use super::Manifest;
use crate::{
    aws::{Aws, Missing, RegionClients, describe},
    names::FLEET_ATTRIBUTE,
};

/// AWS's largest page of a search.
const PAGE: i32 = 100;

/// A thing that the fleet index found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Found {
    pub(crate) thing: String,
    pub(crate) thing_type: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whether it is connected, if the index knows.
    pub(crate) connected: Option<bool>,
}

/// What a Region knows of a thing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Known {
    pub(crate) region: String,
    pub(crate) thing_id: Option<String>,
    pub(crate) version: i64,
    pub(crate) thing_type: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) groups: Vec<String>,
    pub(crate) certificates: Vec<KnownCertificate>,
    /// Principals that are no certificates.
    pub(crate) other_principals: Vec<String>,
}

/// A certificate of a thing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct KnownCertificate {
    pub(crate) id: String,
    pub(crate) status: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) policies: Vec<String>,
}

/// Hands every thing that a query finds to `on_found`; the answer is how many there were.
pub(crate) async fn search(
    aws: &Aws,
    clients: &RegionClients,
    query: &str,
    mut on_found: impl FnMut(Found) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let (mut next, mut count) = (None::<String>, 0);
    loop {
        aws.pace.take(&clients.region, "SearchIndex").await;
        let search = clients.iot.search_index().query_string(query).max_results(PAGE).set_next_token(next);
        let page = search.send().await.map_err(|e| anyhow!(describe(&e)));
        let page =
            page.with_context(|| format!("the fleet index of {} cannot be searched", clients.region))?;
        for thing in page.things.unwrap_or_default() {
            count += 1;
            on_found(Found {
                thing: thing.thing_name.unwrap_or_default(),
                thing_type: thing.thing_type_name,
                groups: thing.thing_group_names.unwrap_or_default(),
                attributes: thing.attributes.into_iter().flatten().collect(),
                connected: thing.connectivity.and_then(|connectivity| connectivity.connected),
            })?;
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(count);
        }
    }
}

/// A thing alone.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) thing_id: Option<String>,
    version: i64,
    thing_type: Option<String>,
    attributes: BTreeMap<String, String>,
}

impl Thing {
    /// Whether it was made for a fleet, whichever.
    pub(super) fn is_marked(&self) -> bool {
        self.attributes.contains_key(FLEET_ATTRIBUTE)
    }

    /// Whether it was made for that fleet, and not for another one of its name.
    pub(super) fn is_of(&self, fleet: &Manifest) -> bool {
        self.attributes.get(FLEET_ATTRIBUTE).is_some_and(|mark| *mark == fleet.mark())
    }
}

/// A thing; none: there is no such thing.
pub(super) async fn look_at(aws: &Aws, clients: &RegionClients, name: &str) -> anyhow::Result<Option<Thing>> {
    aws.pace.take(&clients.region, "DescribeThing").await;
    let found = clients.iot.describe_thing().thing_name(name).send().await.missing_ok()?;
    Ok(found.map(|thing| Thing {
        thing_id: thing.thing_id,
        version: thing.version,
        thing_type: thing.thing_type_name,
        attributes: thing.attributes.into_iter().flatten().collect(),
    }))
}

/// All that a Region knows of a thing; none: there is no such thing.
pub(crate) async fn look(aws: &Aws, clients: &RegionClients, name: &str) -> anyhow::Result<Option<Known>> {
    let (iot, region) = (&clients.iot, &clients.region);
    let Some(thing) = look_at(aws, clients, name).await? else { return Ok(None) };
    let groups = iot.list_thing_groups_for_thing().thing_name(name).send().await.missing_ok()?;
    let groups = groups.and_then(|groups| groups.thing_groups).unwrap_or_default();
    aws.pace.take(region, "ListThingPrincipals").await;
    let principals = iot.list_thing_principals().thing_name(name).send().await.missing_ok()?;
    let (mut certificates, mut other_principals) = (Vec::new(), Vec::new());
    for arn in principals.and_then(|principals| principals.principals).unwrap_or_default() {
        match replicator::policy::certificate_id(&arn) {
            Some(id) => certificates.extend(certificate(aws, clients, id, &arn).await?),
            None => other_principals.push(arn),
        }
    }
    Ok(Some(Known {
        region: region.clone(),
        thing_id: thing.thing_id,
        version: thing.version,
        thing_type: thing.thing_type,
        attributes: thing.attributes,
        groups: groups.into_iter().filter_map(|group| group.group_name).collect(),
        certificates,
        other_principals,
    }))
}

async fn certificate(
    aws: &Aws,
    clients: &RegionClients,
    id: &str,
    arn: &str,
) -> anyhow::Result<Option<KnownCertificate>> {
    let (iot, region) = (&clients.iot, &clients.region);
    aws.pace.take(region, "DescribeCertificate").await;
    let described = iot.describe_certificate().certificate_id(id).send().await.missing_ok()?;
    let Some(found) = described.and_then(|described| described.certificate_description) else {
        return Ok(None);
    };
    aws.pace.take(region, "ListAttachedPolicies").await;
    let policies = iot.list_attached_policies().target(arn).send().await.missing_ok()?;
    let policies = policies.and_then(|policies| policies.policies).unwrap_or_default();
    let time = |at: &aws_smithy_types::DateTime| Timestamp::from_second(at.secs()).ok();
    let validity = found.validity();
    Ok(Some(KnownCertificate {
        id: id.to_owned(),
        status: found.status().map(|status| status.as_str().to_owned()),
        mode: found.certificate_mode().map(|mode| mode.as_str().to_owned()),
        created: found.creation_date().and_then(time),
        not_before: validity.and_then(|validity| validity.not_before()).and_then(time),
        not_after: validity.and_then(|validity| validity.not_after()).and_then(time),
        policies: policies.into_iter().filter_map(|policy| policy.policy_name).collect(),
    }))
}
