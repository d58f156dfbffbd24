//! Carries a plan out, item by item, against the primary.

use std::fmt;

use serde::Serialize;

use super::{Action, Found, Item, Plan, Subject, merge, things};
use crate::look::{Principals, Regions};
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::pace::Pace;
use crate::ports::{Clock, Region};

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "ending", content = "why")]
pub enum Ending {
    /// The primary was changed.
    Done,
    /// The primary had it already.
    Already,
    /// It is not as the plan saw it: another plan is needed.
    Refused(String),
    /// It did not work.
    Failed(String),
}

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Each item with an action, in the plan's order.
    pub endings: Vec<(Subject, Ending)>,
}

impl Applied {
    /// Whether nothing was refused and nothing failed.
    pub fn is_clean(&self) -> bool {
        self.endings.iter().all(|(_, ending)| matches!(ending, Ending::Done | Ending::Already))
    }

    /// How many ended in each way: done, already, refused, failed.
    pub fn totals(&self) -> [usize; 4] {
        let mut totals = [0; 4];
        for (_, ending) in &self.endings {
            totals[match ending {
                Ending::Done => 0,
                Ending::Already => 1,
                Ending::Refused(_) => 2,
                Ending::Failed(_) => 3,
            }] += 1;
        }
        totals
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (subject, ending) in &self.endings {
            match ending {
                Ending::Refused(why) => writeln!(f, "refused: {subject}: {why}")?,
                Ending::Failed(why) => writeln!(f, "failed: {subject}: {why}")?,
                Ending::Done | Ending::Already => {}
            }
        }
        let [done, already, refused, failed] = self.totals();
        writeln!(f, "done: {done}, already so: {already}, refused: {refused}, failed: {failed}")
    }
}

/// Carries a plan out. It is begun again from the beginning if it was ended: what is done is found
/// done.
pub async fn apply<P, S, C>(
    regions: &Regions<'_, P, S, C>,
    plan: &Plan,
    on_progress: &(dyn Fn(&Subject, &Ending) + Sync),
) -> Outcome<Applied>
where
    P: Region,
    S: Region,
    C: Clock,
{
    let names = &regions.names;
    if plan.primary != names.primary || plan.secondary != names.secondary {
        let why = format!("the plan is of {} and {}", plan.primary, plan.secondary);
        return Err(Failure::permanent("apply plan", why));
    }
    let (pace, mut applied) = (Pace::default(), Applied::default());
    for item in &plan.items {
        let Some(action) = &item.action else { continue };
        let work = Work { regions, item };
        let ended = pace.patient(regions.clock, async || work.carry_out(action).await).await;
        let ending = ended.unwrap_or_else(|failure| Ending::Failed(failure.to_string()));
        on_progress(&item.subject, &ending);
        applied.endings.push((item.subject.clone(), ending));
    }
    Ok(applied)
}

struct Work<'a, P, S, C> {
    regions: &'a Regions<'a, P, S, C>,
    item: &'a Item,
}

