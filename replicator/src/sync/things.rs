//! A thing with everything of it: itself, its certificates, its groups, its shadows.

use std::collections::BTreeSet;

use super::report::{Counts, Kind, Tally};
use super::walk::{Flow, Walk};
use super::{Mode, Orphans, Sink, events};
use crate::compare::{self, Difference};
use crate::document::Key;
use crate::model::{DescribedThing, Incarnation};
use crate::order::MembershipMark;
use crate::outcome::Outcome;
use crate::ports::{Clock, Memberships, Region, Row};
use crate::rules::is_own;
use crate::tables;

impl<P: Region, S: Region, C: Clock, K: Sink> Walk<'_, P, S, C, K> {
    pub(super) async fn things(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let query = self.options.query.as_deref();
        let list = async |from: Option<&str>| self.regions.primary.things(query, from).await;
        let each = async |listed: DescribedThing| {
            self.item(Kind::Thing, &listed.thing.name, async || self.whole_thing(&listed).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn whole_thing(&self, listed: &DescribedThing) -> Outcome<Tally> {
        let (mut tally, name) = (Tally::default(), listed.thing.name.as_str());
        if !self.thing(&mut tally, listed).await? {
            return Ok(tally);
        }
        if self.options.identities {
            self.identity(&mut tally, name).await?;
        }
        self.memberships(&mut tally, name).await?;
        self.shadows(&mut tally, name).await?;
        let existing = tally.is_existing();
        tally.count(Kind::Thing, if existing { Counts::EXISTING } else { Counts::SYNCED });
        Ok(tally)
    }

    /// Sends the thing if it differs, and says whether it is there at all. It is counted as a whole.
    async fn thing(&self, tally: &mut Tally, listed: &DescribedThing) -> Outcome<bool> {
        let (name, looked_ms) = (listed.thing.name.as_str(), self.now_ms());
        let there = if self.sends_all() { None } else { self.regions.secondary.thing(name).await? };
        let there = there.map(|there| there.thing);
        // The index that answers a query may be behind; the list of all things is not.
        let same = self.options.query.is_none() && compare::thing(&listed.thing, there.as_ref()).is_empty();
        if same {
            return Ok(true);
        }
        let Some(here) = self.regions.primary.thing(name).await? else { return Ok(false) };
        if compare::thing(&here.thing, there.as_ref()).is_empty() {
            return Ok(true);
        }
        match self.sink.send(&events::thing(&here, looked_ms)?).await? {
            super::Sent::Undone(failure) => tally.failed(Kind::Thing, name, failure),
            super::Sent::Unchanged => {}
            super::Sent::Changed => tally.sent(),
        }
        Ok(true)
    }

    async fn identity(&self, tally: &mut Tally, name: &str) -> Outcome<()> {
        let looked_ms = self.now_ms();
        if !self.sends_all() {
            let found = self.regions.compare_identity(name).await?.differences;
            if !self.send_policies(tally, &found).await? {
                tally.count(Kind::Identity, Counts::EXISTING);
                return Ok(());
            }
        }
        let seen = self.regions.primary_identity(name).await?;
        self.send_seen(tally, Kind::Identity, Key::Identity(name.to_owned()), seen, looked_ms).await
    }

    async fn memberships(&self, tally: &mut Tally, name: &str) -> Outcome<()> {
        let looked_ms = self.now_ms();
        if self.sends_all() {
            for group in self.regions.primary.thing_groups(name).await? {
                self.add(tally, name, &group, looked_ms).await?;
            }
            return Ok(());
        }
        let differences = self.regions.compare_groups(name).await?;
        if differences.is_empty() {
            tally.count(Kind::Membership, Counts::EXISTING);
        }
        let (mut missing, mut over) = (BTreeSet::new(), BTreeSet::new());
        for difference in differences {
            match difference {
                Difference::NotInGroup(group) => _ = missing.insert(group),
                Difference::InGroupOnlyThere(group) => _ = over.insert(group),
                _ => {}
            }
        }
        if self.options.mode == Mode::Repair {
            let row = self.known_memberships(name).await?;
            for group in &over {
                self.take_out(tally, name, group, row.groups.get(group), looked_ms).await?;
            }
            let is_seen = |group: &str| missing.contains(group) || over.contains(group);
            let waiting: Vec<_> = row.pending.iter().filter(|(group, _)| !is_seen(group)).collect();
            self.waiting(tally, name, &waiting, looked_ms).await?;
        }
        for group in missing {
            self.add(tally, name, &group, looked_ms).await?;
        }
        Ok(())
    }

    async fn known_memberships(&self, thing: &str) -> Outcome<Memberships> {
        Ok(match self.sink.remembered(&tables::memberships_key(thing)).await? {
            Some(Row::Memberships(row)) => row,
            _ => Memberships::default(),
        })
    }

    /// Additions that wait in an error row, though both Regions agree by now. The repair would do them, however
    /// late; and one that waits for a group which was made again would wait for ever.
    async fn waiting(
        &self,
        tally: &mut Tally,
        thing: &str,
        waiting: &[(&String, &MembershipMark)],
        looked_ms: u64,
    ) -> Outcome<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        // What was refused last may be newer than the first look.
        let now = self.regions.primary.thing_groups(thing).await?;
        for &(group, mark) in waiting {
            if now.contains(group) {
                // The walk may have begun before the group was made again.
                let life = self.regions.primary.group_incarnation(group).await?;
                self.add_to(tally, thing, group, life, looked_ms).await?;
            } else if self.removes(true) {
                // It is sent, and takes nothing from the secondary.
                let event = events::no_member(thing, group, Some(mark), looked_ms);
                self.send(tally, Kind::Membership, thing, &event).await?;
            }
        }
        Ok(())
    }

    async fn add(&self, tally: &mut Tally, thing: &str, group: &str, looked_ms: u64) -> Outcome<()> {
        let life = if is_own(group) { None } else { self.group_incarnation(group).await? };
        self.add_to(tally, thing, group, life, looked_ms).await
    }

    async fn add_to(
        &self,
        tally: &mut Tally,
        thing: &str,
        group: &str,
        life: Option<Incarnation>,
        looked_ms: u64,
    ) -> Outcome<()> {
        // Gone in the meantime, or found by a query: not replicated.
        let Some(life) = life else { return Ok(()) };
        let Some(here) = self.regions.primary.thing(thing).await? else { return Ok(()) };
        let event = events::member(thing, here.thing_id.unwrap_or_default(), group, life.id, looked_ms);
        self.send(tally, Kind::Membership, thing, &event).await
    }

    /// A membership that only the secondary has: what the replicator brought, the primary has ended. `mark` is the
    /// newest event that was applied.
    async fn take_out(
        &self,
        tally: &mut Tally,
        thing: &str,
        group: &str,
        mark: Option<&MembershipMark>,
        looked_ms: u64,
    ) -> Outcome<()> {
        let replicated = mark.is_some_and(|mark| !mark.life.deleted);
        if !self.removes(replicated) {
            tally.orphan(Kind::Membership, thing, &format!("in group {group}"));
            return Ok(());
        }
        // What was applied last may be newer than the first look.
        if self.regions.primary.thing_groups(thing).await?.iter().any(|now| now == group) {
            return Ok(());
        }
        let event = events::no_member(thing, group, mark, looked_ms);
        self.remove(tally, Kind::Membership, thing, &event).await
    }

    async fn shadows(&self, tally: &mut Tally, thing: &str) -> Outcome<()> {
        let mut names = self.regions.primary.named_shadows(thing).await?;
        names.push(String::new());
        for name in &names {
            self.shadow(tally, thing, name).await?;
        }
        if self.options.mode == Mode::Repair {
            for name in self.regions.secondary.named_shadows(thing).await? {
                if !names.contains(&name) {
                    self.shadow(tally, thing, &name).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn shadow(&self, tally: &mut Tally, thing: &str, name: &str) -> Outcome<()> {
        let looked_ms = self.now_ms();
        let (here, there) = if self.sends_all() {
            (self.regions.primary.shadow(thing, name).await?, None)
        } else {
            let (primary, secondary) = (self.regions.primary, self.regions.secondary);
            let (here, there) = futures::join!(primary.shadow(thing, name), secondary.shadow(thing, name));
            (here?, there?)
        };
        match (here, there) {
            (Some(here), Some(there)) if compare::shadow(&here, &there) => {
                tally.count(Kind::Shadow, Counts::EXISTING);
                Ok(())
            }
            (Some(here), _) => {
                let event = events::shadow(thing, name, here, looked_ms);
                self.send(tally, Kind::Shadow, thing, &event).await
            }
            (None, Some(_)) if self.options.mode == Mode::Repair => {
                self.shadow_only_there(tally, thing, name, looked_ms).await
            }
            (None, _) => Ok(()),
        }
    }

    pub(super) async fn shadow_only_there(
        &self,
        tally: &mut Tally,
        thing: &str,
        name: &str,
        looked_ms: u64,
    ) -> Outcome<()> {
        let mark = match self.sink.remembered(&tables::shadow_key(thing, name)).await? {
            Some(Row::Shadow(row)) => row.mark,
            _ => None,
        };
        if !self.removes(mark.is_some_and(|mark| !mark.deleted)) {
            tally.orphan(Kind::Shadow, thing, &format!("shadow {name:?}"));
            return Ok(());
        }
        // What was applied last may be newer than the first look.
        if self.regions.primary.shadow(thing, name).await?.is_some() {
            return Ok(());
        }
        self.remove(tally, Kind::Shadow, thing, &events::shadow_gone(thing, name, mark, looked_ms)).await
    }

    /// Whether something that is only in the secondary goes; `replicated`: the replicator brought it.
    pub(super) fn removes(&self, replicated: bool) -> bool {
        match self.options.orphans {
            Orphans::Say => false,
            Orphans::RemoveReplicated => replicated,
            Orphans::Remove => true,
        }
    }
}
