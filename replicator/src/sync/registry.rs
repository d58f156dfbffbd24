//! Types, groups, and the certificates and policies that no thing may have.

use std::collections::BTreeMap;

use super::report::{Counts, Kind, Tally};
use super::walk::{Flow, Walk};
use super::{Sink, events};
use crate::document::{Key, Seen};
use crate::model::{Group, ThingType};
use crate::outcome::Outcome;
use crate::ports::{Clock, Region, Row};
use crate::tables;

/// How deep groups are nested at the most: AWS's limit is seven.
const DEPTH_MAX: usize = 16;

impl<P: Region, S: Region, C: Clock, K: Sink> Walk<'_, P, S, C, K> {
    pub(super) async fn types(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.primary.thing_types(from).await;
        let each = async |seen: ThingType| {
            self.item(Kind::Type, &seen.name, async || self.thing_type(&seen).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn thing_type(&self, seen: &ThingType) -> Outcome<Tally> {
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        let (primary, secondary) = (self.regions.primary, self.regions.secondary);
        if !self.sends_all() && secondary.thing_type(&seen.name).await?.as_ref() == Some(seen) {
            tally.count(Kind::Type, Counts::EXISTING);
            return Ok(tally);
        }
        // The list may be behind: what is sent is what is there now.
        let (life, now) =
            futures::join!(primary.type_incarnation(&seen.name), primary.thing_type(&seen.name));
        if let (Some(life), Some(now)) = (life?, now?) {
            let event = events::thing_type(now, life, looked_ms);
            self.send(&mut tally, Kind::Type, &seen.name, &event).await?;
        }
        Ok(tally)
    }

    /// Groups, each after those above it, on whichever page they are.
    pub(super) async fn groups(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.primary.groups(from).await;
        let each = async |name: String| {
            if let Err(failure) = self.patient(async || self.listed_group(&name).await).await {
                self.failed(Kind::Group, &name, &failure);
            }
        };
        self.pages(from, list, each, save).await
    }

    async fn listed_group(&self, name: &str) -> Outcome<()> {
        let (mut line, mut next) = (Vec::new(), Some(name.to_owned()));
        while let Some(name) = next.take()
            && line.len() < DEPTH_MAX
            && !self.is_done(&name)
            // One that finds its things by a query is not replicated, one that is gone has an event of its own.
            && let Some(seen) = self.regions.primary.group(&name).await?
        {
            next.clone_from(&seen.parent);
            line.push(seen);
        }
        for seen in line.into_iter().rev() {
            // A group is sent after the one above it, whoever is at work on that.
            let turn = self.turn(&seen.name);
            let mut done = turn.lock().await;
            if !*done {
                self.item(Kind::Group, &seen.name, async || self.group(&seen).await).await;
                *done = true;
            }
        }
        Ok(())
    }

    async fn group(&self, seen: &Group) -> Outcome<Tally> {
        let (mut tally, looked_ms, name) = (Tally::default(), self.now_ms(), &seen.name);
        let same = !self.sends_all() && self.regions.secondary.group(name).await?.as_ref() == Some(seen);
        if same && self.is_remembered(name).await? {
            tally.count(Kind::Group, Counts::EXISTING);
        } else if let Some(life) = self.group_incarnation(name).await?
            && let Some(now) = self.regions.primary.group(name).await?
        {
            let above = match &now.parent {
                Some(parent) => self.group_incarnation(parent).await?,
                None => None,
            };
            let event = events::group(now, above.map(|above| above.id), life, looked_ms);
            self.send(&mut tally, Kind::Group, name, &event).await?;
        }
        if self.options.identities {
            self.group_policies(&mut tally, name).await?;
        }
        Ok(tally)
    }

    /// Whether the replicator brought this incarnation of the group, as far as can be told: groups under it
    /// and its members wait for that, though a group like it is there.
    async fn is_remembered(&self, name: &str) -> Outcome<bool> {
        if !self.sink.remembers() {
            return Ok(true);
        }
        let Some(Row::Group(row)) = self.sink.remembered(&tables::group_key(name)).await? else {
            return Ok(false);
        };
        let life = self.group_incarnation(name).await?;
        Ok(row.mark.is_some_and(|mark| !mark.deleted && life.is_some_and(|life| life.id == mark.id)))
    }

    async fn group_policies(&self, tally: &mut Tally, name: &str) -> Outcome<()> {
        let looked_ms = self.now_ms();
        if !self.sends_all() {
            let found = self.regions.compare_group_policies(name).await?;
            if !self.send_policies(tally, &found).await? {
                tally.count(Kind::GroupPolicies, Counts::EXISTING);
                return Ok(());
            }
        }
        let group_id = self.group_incarnation(name).await?.map(|life| life.id);
        let policies = self.regions.primary_group_policies(name).await?;
        let (key, seen) = (Key::GroupPolicies(name.to_owned()), Seen::GroupPolicies { group_id, policies });
        self.send_seen(tally, Kind::GroupPolicies, key, seen, looked_ms).await
    }

    pub(super) async fn certificates(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.primary.certificates(from).await;
        let each = async |id: String| {
            self.item(Kind::Certificate, &id, async || self.certificate(&id).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn certificate(&self, id: &str) -> Outcome<Tally> {
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        let found = self.regions.compare_certificate(id, None).await?;
        if !self.send_policies(&mut tally, &found).await? {
            tally.count(Kind::Certificate, Counts::EXISTING);
            return Ok(tally);
        }
        if let Some(identity) = self.regions.primary_certificate(id).await? {
            let (key, seen) = (Key::Certificate(id.to_owned()), Seen::Certificate(Some(identity)));
            self.send_seen(&mut tally, Kind::Certificate, key, seen, looked_ms).await?;
        }
        Ok(tally)
    }

    pub(super) async fn policies(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.primary.policies(from).await;
        let each = async |name: String| {
            self.item(Kind::Policy, &name, async || self.policy(&name).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn policy(&self, name: &str) -> Outcome<Tally> {
        let mut tally = Tally::default();
        if !self.sends_all() && self.regions.compare_policy(name).await?.is_none() {
            tally.count(Kind::Policy, Counts::EXISTING);
        } else {
            self.send_policy(&mut tally, name).await?;
        }
        Ok(tally)
    }
}

/// Groups by their depth, those without a parent first.
pub(crate) fn by_depth(groups: &BTreeMap<String, Group>) -> Vec<Vec<Group>> {
    let mut levels: Vec<Vec<Group>> = Vec::new();
    for group in groups.values() {
        let (mut depth, mut above) = (0, group.parent.as_deref());
        while let Some(parent) = above
            && depth < DEPTH_MAX
        {
            depth += 1;
            above = groups.get(parent).and_then(|parent| parent.parent.as_deref());
        }
        if levels.len() <= depth {
            levels.resize(depth + 1, Vec::new());
        }
        if let Some(level) = levels.get_mut(depth) {
            level.push(group.clone());
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_whatever_they_are_called() {
        let group = |name: &str, parent: Option<&str>| {
            let group = Group { name: name.into(), parent: parent.map(Into::into), ..Group::default() };
            (name.to_owned(), group)
        };
        let groups = BTreeMap::from([group("a", Some("z")), group("z", None), group("b", Some("a"))]);
        let levels = by_depth(&groups);
        let names: Vec<_> = levels.iter().flatten().map(|group| group.name.as_str()).collect();
        assert_eq!((levels.len(), names), (3, vec!["z", "a", "b"]));
    }
}
