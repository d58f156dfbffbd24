//! Deleting one device: what of it is the fleet's in each Region, and whether any of that is left.

use std::collections::BTreeSet;

use anyhow::Context;
use parking_lot::Mutex;
use replicator::policy::certificate_arn;

use crate::{
    aws::{Missing, RegionClients},
    journal::{delete_certificate, delete_shadows, delete_thing},
    pool::{Creation, Making, State, look::look_at},
};

/// A device that is to go.
pub(super) struct Device<'a> {
    creation: &'a Creation<'a>,
    making: &'a Making,
    pub(super) number: u32,
    pub(super) name: String,
    /// The certificate that it has or had.
    certificate: Option<String>,
    /// Ids of things that were seen to be the fleet's. One that registered itself is known by its certificate alone, which goes
    /// before it does.
    ours: Mutex<BTreeSet<String>>,
}

impl<'a> Device<'a> {
    pub(super) fn new(
        creation: &'a Creation<'_>,
        making: &'a Making,
        number: u32,
        state: Option<&State>,
    ) -> Self {
        let certificate = state.and_then(State::last_certificate).map(|certificate| certificate.id.clone());
        let name = creation.pool.device(number);
        Self { creation, making, number, name, certificate, ours: Mutex::default() }
    }

    /// Deletes it in both Regions. First the primary, so that nobody brings it to the secondary again. A thing of its name that is
    /// somebody else's is left alone.
    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Creation { aws, home, .. } = self.creation;
        // Looked at before anything goes: a thing may be known by its certificate alone, whose copy goes with it.
        let here = self.has_thing(&aws.primary).await?;
        let there = self.has_thing(&aws.secondary).await?;
        let went_along = here && self.delete_thing(&aws.primary).await?;
        // One that no thing in the primary has; what became of its copy says nothing of it. With it goes its copy.
        if let (Some(id), false) = (&self.certificate, went_along) {
            let arn = certificate_arn(&home.primary, &home.account, id);
            delete_certificate(aws, &aws.primary, &arn, &self.making.recipe.policy).await?;
        }
        if there {
            self.delete_thing(&aws.secondary).await?;
        }
        Ok(())
    }

    /// The answer is whether its certificate went along.
    async fn delete_thing(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        let is_ours = |arn: &str| self.certificate.as_deref().is_some_and(|id| arn.ends_with(id));
        delete_shadows(clients, &self.name).await?;
        delete_thing(self.creation.aws, clients, &self.name, &self.making.recipe.policy, &is_ours).await
    }

    /// Whether its thing is there, and is the fleet's: it has the fleet's mark, or the device's certificate.
    async fn has_thing(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        let Creation { aws, pool, .. } = self.creation;
        let Some(thing) = look_at(aws, clients, &self.name).await? else { return Ok(false) };
        let is_known = thing.thing_id.as_ref().is_some_and(|id| self.ours.lock().contains(id));
        let is_ours =
            is_known || thing.is_of(&pool.manifest) || self.has_certificate_attached(clients).await?;
        if let (true, Some(id)) = (is_ours, thing.thing_id) {
            self.ours.lock().insert(id);
        }
        Ok(is_ours)
    }

    async fn has_certificate_attached(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        let Some(id) = &self.certificate else { return Ok(false) };
        self.creation.aws.pace.take(&clients.region, "ListThingPrincipals").await;
        let mut pages =
            clients.iot.list_thing_principals().thing_name(&self.name).into_paginator().items().send();
        while let Some(principal) = pages.next().await {
            match principal.missing_ok()? {
                Some(arn) if arn.ends_with(id.as_str()) => return Ok(true),
                Some(_) => {}
                None => break,
            }
        }
        Ok(false)
    }

    async fn has_certificate(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        let Some(id) = &self.certificate else { return Ok(false) };
        self.creation.aws.pace.take(&clients.region, "DescribeCertificate").await;
        let described = clients.iot.describe_certificate().certificate_id(id).send().await;
        Ok(described.missing_ok()?.is_some())
    }

    /// What of it is there in either Region, or may be, each with what to do by hand.
    pub(super) async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for clients in [&self.creation.aws.primary, &self.creation.aws.secondary] {
            if let Err(error) = self.look(clients, &mut left).await {
                let (name, region) = (&self.name, &clients.region);
                left.push(format!(
                    "{name} in {region}, perhaps; by hand: aws iot describe-thing --region {region} --thing-name {name}: {error:#}"
                ));
            }
        }
        left
    }

    async fn look(&self, clients: &RegionClients, left: &mut Vec<String>) -> anyhow::Result<()> {
        let (name, region) = (&self.name, &clients.region);
        if self.has_thing(clients).await.context("whether there is a thing cannot be said")? {
            left.push(format!(
                "thing {name} in {region}; by hand: aws iot delete-thing --region {region} --thing-name {name}"
            ));
        }
        if let Some(id) = &self.certificate
            && self.has_certificate(clients).await.context("whether there is a certificate cannot be said")?
        {
            left.push(format!(
                "certificate {id} of {name} in {region}; by hand: aws iot update-certificate --region {region} \
                 --certificate-id {id} --new-status INACTIVE, aws iot delete-certificate --region {region} \
                 --certificate-id {id} --force-delete"
            ));
        }
        Ok(())
    }
}
