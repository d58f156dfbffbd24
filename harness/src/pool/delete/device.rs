//! Deleting one device: what of it is the fleet's in each Region, and whether any of that is left.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context;
use parking_lot::Mutex;
use replicator::policy::certificate_arn;

use crate::{
    aws::{Missing, RegionClients},
    journal::{delete_certificate, delete_shadows, delete_thing},
    pool::{
        Creation, Making, Method, State,
        look::look_at,
        states::{Fact, States, Trace},
    },
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
    /// Those that are written down; none: that it goes is not.
    written: Mutex<Option<BTreeSet<String>>>,
    /// The states of its shard.
    pub(super) book: Arc<Mutex<States>>,
}

/// Whose a thing of the device's name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// There is none.
    Nobody,
    Fleet,
    /// It has no mark and no principal: it may be a copy of the fleet's thing, and may be anybody's.
    Unsaid,
    SomebodyElse,
}

impl<'a> Device<'a> {
    pub(super) fn new(
        creation: &'a Creation<'_>,
        making: &'a Making,
        book: Arc<Mutex<States>>,
        number: u32,
        state: State,
    ) -> Self {
        let is_going = matches!(state, State::Going(_));
        let Trace { certificate, things } = state.into_trace();
        Self {
            creation,
            making,
            number,
            name: creation.pool.device(number),
            certificate: certificate.map(|certificate| certificate.id),
            written: Mutex::new(is_going.then(|| things.clone())),
            ours: Mutex::new(things),
            book,
        }
    }

    /// Deletes it in both Regions. First the primary, so that nobody brings it to the secondary again. A thing of its name that is
    /// somebody else's is left alone.
    pub(super) async fn delete(&self) -> anyhow::Result<()> {
        let Creation { aws, home, .. } = self.creation;
        // Looked at before anything goes: a thing may be known by its certificate alone, whose copy goes with it.
        let here = self.has_thing(&aws.primary).await?;
        let there = self.has_thing(&aws.secondary).await?;
        if here || there || self.certificate.is_some() {
            self.write_going()?;
        }
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

    /// Whoever goes on with this knows then what is known now, and nobody takes the device for whole.
    fn write_going(&self) -> anyhow::Result<()> {
        let things = self.ours.lock().clone();
        let mut written = self.written.lock();
        if written.as_ref() == Some(&things) {
            return Ok(());
        }
        let mut book = self.book.lock();
        book.add(&Fact::Going { device: self.number, things: things.clone() })?;
        // Of one without a mark nothing else would say whose it is.
        if self.making.by == Method::JustInTime {
            book.sync()?;
        }
        *written = Some(things);
        Ok(())
    }

    /// It is gone from both Regions.
    pub(super) fn write_deleted(&self) -> anyhow::Result<()> {
        *self.written.lock() = None;
        self.book.lock().add(&Fact::Deleted { device: self.number })
    }

    /// The answer is whether its certificate went along.
    async fn delete_thing(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        let is_ours = |arn: &str| self.certificate.as_deref().is_some_and(|id| arn.ends_with(id));
        delete_shadows(clients, &self.name).await?;
        delete_thing(self.creation.aws, clients, &self.name, &self.making.recipe.policy, &is_ours).await
    }

    async fn has_thing(&self, clients: &RegionClients) -> anyhow::Result<bool> {
        Ok(self.thing(clients).await? == Whose::Fleet)
    }

    /// Its thing is the fleet's if it has the fleet's mark, or the device's certificate, or was seen to be before.
    async fn thing(&self, clients: &RegionClients) -> anyhow::Result<Whose> {
        let Creation { aws, pool, .. } = self.creation;
        let Some(thing) = look_at(aws, clients, &self.name).await? else { return Ok(Whose::Nobody) };
        let is_known = thing.thing_id.as_ref().is_some_and(|id| self.ours.lock().contains(id));
        let whose = if is_known || thing.is_of(&pool.manifest) {
            Whose::Fleet
        } else {
            match self.attached(clients).await? {
                (true, _) => Whose::Fleet,
                (false, 0) if !thing.is_marked() => Whose::Unsaid,
                _ => Whose::SomebodyElse,
            }
        };
        if let (Whose::Fleet, Some(id)) = (whose, thing.thing_id) {
            self.ours.lock().insert(id);
        }
        Ok(whose)
    }

    /// Whether its thing has the device's certificate, and how many principals were seen.
    async fn attached(&self, clients: &RegionClients) -> anyhow::Result<(bool, usize)> {
        self.creation.aws.pace.take(&clients.region, "ListThingPrincipals").await;
        let mut pages =
            clients.iot.list_thing_principals().thing_name(&self.name).into_paginator().items().send();
        let mut count = 0;
        while let Some(principal) = pages.next().await {
            let Some(arn) = principal.missing_ok()? else { break };
            count += 1;
            if self.certificate.as_ref().is_some_and(|id| arn.ends_with(id.as_str())) {
                return Ok((true, count));
            }
        }
        Ok((false, count))
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

    fn may_be_a_copy(&self, clients: &RegionClients) -> bool {
        let is_secondary = clients.region == self.creation.aws.secondary.region;
        is_secondary && self.making.by == Method::JustInTime && !self.ours.lock().is_empty()
    }

    async fn look(&self, clients: &RegionClients, left: &mut Vec<String>) -> anyhow::Result<()> {
        let (name, region) = (&self.name, &clients.region);
        match self.thing(clients).await.context("whether there is a thing cannot be said")? {
            Whose::Fleet => left.push(format!(
                "thing {name} in {region}; by hand: aws iot delete-thing --region {region} --thing-name {name}"
            )),
            // Copies of things that registered themselves have no mark, and their certificates may never have come.
            Whose::Unsaid if self.may_be_a_copy(clients) => left.push(format!(
                "thing {name} in {region}, perhaps: it has no mark and no certificate, and may be the copy of the fleet's; by \
                 hand: aws iot-data delete-thing-shadow --region {region} --thing-name {name}, aws iot delete-thing --region \
                 {region} --thing-name {name}; if it is somebody else's: gameday fleet delete {} --forget",
                self.creation.pool.manifest.name
            )),
            Whose::Nobody | Whose::Unsaid | Whose::SomebodyElse => {}
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
