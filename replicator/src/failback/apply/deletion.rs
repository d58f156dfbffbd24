//! Deletes things and certificates, which have to lose what is tied to them first.
//!
//! Nothing of that compares a version. So what was cut is remembered across all tries, and beyond the end of the
//! process ([`Journal`](crate::failback::Journal)), and given back unless the deletion comes to its end; and what
//! the plan did not see is not cut.

use std::sync::{MutexGuard, PoisonError};

use super::Ending;
use super::work::Work;
use crate::compare::short;
use crate::failback::Tie;
use crate::failback::journal::{Cut, CutTie};
use crate::model::Status;
use crate::outcome::{Class, Failure, Outcome, Settled};
use crate::patience::patiently;
use crate::policy::certificate_id;
use crate::ports::{Clock, Region};

impl<P: Region, S: Region, C: Clock> Work<'_, P, S, C> {
    pub(super) fn cut(&self) -> MutexGuard<'_, Cut> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what is cut now.
    fn keep(&self) -> Outcome<()> {
        self.course.journal.keep(&self.item.subject, &self.cut())
    }

    pub(super) async fn delete_certificate(&self, id: &str) -> Outcome<()> {
        let (primary, arn) = (self.regions.primary, self.certificate(id));
        let things = primary.principal_things(&arn).await?;
        self.only_known(things.iter().cloned().map(Tie::Thing))?;
        let status = primary.certificate(id).await?.map_or(Status::Inactive, |there| there.status);
        if status != Status::Inactive {
            self.cut().status.get_or_insert((id.to_owned(), status));
            self.keep()?;
            // Inactive first: nobody connects with it from here on.
            primary.set_status(id, Status::Inactive).await?;
        }
        for thing in things {
            self.detach(&thing, &arn).await?;
        }
        // Detaching is asynchronous: right after it the thing may still count.
        patiently(self.regions.clock, Class::Conflict, || primary.delete_certificate(id)).await
    }

    pub(super) async fn delete_thing(&self, name: &str, version: Option<u64>) -> Outcome<()> {
        let primary = self.regions.primary;
        let principals = primary.thing_principals(name).await?;
        self.only_known(principals.iter().cloned().map(Tie::Principal))?;
        for principal in principals {
            self.detach(name, &principal).await?;
        }
        patiently(self.regions.clock, Class::Conflict, || primary.delete_thing(name, version)).await
    }

    /// Refuses to cut what the plan did not see.
    fn only_known(&self, mut ties: impl Iterator<Item = Tie>) -> Outcome<()> {
        match ties.find(|tie| !self.item.found.ties.contains(tie)) {
            Some(tie) => Err(Failure::new(Class::Conflict, "delete", format!("{tie} was tied to it"))),
            None => Ok(()),
        }
    }

    async fn detach(&self, thing: &str, principal: &str) -> Outcome<()> {
        let primary = self.regions.primary;
        let thing_id = primary.thing(thing).await?.and_then(|there| there.thing_id);
        let (name, principal_arn) = (thing.to_owned(), principal.to_owned());
        // Before the call: its answer may be lost, and not its effect.
        self.cut().ties.insert(CutTie { thing: name, thing_id, principal: principal_arn });
        self.keep()?;
        primary.detach_principal(thing, principal).await.settled(Class::NotFound).map(drop)
    }

    /// Gives back what a deletion cut that did not come to its end, and says so.
    pub(super) async fn given_back(&self, ending: Ending) -> Ending {
        let why = match &ending {
            Ending::Refused(why) | Ending::Failed(why) => why.clone(),
            Ending::Done | Ending::Already => {
                *self.cut() = Cut::default();
                // What cannot be taken from the journal is found done by whoever reads it.
                self.keep().ok();
                return ending;
            }
        };
        if let Err(failure) = self.give_back().await {
            // The journal keeps it.
            let Cut { ties, status } = std::mem::take(&mut *self.cut());
            let mut lost: Vec<_> = ties.iter().map(lost).collect();
            lost.extend(status.map(|(id, status)| format!("certificate {} is not {status:?}", short(&id))));
            return Ending::Failed(format!("{why}; not given back: {}: {failure}", lost.join(", ")));
        }
        ending
    }

    /// Gives back one after the other, the status last. What is left could not be.
    pub(super) async fn give_back(&self) -> Outcome<()> {
        let primary = self.regions.primary;
        loop {
            let Some(CutTie { thing, thing_id, principal }) = self.cut().ties.first().cloned() else { break };
            // What is gone by now, or is another one, has nothing to be given.
            let attach = async || match primary.thing(&thing).await? {
                Some(there) if there.thing_id == thing_id => {
                    primary.attach_principal(&thing, &principal).await.settled(Class::NotFound).map(drop)
                }
                _ => Ok(()),
            };
            self.patient(attach).await?;
            self.cut().ties.pop_first();
            self.keep()?;
        }
        let Some((id, status)) = self.cut().status.clone() else { return Ok(()) };
        self.patient(async || {
            // Unless somebody has set another one meanwhile.
            match primary.certificate(&id).await? {
                Some(there) if there.status == Status::Inactive => {
                    primary.set_status(&id, status).await.settled(Class::NotFound).map(drop)
                }
                _ => Ok(()),
            }
        })
        .await?;
        self.cut().status = None;
        self.keep()
    }
}

fn lost(CutTie { thing, principal, .. }: &CutTie) -> String {
    match certificate_id(principal) {
        Some(id) => format!("thing {thing}, certificate {}", short(id)),
        None => format!("thing {thing}, principal {principal}"),
    }
}
