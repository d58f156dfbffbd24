//! Looks at what an item is about, in both Regions.

use super::work::Work;
use crate::failback::{Action, Found, Subject, merge, registry, things};
use crate::look::Principals;
use crate::model::{Shadow, Status, ThingType};
use crate::outcome::Outcome;
use crate::ports::{Clock, Region};

/// What is found now; with the version, if a change of it names one.
pub(super) struct Seen {
    pub(super) found: Found,
    pub(super) version: Option<u64>,
}

impl<P: Region, S: Region, C: Clock> Work<'_, P, S, C> {
    /// Whether what is in the primary is what an earlier run of this plan left half done; what is deleted has
    /// no ties that the plan does not know.
    pub(super) async fn is_begun(&self, action: &Action) -> Outcome<bool> {
        let (primary, none_before) = (self.regions.primary, self.item.found.primary.is_none());
        let is_part = |has: Vec<String>, of: &[String]| has.iter().all(|name| of.contains(name));
        Ok(match (&self.item.subject, action) {
            (Subject::Type(name), Action::CreateType(wanted)) => {
                let fresh = ThingType { deprecated: false, ..wanted.clone() };
                none_before && primary.thing_type(name).await? == Some(fresh)
            }
            (Subject::Certificate(id), Action::Register { policies, .. }) => {
                let there = primary.certificate(id).await?;
                none_before
                    && there.is_some_and(|there| there.status == Status::Inactive)
                    && is_part(primary.attached_policies(&self.certificate(id)).await?, policies)
            }
            (Subject::Group(name), Action::CreateGroup(wanted, policies)) => {
                none_before
                    && primary.group(name).await?.as_ref() == Some(wanted)
                    && is_part(primary.attached_policies(&self.group(name)).await?, policies)
            }
            (Subject::Certificate(id), Action::DeleteCertificate) => {
                // Somebody else may have taken it out of use.
                let is_own = self.cut().status.is_some();
                let there = primary.certificate(id).await?;
                is_own && there.is_some_and(|there| there.status == Status::Inactive)
            }
            _ => false,
        })
    }

    /// Whether a certificate that an earlier run of this plan took out of use was put to use since.
    pub(super) async fn is_in_use_again(&self, action: &Action) -> Outcome<bool> {
        let was_cut = self.cut().status.is_some();
        let Subject::Certificate(id) = &self.item.subject else { return Ok(false) };
        if *action != Action::DeleteCertificate || !was_cut {
            return Ok(false);
        }
        let there = self.regions.primary.certificate(id).await?;
        Ok(there.is_some_and(|there| there.status != Status::Inactive))
    }

    /// What would end the action halfway. Looked for before anything is changed.
    pub(super) async fn obstacle(&self, action: &Action) -> Outcome<Option<String>> {
        let primary = self.regions.primary;
        match (&self.item.subject, action) {
            (_, Action::Register { policies, .. } | Action::CreateGroup(_, policies)) => {
                for name in policies {
                    if primary.policy(name).await?.is_none() {
                        return Ok(Some(format!("policy {name} is not in the primary")));
                    }
                }
                Ok(None)
            }
            (Subject::Policy(name), Action::DeletePolicy) => {
                let holders = primary.policy_targets(name).await?.len();
                Ok((holders > 0).then(|| format!("{holders} certificates or groups of the primary have it")))
            }
            (Subject::Certificate(id), Action::DeleteCertificate) => {
                let thing = self.staying(id).await?;
                Ok(thing.map(|thing| format!("thing {thing} has it, and stays in the primary")))
            }
            _ => Ok(None),
        }
    }

    /// A thing that has the certificate and is not deleted, or only from the secondary: it comes back by
    /// replication, and would be without it.
    async fn staying(&self, id: &str) -> Outcome<Option<String>> {
        let (primary, secondary) = (self.regions.primary, self.regions.secondary);
        for thing in primary.principal_things(&self.certificate(id)).await? {
            // A list may name one that is gone by now.
            if primary.thing(&thing).await?.is_some()
                && (self.course.staying.contains(&thing) || secondary.thing(&thing).await?.is_none())
            {
                return Ok(Some(thing));
            }
        }
        Ok(None)
    }

    /// Whether the primary is as the action would make it.
    pub(super) async fn is_done(&self, action: &Action) -> Outcome<bool> {
        let primary = self.regions.primary;
        Ok(match (&self.item.subject, action) {
            (Subject::Type(name), Action::CreateType(wanted)) => {
                primary.thing_type(name).await?.as_ref() == Some(wanted)
            }
            (Subject::Policy(name), Action::PutPolicy(wanted)) => {
                primary.policy(name).await?.as_ref() == Some(wanted)
            }
            (Subject::Policy(name), Action::DeletePolicy) => primary.policy(name).await?.is_none(),
            (Subject::Certificate(id), Action::Register { status, policies, .. }) => {
                let attached = primary.attached_policies(&self.certificate(id)).await?;
                primary.certificate(id).await?.is_some_and(|there| there.status == *status)
                    && policies.iter().all(|name| attached.contains(name))
            }
            (Subject::Certificate(id), Action::SetStatus(status)) => {
                primary.certificate(id).await?.is_some_and(|there| there.status == *status)
            }
            (Subject::Certificate(id), Action::DeleteCertificate) => primary.certificate(id).await?.is_none(),
            (Subject::Group(name), Action::CreateGroup(wanted, policies)) => {
                let attached = primary.attached_policies(&self.group(name)).await?;
                primary.group(name).await?.as_ref() == Some(wanted)
                    && policies.iter().all(|name| attached.contains(name))
            }
            (Subject::Group(name), Action::UpdateGroup(wanted)) => {
                primary.group(name).await?.as_ref() == Some(wanted)
            }
            (Subject::Group(name), Action::DeleteGroup) => primary.group(name).await?.is_none(),
            (Subject::Thing(name), Action::CreateThing(wanted) | Action::UpdateThing(wanted)) => {
                primary.thing(name).await?.is_some_and(|there| there.thing == *wanted)
            }
            (Subject::Thing(name), Action::DeleteThing) => primary.thing(name).await?.is_none(),
            (Subject::Shadow(thing, shadow), Action::WriteShadow { goal, .. }) => {
                let there = primary.shadow(thing, shadow).await?;
                there.is_some_and(|there| merge::update(&there.state, goal).is_none())
            }
            (Subject::Shadow(thing, shadow), Action::DeleteShadow) => {
                primary.shadow(thing, shadow).await?.is_none()
            }
            // What is attached is all that is found of it.
            (_, Action::Attach | Action::Add | Action::AttachPolicy(_)) => {
                self.seen().await?.found.primary.is_some()
            }
            (_, Action::Detach | Action::TakeOut | Action::DetachPolicy(_)) => {
                self.seen().await?.found.primary.is_none()
            }
            _ => return Err(self.unfit()),
        })
    }

    pub(super) async fn seen(&self) -> Outcome<Seen> {
        let (here, there) = (self.regions.primary, self.regions.secondary);
        let mut version = None;
        let found = match &self.item.subject {
            Subject::Type(name) => {
                Found::of(here.thing_type(name).await?.as_ref(), there.thing_type(name).await?.as_ref())
            }
            Subject::Policy(name) => {
                Found::of(here.policy(name).await?.as_ref(), there.policy(name).await?.as_ref())
            }
            Subject::CertificatePolicy(id, name) => {
                let names = &self.regions.names;
                let arn = names.certificate_arn(&names.secondary, id);
                let is_there = there.attached_policies(&arn).await?.contains(name);
                let arn = self.certificate(id);
                Found::flags(here.attached_policies(&arn).await?.contains(name), is_there)
            }
            Subject::GroupPolicy(group, name) => {
                let names = &self.regions.names;
                let arn = names.group_arn(&names.secondary, group);
                let is_there = there.attached_policies(&arn).await?.contains(name);
                let arn = self.group(group);
                Found::flags(here.attached_policies(&arn).await?.contains(name), is_there)
            }
            Subject::Certificate(id) => {
                Found::of(here.certificate(id).await?.as_ref(), there.certificate(id).await?.as_ref())
            }
            Subject::Group(name) => {
                let (group, life) = (here.group(name).await?, here.group_incarnation(name).await?);
                version = life.as_ref().map(|life| life.version);
                registry::found(group.as_ref(), life.as_ref(), there.group(name).await?.as_ref())
            }
            Subject::Thing(name) => {
                let here = here.thing(name).await?;
                version = here.as_ref().map(|here| here.version);
                things::found(here.as_ref(), there.thing(name).await?.as_ref())
            }
            Subject::Principal(thing, id) => {
                let here = Principals::of(here.thing_principals(thing).await?);
                let there = Principals::of(there.thing_principals(thing).await?);
                Found::flags(here.certificates.contains(id), there.certificates.contains(id))
            }
            Subject::Membership(thing, group) => Found::flags(
                here.thing_groups(thing).await?.contains(group),
                there.thing_groups(thing).await?.contains(group),
            ),
            Subject::Shadow(thing, name) => {
                let of = |seen: Option<Shadow>| seen.map(|seen| seen.version);
                let (here, there) = (here.shadow(thing, name).await?, there.shadow(thing, name).await?);
                // Zero says that there must be none.
                version = Some(of(here).unwrap_or_default());
                Found {
                    primary: version.filter(|version| *version > 0).map(|version| version.to_string()),
                    secondary: of(there).map(|version| version.to_string()),
                    ..Found::default()
                }
            }
        };
        Ok(Seen { found, version })
    }
}
