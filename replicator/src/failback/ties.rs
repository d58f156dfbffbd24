//! What ties things, certificates, groups and policies to each other at home: a deletion cuts it, and no
//! version tells of it.
//!
//! A certificate that is attached, a thing that joins a group, a group that gets a policy: none of that makes a
//! new version of anything. So what only the secondary has deleted is deleted at home only if it has no tie
//! there that it is not known to have had when replication broke; and the plan has the ties that it saw, and
//! its carrying out cuts no other. Fewer are fine: a deletion cuts them all, and has perhaps begun to.
//!
//! A certificate that a thing has is deleted with the thing, or from one that lives in the secondary without
//! it. A thing that stays at home alone comes back by replication, and has to find its certificate.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, Found, Item, Judged, Planner, Subject, Verdict};
use crate::compare::short;
use crate::look::{Regions, stays};
use crate::model::Incarnation;
use crate::outcome::Outcome;
use crate::policy::certificate_id;
use crate::ports::{Clock, Region, Row, State};
use crate::rules::is_own;
use crate::tables;

/// Something that is tied to what is deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// A thing has the certificate.
    Thing(String),
    /// The thing has that principal, an ARN of the primary.
    Principal(String),
    /// The thing is in that group.
    Group(String),
    /// The certificate or group has that policy.
    Policy(String),
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thing(name) => write!(f, "thing {name}"),
            Self::Principal(arn) => match certificate_id(arn) {
                Some(id) => write!(f, "certificate {}", short(id)),
                None => write!(f, "principal {arn}"),
            },
            Self::Group(name) => write!(f, "group {name}"),
            Self::Policy(name) => write!(f, "policy {name}"),
        }
    }
}

/// What is tied to it in the primary.
pub(super) async fn of<P: Region, S: Region, C: Clock>(
    regions: &Regions<'_, P, S, C>,
    subject: &Subject,
) -> Outcome<BTreeSet<Tie>> {
    let (primary, names) = (regions.primary, &regions.names);
    let mut ties = BTreeSet::new();
    match subject {
        Subject::Thing(name) => {
            ties.extend(primary.thing_principals(name).await?.into_iter().map(Tie::Principal));
            let groups = primary.thing_groups(name).await?.into_iter();
            ties.extend(groups.filter(|group| !is_own(group)).map(Tie::Group));
        }
        Subject::Certificate(id) => {
            let arn = names.certificate_arn(&names.primary, id);
            ties.extend(primary.principal_things(&arn).await?.into_iter().map(Tie::Thing));
            ties.extend(primary.attached_policies(&arn).await?.into_iter().map(Tie::Policy));
        }
        Subject::Group(name) => {
            let policies = primary.attached_policies(&names.group_arn(&names.primary, name)).await?;
            ties.extend(policies.into_iter().filter(|policy| !is_own(policy)).map(Tie::Policy));
        }
        _ => {}
    }
    Ok(ties)
}

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    /// What becomes of something that only the secondary has deleted, and that is at home what was
    /// replicated last, but for its ties.
    pub(super) async fn gone(&self, subject: Subject, found: Found, action: Action) -> Outcome<Item> {
        let ties = of(self.regions, &subject).await?;
        let mut judged = self.removed(action);
        for tie in &ties {
            let because = if !self.is_known(&subject, tie).await? {
                format!("the primary tied {tie} to it since")
            } else if self.stays_alone(tie).await? {
                format!("{tie} has it, and stays in the primary")
            } else {
                continue;
            };
            let why = format!("deleted in the secondary; {because}: replication brings it back there");
            judged = Judged { verdict: Verdict::Resurrects, why, action: None };
            break;
        }
        Ok(judged.item(subject, Found { ties, ..found }))
    }

    /// Whether it had that tie by what was replicated last; or nothing is known of such ties, which the
    /// plan says in its notes.
    async fn is_known(&self, subject: &Subject, tie: &Tie) -> Outcome<bool> {
        match (subject, tie) {
            (Subject::Thing(thing), Tie::Principal(arn)) => {
                let Some(id) = certificate_id(arn).filter(|_| self.options.identities) else {
                    return Ok(true);
                };
                Ok(self.had_certificate(thing, id).await?
                    || stays(&self.regions.primary.attached_policies(arn).await?))
            }
            (Subject::Thing(thing), Tie::Group(group)) => self.was_member(thing, group).await,
            (Subject::Certificate(id), Tie::Thing(thing)) => {
                Ok(self.is_same_thing(thing).await? && self.had_certificate(thing, id).await?)
            }
            (Subject::Certificate(id), Tie::Policy(policy)) => {
                let row = self.remembered(&tables::certificate_key(id)).await?;
                Ok(matches!(row, Some(Row::Certificate(row)) if row.policies.contains(policy)))
            }
            (Subject::Group(group), Tie::Policy(policy)) => {
                Ok(!self.options.identities || self.had_policy(group, policy).await?)
            }
            _ => Ok(false),
        }
    }

    /// Whether a thing that has the certificate is only in the primary, and is not deleted there either.
    async fn stays_alone(&self, tie: &Tie) -> Outcome<bool> {
        let Tie::Thing(thing) = tie else { return Ok(false) };
        Ok(!self.is_removed(thing) && self.regions.secondary.thing(thing).await?.is_none())
    }

    async fn had_certificate(&self, thing: &str, id: &str) -> Outcome<bool> {
        let row = self.remembered(&tables::identity_key(thing)).await?;
        let Some(Row::Identity(row)) = row else { return Ok(false) };
        Ok(row.principals.iter().any(|arn| certificate_id(arn) == Some(id)))
    }

    /// Whether the thing at home is the one that was replicated, and not one that was made since.
    async fn is_same_thing(&self, thing: &str) -> Outcome<bool> {
        // One that is gone in the meantime has no ties any more.
        let Some(here) = self.regions.primary.thing(thing).await? else { return Ok(true) };
        let row = self.remembered(&tables::thing_key(thing)).await?;
        let Some(Row::Thing(row)) = row else { return Ok(false) };
        Ok(row.mark.is_some_and(|mark| !mark.deleted && here.thing_id == Some(mark.id)))
    }

    async fn was_member(&self, thing: &str, group: &str) -> Outcome<bool> {
        let row = self.remembered(&tables::memberships_key(thing)).await?;
        let Some(Row::Memberships(row)) = row else { return Ok(false) };
        let Some(mark) = row.groups.get(group).filter(|mark| !mark.life.deleted) else { return Ok(false) };
        // It may have been in an earlier group of that name, or an earlier thing in this one.
        let is_of_group = self.group_id(group).await?.is_none_or(|id| id == mark.group_id);
        Ok(is_of_group && (mark.thing_id.is_empty() || self.is_thing(thing, &mark.thing_id).await?))
    }

    async fn is_thing(&self, thing: &str, id: &str) -> Outcome<bool> {
        let here = self.regions.primary.thing(thing).await?;
        Ok(here.is_none_or(|here| here.thing_id.is_none_or(|is| is == id)))
    }

    async fn had_policy(&self, group: &str, policy: &str) -> Outcome<bool> {
        let row = self.remembered(&tables::group_policies_key(group)).await?;
        let Some(Row::Policies(row)) = row else { return Ok(false) };
        let had = row.policies.as_ref().is_some_and(|policies| policies.contains(policy));
        Ok(had && row.group_id == self.group_id(group).await?)
    }

    async fn group_id(&self, group: &str) -> Outcome<Option<String>> {
        let life = self.regions.primary.group_incarnation(group).await?;
        Ok(life.map(|Incarnation { id, .. }| id))
    }
}
