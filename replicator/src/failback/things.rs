//! Things with their certificates, groups and shadows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::merge::{self, Leaf};
use super::{
    Action, DELETED, Found, HERE, Item, Judged, MADE, Planner, REMOVED_CHANGED, Subject, THERE, UNFINISHED,
    Verdict,
};
use crate::look::{Principals, stays};
use crate::model::{DescribedThing, Page, Shadow, Thing};
use crate::order::MembershipMark;
use crate::outcome::Outcome;
use crate::policy;
use crate::ports::{Clock, IdentityRow, Memberships, Region, Row, ShadowRow, State, ThingRow};
use crate::rules::is_own;
use crate::shadow::diff::Document;
use crate::{compare, sync, tables};

const WITH_IT: &str = "comes with the thing";
const OTHER: &str = "the primary made the thing again: replication brings what belongs to it";

/// A thing as the primary has it, or is to have it.
struct Home {
    /// The incarnation that is there.
    id: Option<String>,
    /// It is made by the plan.
    made: bool,
}

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    /// All things that the secondary has, or had by what is remembered.
    pub(super) async fn things(&self) -> Outcome<()> {
        let list = async |from: Option<&str>| {
            let page = self.regions.secondary.things(None, from).await?;
            let items = page.items.into_iter().map(|there| there.thing.name).collect();
            Ok(Page { items, next: page.next })
        };
        let mut names = BTreeSet::from_iter(self.names(list).await?);
        names.extend(self.rows(&tables::thing_key("")).await?.into_iter().map(|(name, _)| name));
        // A shadow needs no thing, and a thing that is gone may have left some. No Region lists those.
        let remembered = self.names(async |from| sync::shadows(self.state, from).await).await?;
        let mut shadows = BTreeMap::<String, BTreeSet<String>>::new();
        for (thing, shadow) in remembered {
            names.insert(thing.clone());
            shadows.entry(thing).or_default().insert(shadow);
        }
        let judge = async |name: &str| {
            let remembered = shadows.get(name).cloned().unwrap_or_default();
            self.whole_thing(name, remembered).await
        };
        self.all(names.into_iter().collect(), judge).await;
        Ok(())
    }

    async fn whole_thing(&self, name: &str, shadows: BTreeSet<String>) -> Outcome<Vec<Item>> {
        let mut items = Vec::new();
        let (here, there) =
            futures::join!(self.regions.primary.thing(name), self.regions.secondary.thing(name));
        let (here, there) = (here?, there?);
        let row = match self.remembered(&tables::thing_key(name)).await? {
            Some(Row::Thing(row)) => row,
            _ => ThingRow::default(),
        };
        items.extend(self.thing(name, here.as_ref(), there.as_ref(), &row).await?);
        let made = items.iter().any(|item| matches!(item.action, Some(Action::CreateThing(_))));
        if there.is_some() && (here.is_some() || made) {
            let home = Home { id: here.and_then(|here| here.thing_id), made };
            let is_other = row.mark.is_some_and(|mark| home.id.as_ref().is_some_and(|id| *id != mark.id));
            if self.options.identities {
                items.extend(self.principals(name, made, is_other).await?);
            }
            items.extend(self.memberships(name, &home, is_other).await?);
        }
        items.extend(self.shadows(name, shadows).await?);
        Ok(items)
    }

    async fn thing(
        &self,
        name: &str,
        here: Option<&DescribedThing>,
        there: Option<&DescribedThing>,
        row: &ThingRow,
    ) -> Outcome<Option<Item>> {
        let alive = row.mark.as_ref().filter(|mark| !mark.deleted);
        let unchanged = |here: &DescribedThing| {
            alive.is_some_and(|mark| here.thing_id.as_ref() == Some(&mark.id) && here.version == mark.version)
        };
        let (subject, found) = (Subject::Thing(name.to_owned()), found(here, there));
        let judged = match (here, there) {
            (None, None) => return Ok(None),
            (Some(here), Some(there)) if here.thing == there.thing => return Ok(None),
            (None, Some(there)) => {
                let create = Action::CreateThing(there.thing.clone());
                match row.mark {
                    Some(_) => self.resurrected(DELETED, create),
                    None => Judged::new(Verdict::Created, MADE, Some(create)),
                }
            }
            (Some(here), None) if unchanged(here) => {
                return self.gone(subject, found, Action::DeleteThing).await.map(Some);
            }
            // The secondary never had it, or replication brings it back.
            (Some(_), None) if alive.is_none() => return Ok(None),
            (Some(_), None) => {
                let why = format!("{REMOVED_CHANGED}{}", self.lost_certificates(name).await?);
                Judged::new(Verdict::Resurrects, &why, None)
            }
            (Some(here), Some(there)) if unchanged(here) => {
                let mut goal = there.thing.clone();
                if self.lacks_type(&here.thing, &there.thing, row).await? {
                    goal.thing_type.clone_from(&here.thing.thing_type);
                }
                if goal == here.thing {
                    Judged::new(Verdict::Kept, UNFINISHED, None)
                } else {
                    Judged::new(Verdict::TakenHome, THERE, Some(Action::UpdateThing(goal)))
                }
            }
            (Some(_), Some(_)) => {
                let why = "changed in the primary; what the secondary has will be overwritten";
                Judged::new(Verdict::Overwritten, why, None)
            }
        };
        Ok(Some(judged.item(subject, found)))
    }

    /// Names the certificates that a thing had and has no more at home: a deletion that was begun and ended
    /// halfway may have taken them.
    async fn lost_certificates(&self, thing: &str) -> Outcome<String> {
        let row = match self.remembered(&tables::identity_key(thing)).await? {
            Some(Row::Identity(row)) if self.options.identities => row,
            _ => return Ok(String::new()),
        };
        let here = Principals::of(self.regions.primary.thing_principals(thing).await?).certificates;
        let had = row.principals.iter().filter_map(|arn| policy::certificate_id(arn));
        let lost: Vec<_> = had.filter(|id| !here.contains(*id)).map(compare::short).collect();
        if lost.is_empty() {
            return Ok(String::new());
        }
        Ok(format!("; it had certificates that it has no more at home: {}", lost.join(", ")))
    }

    /// Whether the replicator made the thing without its type, which it does if that is not there or is
    /// an older one of that name.
    async fn lacks_type(&self, here: &Thing, there: &Thing, row: &ThingRow) -> Outcome<bool> {
        let Some(name) = here.thing_type.as_deref().filter(|_| there.thing_type.is_none()) else {
            return Ok(false);
        };
        Ok(row.undone || self.regions.secondary.thing_type(name).await?.is_none())
    }

    /// `made`: the thing itself is made at home; `is_other`: the primary made it again since it was
    /// replicated.
    async fn principals(&self, thing: &str, made: bool, is_other: bool) -> Outcome<Vec<Item>> {
        let (here, there) = futures::join!(
            self.regions.primary.thing_principals(thing),
            self.regions.secondary.thing_principals(thing)
        );
        let (here, there) = (Principals::of(here?).certificates, Principals::of(there?).certificates);
        let row = match self.remembered(&tables::identity_key(thing)).await? {
            Some(Row::Identity(row)) => row,
            _ => IdentityRow::default(),
        };
        // What it is to lose it had, and may have still.
        let (base, is_unfinished) = (&row.principals | &row.removing, row.pending);
        let base: BTreeSet<_> =
            base.iter().filter_map(|arn| policy::certificate_id(arn)).map(str::to_owned).collect();
        let names = &self.regions.names;
        let mut items = Vec::new();
        for id in here.symmetric_difference(&there) {
            let (is_here, is_there, was) = (here.contains(id), there.contains(id), base.contains(id));
            let arn = names.certificate_arn(&names.secondary, id);
            if is_there && stays(&self.regions.secondary.attached_policies(&arn).await?) {
                continue;
            }
            let judged = match (is_there, was) {
                (true, _) if made => Judged::new(Verdict::TakenHome, WITH_IT, Some(Action::Attach)),
                _ if is_other => Judged::new(Verdict::Kept, OTHER, None),
                (true, false) => {
                    Judged::new(Verdict::TakenHome, "attached in the secondary", Some(Action::Attach))
                }
                // It is wanted there and may never have arrived.
                (false, true) if is_unfinished => Judged::new(Verdict::Kept, UNFINISHED, None),
                (false, true) => self.removed(Action::Detach),
                (true, true) | (false, false) => Judged::new(Verdict::Kept, HERE, None),
            };
            let subject = Subject::Principal(thing.to_owned(), id.clone());
            items.push(judged.item(subject, Found::flags(is_here, is_there)));
        }
        Ok(items)
    }

    async fn memberships(&self, thing: &str, home: &Home, is_other: bool) -> Outcome<Vec<Item>> {
        let (here, there) = futures::join!(
            self.regions.primary.thing_groups(thing),
            self.regions.secondary.thing_groups(thing)
        );
        let (here, there) = (BTreeSet::from_iter(here?), BTreeSet::from_iter(there?));
        let row = match self.remembered(&tables::memberships_key(thing)).await? {
            Some(Row::Memberships(row)) => row,
            _ => Memberships::default(),
        };
        // A membership may be of an earlier thing of that name.
        let is_its = |mark: &MembershipMark| {
            mark.thing_id.is_empty() || home.id.as_ref().is_none_or(|id| *id == mark.thing_id)
        };
        let mut items = Vec::new();
        for group in here.symmetric_difference(&there).filter(|name| !is_own(name)) {
            let (is_here, is_there) = (here.contains(group), there.contains(group));
            let mark = row.groups.get(group);
            let was = mark.map(|mark| !mark.life.deleted);
            let is_unfinished = row.pending.contains_key(group);
            let judged = match (is_there, was) {
                (true, _) if home.made => Judged::new(Verdict::TakenHome, WITH_IT, Some(Action::Add)),
                _ if is_other || mark.is_some_and(|mark| !is_its(mark)) => {
                    Judged::new(Verdict::Kept, OTHER, None)
                }
                _ if is_unfinished => Judged::new(Verdict::Kept, UNFINISHED, None),
                (true, None) => Judged::new(Verdict::TakenHome, "added in the secondary", Some(Action::Add)),
                (true, Some(false)) => {
                    self.resurrected("taken out in the primary, in it in the secondary", Action::Add)
                }
                (false, Some(true)) => self.removed(Action::TakeOut),
                (true, Some(true)) | (false, _) => Judged::new(Verdict::Kept, HERE, None),
            };
            let subject = Subject::Membership(thing.to_owned(), group.clone());
            items.push(judged.item(subject, Found::flags(is_here, is_there)));
        }
        Ok(items)
    }

    async fn shadows(&self, thing: &str, remembered: BTreeSet<String>) -> Outcome<Vec<Item>> {
        let (here, there) = futures::join!(
            self.regions.primary.named_shadows(thing),
            self.regions.secondary.named_shadows(thing)
        );
        let mut names: BTreeSet<String> = here?.into_iter().chain(there?).chain(remembered).collect();
        names.insert(String::new());
        let mut items = Vec::new();
        for name in names {
            items.extend(self.shadow(thing, &name).await?);
        }
        Ok(items)
    }

    async fn shadow(&self, thing: &str, name: &str) -> Outcome<Option<Item>> {
        let (here, there) = futures::join!(
            self.regions.primary.shadow(thing, name),
            self.regions.secondary.shadow(thing, name)
        );
        let (here, there) = (here?, there?);
        let row = match self.remembered(&tables::shadow_key(thing, name)).await? {
            Some(Row::Shadow(row)) => row,
            _ => ShadowRow::default(),
        };
        let found = Found {
            primary: here.as_ref().map(|here| here.version.to_string()),
            secondary: there.as_ref().map(|there| there.version.to_string()),
            ..Found::default()
        };
        let Some((judged, leaves)) = self.judge_shadow(here.as_ref(), there.as_ref(), &row) else {
            return Ok(None);
        };
        let subject = Subject::Shadow(thing.to_owned(), name.to_owned());
        Ok(Some(Item { leaves, ..judged.item(subject, found) }))
    }

    fn judge_shadow(
        &self,
        here: Option<&Shadow>,
        there: Option<&Shadow>,
        row: &ShadowRow,
    ) -> Option<(Judged, Vec<Leaf>)> {
        let alive = row.mark.filter(|mark| !mark.deleted);
        let nothing = Shadow { state: json!({}), metadata: json!({}), version: 0 };
        let (merged, leaves) = merge::merge(
            &merge::Sides {
                primary: document(here.unwrap_or(&nothing)),
                secondary: document(there.unwrap_or(&nothing)),
                base: Document { state: &row.state, metadata: &row.metadata },
                left: Document { state: &row.target_state, metadata: &row.target_metadata },
                kept: &row.kept,
            },
            self.options.resurrect,
        );
        let write = |update: Value, goal: Value| Action::WriteShadow { update, goal };
        let judged = match (here, there) {
            (None, None) => return None,
            (Some(here), Some(_)) => {
                let update = merge::update(&here.state, &merged);
                let verdict = verdict(&leaves)?;
                let why = "leaf by leaf";
                Judged::new(verdict, why, update.map(|update| write(update, merged)))
            }
            (None, Some(there)) => {
                let action = write(there.state.clone(), there.state.clone());
                match row.mark {
                    None => Judged::new(Verdict::Created, MADE, Some(action)),
                    Some(_) if alive.is_some() && !written(&leaves) => {
                        Judged::new(Verdict::Kept, "deleted in the primary, unchanged in the secondary", None)
                    }
                    Some(_) => self.resurrected("deleted in the primary, written in the secondary", action),
                }
            }
            (Some(here), None) => match alive.filter(|_| !row.target_state.is_null()) {
                // The secondary never had it.
                None => return None,
                Some(mark) if mark.version == here.version => self.removed(Action::DeleteShadow),
                Some(_) => Judged::new(Verdict::Resurrects, REMOVED_CHANGED, None),
            },
        };
        // Leaves are judged where both have a shadow; else it is one thing.
        let leaves = if here.is_some() && there.is_some() { leaves } else { Vec::new() };
        Some((judged, leaves))
    }
}

