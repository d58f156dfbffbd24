//! One item: looked at once, then changed, however often that has to be tried.
//!
//! What a change of several calls has done by half is its own work, not somebody's change: it is looked at
//! before the first call and never between two tries, and each call may be made again. Where AWS compares
//! versions, a change names the one that was looked at.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Course, Ending};
use crate::failback::journal::Cut;
use crate::failback::{Action, Found, Item, ties};
use crate::look::Regions;
use crate::outcome::{Class, Failure, Outcome};
use crate::ports::{Clock, Region};

fn changed_in(which: &str) -> String {
    format!("it changed in the {which} since the plan was made")
}

pub(super) struct Work<'a, P, S, C> {
    pub(super) regions: &'a Regions<'a, P, S, C>,
    pub(super) item: &'a Item,
    pub(super) course: &'a Course<'a>,
    /// What its tries have cut so far, and those of a run that was ended.
    pub(super) cut: Mutex<Cut>,
}

/// What a look before the change has found.
pub(super) enum Look {
    /// There is nothing to do, or it must not be done.
    Ended(Ending),
    /// It is as the plan saw it, at that version.
    Fit(Option<u64>),
}

impl<'a, P: Region, S: Region, C: Clock> Work<'a, P, S, C> {
    pub(super) fn new(regions: &'a Regions<'a, P, S, C>, item: &'a Item, course: &'a Course<'a>) -> Self {
        let cut = course.journal.cut(&item.subject).unwrap_or_default();
        Self { regions, item, course, cut: Mutex::new(cut) }
    }

    pub(super) async fn carry_out(&self, action: &Action) -> Ending {
        let version = match self.patient(async || self.look(action).await).await {
            Ok(Look::Fit(version)) => version,
            Ok(Look::Ended(ending)) => return self.given_back(ending).await,
            Err(failure) => return self.given_back(Ending::Failed(failure.to_string())).await,
        };
        let tried = AtomicBool::new(false);
        let ended = self.patient(async || {
            // The answer to the try before may have been lost, and not its effect.
            if tried.swap(true, Ordering::Relaxed) && self.is_done(action).await? {
                return Ok(Ending::Done);
            }
            match self.change(action, version).await {
                Ok(()) => Ok(Ending::Done),
                Err(failure) if matches!(failure.class, Class::Conflict | Class::Exists) => {
                    self.refused(action, failure).await
                }
                Err(failure) => Err(failure),
            }
        });
        let ending = match ended.await {
            Ok(ending) => ending,
            Err(failure) if action.has_steps() => Ending::Failed(format!(
                "{failure}; what was begun is finished by the same plan, carried out again"
            )),
            Err(failure) => Ending::Failed(failure.to_string()),
        };
        self.given_back(ending).await
    }

    pub(super) async fn patient<T>(&self, work: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        self.course.pace.patient(self.regions.clock, work).await
    }

    pub(super) async fn look(&self, action: &Action) -> Outcome<Look> {
        if self.is_done(action).await? {
            return Ok(Look::Ended(Ending::Already));
        }
        let seen = self.seen().await?;
        let why = match self.changed(action, &seen.found).await? {
            Some(why) => Some(why),
            None if self.is_in_use_again(action).await? => Some(changed_in("primary")),
            None => self.obstacle(action).await?,
        };
        Ok(why.map_or(Look::Fit(seen.version), |why| Look::Ended(Ending::Refused(why))))
    }

    /// A call was refused because of what is there. An SDK repeats calls by itself: what refuses the
    /// second may be the first.
    pub(super) async fn refused(&self, action: &Action, failure: Failure) -> Outcome<Ending> {
        if self.is_done(action).await? {
            return Ok(Ending::Done);
        }
        let found = self.seen().await?.found;
        self.changed(action, &found).await?.map(Ending::Refused).ok_or(failure)
    }

    /// Where it is not as the plan saw it.
    async fn changed(&self, action: &Action, found: &Found) -> Outcome<Option<String>> {
        let planned = &self.item.found;
        let ties =
            if action.cuts() { ties::of(self.regions, &self.item.subject).await? } else { BTreeSet::new() };
        let which = if !ties.is_subset(&planned.ties)
            || found.primary != planned.primary && !self.is_begun(action).await?
        {
            "primary"
        } else if found.secondary != planned.secondary {
            "secondary"
        } else {
            return Ok(None);
        };
        Ok(Some(changed_in(which)))
    }

    pub(super) fn certificate(&self, id: &str) -> String {
        self.regions.names.certificate_arn(&self.regions.names.primary, id)
    }

    pub(super) fn group(&self, name: &str) -> String {
        self.regions.names.group_arn(&self.regions.names.primary, name)
    }

    pub(super) fn unfit(&self) -> Failure {
        Failure::permanent("apply plan", format!("the action does not fit {}", self.item.subject))
    }
}
