//! Types, and groups with their policies.

use std::collections::{BTreeMap, BTreeSet};

use super::identities::attachments;
use super::{
    Action, BOTH, DELETED, Found, Item, Judged, MADE, Planner, REMOVED_CHANGED, Subject, THERE, UNFINISHED,
    Verdict,
};
use crate::look::Regions;
use crate::model::{Group, Incarnation, Page};
use crate::order::LifeMark;
use crate::outcome::Outcome;
use crate::ports::{Clock, GroupRow, Region, Row, State, TypeRow};
use crate::rules::is_own;
use crate::tables;

const TYPE_REMOVED: &str =
    "deleted in the secondary; a type is not deleted at home: replication brings it back";

impl<P: Region, S: Region, C: Clock, M: State> Planner<'_, P, S, C, M> {
    /// All of a list.
    pub(super) async fn names<T>(
        &self,
        list: impl AsyncFn(Option<&str>) -> Outcome<Page<T>>,
    ) -> Outcome<Vec<T>> {
        let (mut names, mut from) = (Vec::new(), None::<String>);
        loop {
            let page = self.patient(async || list(from.as_deref()).await).await?;
            names.extend(page.items);
            from = page.next;
            if from.is_none() {
                return Ok(names);
            }
        }
    }

    pub(super) async fn types(&self) -> Outcome<()> {
        let list = async |from: Option<&str>| {
            let page = self.regions.secondary.thing_types(from).await?;
            let items = page.items.into_iter().map(|there| there.name).collect();
            Ok(Page { items, next: page.next })
        };
        let mut names = BTreeSet::from_iter(self.names(list).await?);
        let lives = |row: &Row| matches!(row, Row::Type(row) if lives(row.mark.as_ref()));
        names.extend(self.remembered_names(&tables::type_key(""), lives).await?);
        self.all(names.into_iter().collect(), async |name| self.thing_type(name).await).await;
        Ok(())
    }

    async fn thing_type(&self, name: &str) -> Outcome<Vec<Item>> {
        let (here, there) =
            (self.regions.primary.thing_type(name).await?, self.regions.secondary.thing_type(name).await?);
        if here == there {
            return Ok(Vec::new());
        }
        let found = Found::of(here.as_ref(), there.as_ref());
        let row = match self.remembered(&tables::type_key(name)).await? {
            Some(Row::Type(row)) => row,
            _ => TypeRow::default(),
        };
        let judged = match (here, there) {
            (None, Some(there)) if row.mark.is_some() => self.resurrected(DELETED, Action::CreateType(there)),
            (None, Some(there)) => Judged::new(Verdict::Created, MADE, Some(Action::CreateType(there))),
            (Some(_), None) if lives(row.mark.as_ref()) => Judged::new(Verdict::Removed, TYPE_REMOVED, None),
            // The secondary never had it.
            (_, None) => return Ok(Vec::new()),
            (Some(_), Some(_)) if row.undone => Judged::new(Verdict::Kept, UNFINISHED, None),
            (Some(_), Some(_)) => Judged::new(Verdict::Overwritten, BOTH, None),
        };
        Ok(vec![judged.item(Subject::Type(name.to_owned()), found)])
    }

    /// Names of a kind that the replicator brought.
    pub(super) async fn remembered_names(
        &self,
        prefix: &str,
        lives: impl Fn(&Row) -> bool,
    ) -> Outcome<Vec<String>> {
        let rows = self.rows(prefix).await?.into_iter();
        Ok(rows.filter(|(_, row)| lives(row)).map(|(name, _)| name).collect())
    }

    /// Groups, parents first; those that are gone from the secondary, children first.
    pub(super) async fn groups(&self) -> Outcome<()> {
        let names = self.names(async |from| self.regions.secondary.groups(from).await).await?;
        let mut groups = BTreeMap::new();
        for name in names {
            if let Some(group) = self.patient(async || self.regions.secondary.group(&name).await).await? {
                groups.insert(name, group);
            }
        }
        for level in crate::sync::by_depth(&groups) {
            let names = level.into_iter().map(|group| group.name).collect();
            self.all(names, async |name| self.group(name).await).await;
        }
        let lives = |row: &Row| matches!(row, Row::Group(row) if lives(row.mark.as_ref()));
        let mut gone = BTreeMap::new();
        for name in self.remembered_names(&tables::group_key(""), lives).await? {
            if groups.contains_key(&name) {
                continue;
            }
            if let Some(group) = self.patient(async || self.regions.primary.group(&name).await).await? {
                gone.insert(name, group);
            }
        }
        for level in crate::sync::by_depth(&gone).into_iter().rev() {
            let names = level.into_iter().map(|group| group.name).collect();
            self.all(names, async |name| self.group(name).await).await;
        }
        Ok(())
    }

    async fn group(&self, name: &str) -> Outcome<Vec<Item>> {
        let primary = self.regions.primary;
        let (here, there) = (primary.group(name).await?, self.regions.secondary.group(name).await?);
        let mut items = Vec::new();
        if here != there {
            items.extend(self.group_itself(name, here.clone(), there.clone()).await?);
        }
        if here.is_some() && there.is_some() && self.options.identities {
            items.extend(self.group_policies(name).await?);
        }
        Ok(items)
    }

    async fn group_itself(
        &self,
        name: &str,
        here: Option<Group>,
        there: Option<Group>,
    ) -> Outcome<Option<Item>> {
        let life = self.regions.primary.group_incarnation(name).await?;
        let (subject, found) =
            (Subject::Group(name.to_owned()), found(here.as_ref(), life.as_ref(), there.as_ref()));
        let GroupRow { mark, undone } = match self.remembered(&tables::group_key(name)).await? {
            Some(Row::Group(row)) => row,
            _ => GroupRow::default(),
        };
        let alive = mark.as_ref().filter(|mark| !mark.deleted);
        let unchanged = alive.is_some_and(|mark| {
            life.as_ref().is_some_and(|life| life.id == mark.id && life.version == mark.version)
        });
        let judged = match (here, there) {
            (None, Some(there)) => {
                let names = &self.regions.names;
                let arn = names.group_arn(&names.secondary, name);
                let policies = if self.options.identities {
                    self.regions.secondary.attached_policies(&arn).await?
                } else {
                    Vec::new()
                };
                let create = Action::CreateGroup(there, policies);
                match mark {
                    Some(_) => self.resurrected(DELETED, create),
                    None => Judged::new(Verdict::Created, MADE, Some(create)),
                }
            }
            (Some(_), None) if unchanged => {
                return self.gone(subject, found, Action::DeleteGroup).await.map(Some);
            }
            (Some(_), None) if alive.is_some() => Judged::new(Verdict::Resurrects, REMOVED_CHANGED, None),
            // The secondary never had it.
            (_, None) => return Ok(None),
            (Some(here), Some(there)) if unchanged && parent(&here) == parent(&there) => {
                Judged::new(Verdict::TakenHome, THERE, Some(Action::UpdateGroup(there)))
            }
            (Some(_), Some(_)) if unchanged && undone => Judged::new(Verdict::Kept, UNFINISHED, None),
            (Some(_), Some(_)) => Judged::new(Verdict::Overwritten, BOTH, None),
        };
        Ok(Some(judged.item(subject, found)))
    }

    /// The policies of a group that is in both Regions.
    async fn group_policies(&self, name: &str) -> Outcome<Vec<Item>> {
        let (names, Regions { primary, secondary, .. }) = (&self.regions.names, self.regions);
        let here = primary.attached_policies(&names.group_arn(&names.primary, name)).await?;
        let there = secondary.attached_policies(&names.group_arn(&names.secondary, name)).await?;
        let all = |policies: Vec<String>| -> BTreeSet<String> {
            policies.into_iter().filter(|policy| !is_own(policy)).collect()
        };
        let (here, there) = (all(here), all(there));
        if here == there {
            return Ok(Vec::new());
        }
        let life = primary.group_incarnation(name).await?.map(|life| life.id);
        let known = match self.remembered(&tables::group_policies_key(name)).await? {
            // What an earlier group of that name had tells nothing.
            Some(Row::Policies(row)) if row.group_id == life => row.policies,
            _ => None,
        };
        let judged = attachments(&here, &there, known.as_ref(), self);
        let item = |(policy, judged): (String, Judged)| {
            let found = Found::flags(here.contains(&policy), there.contains(&policy));
            judged.item(Subject::GroupPolicy(name.to_owned(), policy), found)
        };
        Ok(judged.into_iter().map(item).collect())
    }
}

/// What was found of a group: with its incarnation at home, as a change names the version.
pub(super) fn found(here: Option<&Group>, life: Option<&Incarnation>, there: Option<&Group>) -> Found {
    let life = life.map(|life| (&life.id, life.version));
    Found::of(here.map(|here| (here, life)).as_ref(), there)
}

fn lives(mark: Option<&LifeMark>) -> bool {
    mark.is_some_and(|mark| !mark.deleted)
}

fn parent(group: &Group) -> Option<&str> {
    group.parent.as_deref()
}