fn document(shadow: &Shadow) -> Document<'_> {
    Document { state: &shadow.state, metadata: &shadow.metadata }
}

/// Whether someone else wrote in the secondary. The leaves are judged against a primary without any.
fn written(leaves: &[Leaf]) -> bool {
    leaves.iter().any(|leaf| leaf.verdict != merge::Verdict::Kept)
}

/// The verdict of a shadow by its leaves; none: nothing differs.
fn verdict(leaves: &[Leaf]) -> Option<Verdict> {
    let any = |verdict| leaves.iter().any(|leaf| leaf.verdict == verdict);
    let both = any(merge::Verdict::Overwrites) || any(merge::Verdict::Overwritten);
    let home = any(merge::Verdict::TakenHome) || any(merge::Verdict::Overwrites);
    Some(match () {
        () if leaves.is_empty() => return None,
        () if home && (both || any(merge::Verdict::Resurrects)) => Verdict::Merged,
        () if home => Verdict::TakenHome,
        () if both => Verdict::Overwritten,
        () if any(merge::Verdict::Resurrects) => Verdict::Resurrects,
        () => Verdict::Kept,
    })
}

/// What was found of a thing: with its incarnation, as one that was made again is another.
pub(super) fn found(here: Option<&DescribedThing>, there: Option<&DescribedThing>) -> Found {
    let of = |seen: &DescribedThing| (seen.thing.clone(), seen.thing_id.clone(), seen.version);
    Found::of(here.map(of).as_ref(), there.map(of).as_ref())
}
