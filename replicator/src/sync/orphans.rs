//! What the secondary has and the primary has not.
//!
//! Nothing is taken to be gone from the primary because a list did not have it: each is asked for by
//! its name. What was applied last is read in between two looks: it ends what is known to be gone after
//! it, and never what was made, and brought, after the first look.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::by_depth;
use super::report::{Kind, Tally};
use super::walk::{Flow, GROUPS_MAX, Walk};
use super::{Sent, Sink, events};
use crate::document::{Document, Key, Seen};
use crate::event::{Event, What};
use crate::look::stays;
use crate::model::{DescribedThing, Group, ThingType};
use crate::order::LifeMark;
use crate::outcome::{Failure, Outcome};
use crate::ports::{Clock, Region, Row};
use crate::tables;

/// Groups that could not go yet, and why.
type Refused = BTreeMap<String, (Group, Failure)>;

impl<P: Region, S: Region, C: Clock, K: Sink> Walk<'_, P, S, C, K> {
    pub(super) async fn orphan_things(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.secondary.things(None, from).await;
        let each = async |there: DescribedThing| {
            let name = &there.thing.name;
            self.item(Kind::Thing, name, async || self.orphan_thing(name).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn orphan_thing(&self, name: &str) -> Outcome<Tally> {
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        if self.regions.primary.thing(name).await?.is_some() {
            return Ok(tally);
        }
        let mark = match self.sink.remembered(&tables::thing_key(name)).await? {
            Some(Row::Thing(row)) => row.mark,
            _ => None,
        };
        if self.regions.primary.thing(name).await?.is_some() {
            return Ok(tally);
        }
        // Shadows do not go with their thing: each has its own end.
        for shadow in self.shadows_there(name).await? {
            if self.regions.primary.shadow(name, &shadow).await?.is_none() {
                self.shadow_only_there(&mut tally, name, &shadow, looked_ms).await?;
            }
        }
        let event = events::thing_gone(name, mark.as_ref(), looked_ms);
        self.end(&mut tally, Kind::Thing, name, lives(mark.as_ref()), &event).await?;
        Ok(tally)
    }

    async fn shadows_there(&self, thing: &str) -> Outcome<Vec<String>> {
        let mut names = self.regions.secondary.named_shadows(thing).await?;
        if self.regions.secondary.shadow(thing, "").await?.is_some() {
            names.push(String::new());
        }
        Ok(names)
    }

    /// Shadows of no thing: no Region lists them, so only what is remembered can be looked up.
    pub(super) async fn orphan_shadows(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.sink.shadows(from).await;
        let each = async |(thing, name): (String, String)| {
            self.item(Kind::Shadow, &thing, async || self.orphan_shadow(&thing, &name).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn orphan_shadow(&self, thing: &str, name: &str) -> Outcome<Tally> {
        let mut tally = Tally::default();
        let (here, there) =
            futures::join!(self.regions.primary.thing(thing), self.regions.secondary.thing(thing));
        // Those of things were walked with them.
        if here?.is_none() && there?.is_none() {
            self.shadow(&mut tally, thing, name).await?;
        }
        Ok(tally)
    }

    pub(super) async fn orphan_certificates(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.secondary.certificates(from).await;
        let each = async |id: String| {
            self.item(Kind::Certificate, &id, async || self.orphan_certificate(&id).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn orphan_certificate(&self, id: &str) -> Outcome<Tally> {
        let (mut tally, looked_ms, names) = (Tally::default(), self.now_ms(), &self.regions.names);
        if self.regions.primary.certificate(id).await?.is_some() {
            return Ok(tally);
        }
        let arn = names.certificate_arn(&names.secondary, id);
        if stays(&self.regions.secondary.attached_policies(&arn).await?) {
            return Ok(tally);
        }
        let replicated = match self.sink.remembered(&tables::certificate_key(id)).await? {
            Some(Row::Certificate(row)) => !row.deleted,
            _ => false,
        };
        let event = seen(Key::Certificate(id.to_owned()), Seen::Certificate(None), looked_ms);
        self.end(&mut tally, Kind::Certificate, id, replicated, &event).await?;
        Ok(tally)
    }

    pub(super) async fn orphan_policies(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.secondary.policies(from).await;
        let each = async |name: String| {
            self.item(Kind::Policy, &name, async || self.orphan_policy(&name).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn orphan_policy(&self, name: &str) -> Outcome<Tally> {
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        if self.regions.primary.policy(name).await?.is_some() {
            return Ok(tally);
        }
        let replicated = match self.sink.remembered(&tables::policy_key(name)).await? {
            Some(Row::Policy(row)) => !row.deleted,
            _ => false,
        };
        let event = seen(Key::Policy(name.to_owned()), Seen::Policy(None), looked_ms);
        self.end(&mut tally, Kind::Policy, name, replicated, &event).await?;
        Ok(tally)
    }

    /// Groups, within a page children first: a group that has one under it cannot go. One whose child is on a later
    /// page is refused, and tried again after the last one.
    pub(super) async fn orphan_groups(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let refused = Mutex::default();
        let mut flow = self.orphan_pages(from, save, &refused).await;
        if matches!(flow, Ok(Flow::Done)) {
            let again = {
                let refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.iter().map(|(name, (there, _))| (name.clone(), there.clone())).collect()
            };
            flow = Ok(self.orphan_levels(&again, &refused).await);
        }
        // No later run of this walk comes to their pages again.
        for (name, (_, failure)) in refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.failed(Kind::Group, &name, &failure);
        }
        flow
    }

    async fn orphan_pages(
        &self,
        mut from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
        refused: &Mutex<Refused>,
    ) -> Outcome<Flow> {
        let (primary, secondary) = (self.regions.primary, self.regions.secondary);
        loop {
            if self.is_late() {
                return Ok(Flow::Late);
            }
            let page = self.patient(async || secondary.groups(from.as_deref()).await).await?;
            let gone = Mutex::new(BTreeMap::new());
            let look = async |name: &str| {
                if primary.group(name).await?.is_none()
                    && let Some(there) = secondary.group(name).await?
                {
                    gone.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), there);
                }
                Ok(Tally::default())
            };
            let find = async |name: String| self.item(Kind::Group, &name, async || look(&name).await).await;
            if self.all(page.items, &find).await == Flow::Late {
                return Ok(Flow::Late);
            }
            let gone = gone.into_inner().unwrap_or_else(PoisonError::into_inner);
            if self.orphan_levels(&gone, refused).await == Flow::Late {
                return Ok(Flow::Late);
            }
            let Some(next) = page.next else { return Ok(Flow::Done) };
            from = Some(next);
            save(from.clone()).await?;
        }
    }

    /// Ends groups, the lowest first. Those that are refused are put aside; their rows go with the next repair.
    async fn orphan_levels(&self, gone: &BTreeMap<String, Group>, refused: &Mutex<Refused>) -> Flow {
        for level in by_depth(gone).into_iter().rev() {
            let each = async |there: Group| {
                let work = async || self.orphan_group(&there, refused).await;
                self.item(Kind::Group, &there.name, work).await;
            };
            if self.all(level, &each).await == Flow::Late {
                return Flow::Late;
            }
        }
        Flow::Done
    }

    async fn orphan_group(&self, there: &Group, refused: &Mutex<Refused>) -> Outcome<Tally> {
        let name = &there.name;
        refused.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        let mark = match self.sink.remembered(&tables::group_key(name)).await? {
            Some(Row::Group(row)) => row.mark,
            _ => None,
        };
        if self.regions.primary.group(name).await?.is_some() {
            return Ok(tally);
        }
        let event = events::group_gone(name, mark.as_ref(), looked_ms);
        self.end(&mut tally, Kind::Group, name, lives(mark.as_ref()), &event).await?;
        let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < GROUPS_MAX
            && let Some(failure) = tally.take_failure()
        {
            refused.insert(name.clone(), (there.clone(), failure));
        }
        Ok(tally)
    }

    pub(super) async fn orphan_types(
        &self,
        from: Option<String>,
        save: &impl AsyncFn(Option<String>) -> Outcome<()>,
    ) -> Outcome<Flow> {
        let list = async |from: Option<&str>| self.regions.secondary.thing_types(from).await;
        let each = async |there: ThingType| {
            self.item(Kind::Type, &there.name, async || self.orphan_type(&there.name).await).await;
        };
        self.pages(from, list, each, save).await
    }

    async fn orphan_type(&self, name: &str) -> Outcome<Tally> {
        let (mut tally, looked_ms) = (Tally::default(), self.now_ms());
        if self.regions.primary.thing_type(name).await?.is_some() {
            return Ok(tally);
        }
        let mark = match self.sink.remembered(&tables::type_key(name)).await? {
            Some(Row::Type(row)) => row.mark,
            _ => None,
        };
        if self.regions.primary.thing_type(name).await?.is_some() {
            return Ok(tally);
        }
        let event = events::thing_type_gone(name, mark.as_ref(), looked_ms);
        self.end(&mut tally, Kind::Type, name, lives(mark.as_ref()), &event).await?;
        Ok(tally)
    }

    /// Says that something is only in the secondary, or sends its end.
    async fn end(
        &self,
        tally: &mut Tally,
        kind: Kind,
        name: &str,
        replicated: bool,
        event: &Event,
    ) -> Outcome<()> {
        if self.removes(replicated) {
            return self.remove(tally, kind, name, event).await;
        }
        let why = if replicated { "the primary had it once" } else { "it was made there" };
        tally.orphan(kind, name, why);
        Ok(())
    }

    /// Sends an end and counts it.
    pub(super) async fn remove(
        &self,
        tally: &mut Tally,
        kind: Kind,
        name: &str,
        event: &Event,
    ) -> Outcome<()> {
        match self.sink.send(event).await? {
            Sent::Changed | Sent::Unchanged => tally.removed(kind),
            Sent::Undone(failure) => tally.failed(kind, name, failure),
        }
        Ok(())
    }
}

fn seen(key: Key, seen: Seen, looked_ms: u64) -> Event {
    Event { what: What::Document(Document { key, looked_ms, seen }), again: true }
}

fn lives(mark: Option<&LifeMark>) -> bool {
    mark.is_some_and(|mark| !mark.deleted)
}