impl<P: Region, S: Region, C: Clock> Work<'_, P, S, C> {
    async fn carry_out(&self, action: &Action) -> Outcome<Ending> {
        if self.is_done(action).await? {
            return Ok(Ending::Already);
        }
        let found = self.found().await?;
        if found != self.item.found {
            let which = if found.primary == self.item.found.primary { "secondary" } else { "primary" };
            return Ok(Ending::Refused(format!("it changed in the {which} since the plan was made")));
        }
        match (&self.item.subject, action) {
            (Subject::Shadow(thing, shadow), Action::WriteShadow { update, .. }) => {
                self.write_shadow(thing, shadow, update).await
            }
            _ => self.change(action).await.map(|()| Ending::Done),
        }
    }

    /// Whether the primary is as the action would make it.
    async fn is_done(&self, action: &Action) -> Outcome<bool> {
        let primary = self.regions.primary;
        Ok(match (&self.item.subject, action) {
            (Subject::Type(name), Action::CreateType(wanted)) => {
                primary.thing_type(name).await?.as_ref() == Some(wanted)
            }
            (Subject::Policy(name), Action::PutPolicy(wanted)) => {
                primary.policy(name).await?.as_ref() == Some(wanted)
            }
            (Subject::Certificate(id), Action::Register { status, policies, .. }) => {
                let attached = primary.attached_policies(&self.certificate(id)).await?;
                primary.certificate(id).await?.is_some_and(|there| there.status == *status)
                    && policies.iter().all(|name| attached.contains(name))
            }
            (Subject::Certificate(id), Action::SetStatus(status)) => {
                primary.certificate(id).await?.is_some_and(|there| there.status == *status)
            }
            (Subject::Group(name), Action::CreateGroup(wanted, policies)) => {
                let attached = primary.attached_policies(&self.group(name)).await?;
                primary.group(name).await?.as_ref() == Some(wanted)
                    && policies.iter().all(|name| attached.contains(name))
            }
            (Subject::Group(name), Action::UpdateGroup(wanted)) => {
                primary.group(name).await?.as_ref() == Some(wanted)
            }
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
                self.found().await?.primary.is_some()
            }
            (_, Action::Detach | Action::TakeOut | Action::DetachPolicy(_)) => {
                self.found().await?.primary.is_none()
            }
            _ => return Err(self.unfit()),
        })
    }

    /// What is found now of what the plan saw.
    async fn found(&self) -> Outcome<Found> {
        let (here, there) = (self.regions.primary, self.regions.secondary);
        Ok(match &self.item.subject {
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
            Subject::Certificate(id) => {
                Found::of(here.certificate(id).await?.as_ref(), there.certificate(id).await?.as_ref())
            }
            Subject::Group(name) => {
                Found::of(here.group(name).await?.as_ref(), there.group(name).await?.as_ref())
            }
            Subject::Thing(name) => {
                things::found(here.thing(name).await?.as_ref(), there.thing(name).await?.as_ref())
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
                let version = |seen: Option<crate::model::Shadow>| seen.map(|seen| seen.version.to_string());
                Found {
                    primary: version(here.shadow(thing, name).await?),
                    secondary: version(there.shadow(thing, name).await?),
                }
            }
        })
    }

    async fn change(&self, action: &Action) -> Outcome<()> {
        let primary = self.regions.primary;
        match (&self.item.subject, action) {
            (_, Action::CreateType(wanted)) => {
                primary.create_thing_type(wanted).await.settled(Class::Exists)?;
                if wanted.deprecated {
                    primary.deprecate_thing_type(&wanted.name, true).await?;
                }
                Ok(())
            }
            (_, Action::PutPolicy(wanted)) => match primary.create_policy(wanted).await {
                Err(failure) if failure.class == Class::Exists => primary.put_policy(wanted).await,
                other => other,
            },
            (Subject::Certificate(id), Action::Register { pem, status, policies }) => {
                let active = *status == crate::model::Status::Active;
                // Policies before it may be used, as long as it is new.
                primary.register_certificate(pem, false).await.settled(Class::Exists)?;
                for name in policies {
                    primary.attach_policy(name, &self.certificate(id)).await?;
                }
                if active || *status == crate::model::Status::Revoked {
                    primary.set_status(id, *status).await?;
                }
                Ok(())
            }
            (Subject::Certificate(id), Action::SetStatus(status)) => primary.set_status(id, *status).await,
            (Subject::CertificatePolicy(id, name), Action::AttachPolicy(_)) => {
                primary.attach_policy(name, &self.certificate(id)).await
            }
            (Subject::CertificatePolicy(id, name), Action::DetachPolicy(_)) => {
                primary.detach_policy(name, &self.certificate(id)).await
            }
            (_, Action::CreateGroup(wanted, policies)) => {
                primary.create_group(wanted).await.settled(Class::Exists)?;
                for name in policies {
                    primary.attach_policy(name, &self.group(&wanted.name)).await?;
                }
                Ok(())
            }
            (_, Action::UpdateGroup(wanted)) => primary.update_group(wanted, None).await,
            (_, Action::CreateThing(wanted)) => primary.create_thing(wanted).await,
            (_, Action::UpdateThing(wanted)) => primary.update_thing(wanted, None).await,
            (Subject::Thing(name), Action::DeleteThing) => {
                for principal in primary.thing_principals(name).await? {
                    primary.detach_principal(name, &principal).await.settled(Class::NotFound)?;
                }
                primary.delete_thing(name, None).await
            }
            (Subject::Principal(thing, id), Action::Attach) => {
                primary.attach_principal(thing, &self.certificate(id)).await
            }
            (Subject::Principal(thing, id), Action::Detach) => {
                primary.detach_principal(thing, &self.certificate(id)).await
            }
            (Subject::Membership(thing, group), Action::Add) => primary.add_to_group(group, thing).await,
            (Subject::Membership(thing, group), Action::TakeOut) => {
                primary.remove_from_group(group, thing).await
            }
            (Subject::Shadow(thing, name), Action::DeleteShadow) => primary.delete_shadow(thing, name).await,
            _ => Err(self.unfit()),
        }
    }

    /// A compare-and-set with the version that the plan saw.
    async fn write_shadow(&self, thing: &str, shadow: &str, update: &serde_json::Value) -> Outcome<Ending> {
        let primary = self.regions.primary;
        let seen = self.item.found.primary.as_deref().map(str::parse::<u64>);
        let expected = seen.transpose().map_err(|_| self.unfit())?;
        let refused = || Ending::Refused("it changed in the primary since the plan was made".to_owned());
        // Zero says that there must be none.
        match primary.update_shadow(thing, shadow, update, Some(expected.unwrap_or_default())).await {
            Ok(_) => Ok(Ending::Done),
            Err(failure) if failure.class == Class::Conflict && expected.is_some() => Ok(refused()),
            Err(failure) if matches!(failure.class, Class::Conflict | Class::Permanent) => {
                // A shadow that was deleted not long ago has its counter still, on which a service may
                // insist: then the merge is unconditional, into nothing as far as can be seen.
                if expected.is_some() {
                    return Err(failure);
                }
                if primary.shadow(thing, shadow).await?.is_some() {
                    return Ok(refused());
                }
                primary.update_shadow(thing, shadow, update, None).await.map(|_| Ending::Done)
            }
            Err(failure) => Err(failure),
        }
    }

    fn certificate(&self, id: &str) -> String {
        self.regions.names.certificate_arn(&self.regions.names.primary, id)
    }

    fn group(&self, name: &str) -> String {
        self.regions.names.group_arn(&self.regions.names.primary, name)
    }

    fn unfit(&self) -> Failure {
        Failure::permanent("apply plan", format!("the action does not fit {}", self.item.subject))
    }
}
