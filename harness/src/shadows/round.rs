//! Shadows that are written in the primary, looked for in the secondary, and deleted again.
//!
//! They are shadows of names without things, so that nothing but shadows is measured. Whatever was begun to be written is deleted in
//! the primary, whoever stops it; the deletion is to arrive as the write was, and where it does not the shadow is deleted in the
//! secondary, too. What is left all the same is named.

use std::{cell::Cell, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use parking_lot::Mutex;
use replicator::{
    compare::shadow as is_same,
    model::Shadow,
    outcome::{Class, Failure, Outcome, Settled},
    ports::Shadows,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Finding, Name, Paced, Percentiles, Tally, times::Times};
use crate::{
    arrival::{Arrival, arrival},
    pool::Progress,
};

/// A write or a deletion, with all its tries, gets this long. How long it waits for its turn does not count.
const CALL_MAX: Duration = Duration::from_secs(30);
/// What could not be deleted is tried once more in the end; that gets this long in all.
const AGAIN_MAX: Duration = Duration::from_mins(2);

/// What is written.
#[derive(Debug, Clone)]
pub(crate) struct Writing {
    /// What tells these shadows from those of other calls.
    pub(crate) id: String,
    pub(crate) count: u32,
    /// The name of each shadow; empty: they are classic ones.
    pub(crate) shadow: String,
    /// Shadows that are under way at once.
    pub(crate) workers: usize,
    /// A write, and then a deletion, has to arrive within this time.
    pub(crate) within: Duration,
    /// No shadow is begun after that.
    pub(crate) limit: Instant,
}

impl Writing {
    /// A shadow, by its number from 1.
    pub(crate) fn name(&self, number: u32) -> Name {
        Name { thing: format!("gameday-shadow-{}-{number:05}", self.id), shadow: self.shadow.clone() }
    }

    fn state(&self, number: u32) -> Value {
        json!({"reported": {"gameday": {"id": self.id, "number": number}, "temperature": 20 + number % 20}})
    }
}

/// What became of them.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    pub(crate) id: String,
    pub(crate) asked: u32,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// Begun and stopped, or not begun at all.
    pub(crate) unfinished: u32,
    /// Of those that had arrived.
    pub(crate) deletions: Deletions,
    /// From the request to its acknowledgement.
    pub(crate) write: Option<Percentiles>,
    /// From the acknowledgement to the end of the look that saw it.
    pub(crate) lag: Option<Percentiles>,
    /// How much earlier each may have been there: from the look before.
    pub(crate) lag_too_long_by_at_most: Option<Percentiles>,
    /// The same of deletions.
    pub(crate) deletion_lag: Option<Percentiles>,
    pub(crate) seconds: f64,
    /// What could not be deleted, and how to do it by hand.
    pub(crate) left: Vec<String>,
}

/// Whether deletions arrived in the secondary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Deletions {
    pub(crate) arrived: u32,
    /// Not in time; the shadow was deleted there, too.
    pub(crate) missing: u32,
    pub(crate) errors: u32,
}

/// The round under way.
#[derive(Debug)]
pub(crate) struct Round {
    regions: Paced,
    writing: Writing,
    stop: CancellationToken,
    progress: Progress,
    tally: Mutex<Tally>,
    deletions: Mutex<Deletions>,
    /// What could not be deleted, and why.
    left: Mutex<Vec<(Name, String)>>,
    write: Times,
    lag: Times,
    too_long: Times,
    deletion: Times,
}

impl Round {
    pub(crate) fn new(
        regions: Paced,
        writing: Writing,
        stop: CancellationToken,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            regions,
            writing,
            stop,
            progress,
            tally: Mutex::default(),
            deletions: Mutex::default(),
            left: Mutex::default(),
            write: Times::new()?,
            lag: Times::new()?,
            too_long: Times::new()?,
            deletion: Times::new()?,
        })
    }

    /// Writes, looks and deletes.
    pub(crate) async fn run(&self) -> Written {
        let (began, count) = (Instant::now(), self.writing.count);
        self.progress.begin("shadows", 0, count);
        stream::iter(1..=count)
            .for_each_concurrent(self.writing.workers, async |number| {
                // Whatever happens to one, the others are deleted.
                if AssertUnwindSafe(self.one(number)).catch_unwind().await.is_err() {
                    self.left.lock().push((self.writing.name(number), "gameday panicked".to_owned()));
                }
                if !self.stop.is_cancelled() {
                    self.progress.step();
                }
            })
            .await;
        let mut tally = std::mem::take(&mut *self.tally.lock());
        tally.sort();
        let left = self.once_more().await;
        let compared = u32::try_from(tally.compared).unwrap_or(u32::MAX);
        Written {
            id: self.writing.id.clone(),
            asked: count,
            unfinished: count.saturating_sub(compared),
            tally,
            deletions: *self.deletions.lock(),
            write: self.write.percentiles(),
            lag: self.lag.percentiles(),
            lag_too_long_by_at_most: self.too_long.percentiles(),
            deletion_lag: self.deletion.percentiles(),
            seconds: began.elapsed().as_secs_f64(),
            left,
        }
    }

    /// Deletes what a round with these names has left that was killed, until somebody stops it; the answer is what is left of what was
    /// begun with.
    pub(crate) async fn undo(&self) -> Vec<String> {
        let count = self.writing.count;
        self.progress.begin("deleted", 0, count);
        stream::iter(1..=count)
            .for_each_concurrent(self.writing.workers, async |number| {
                if !self.stop.is_cancelled() {
                    self.delete(&self.writing.name(number), false).await;
                    self.progress.step();
                }
            })
            .await;
        self.once_more().await
    }

    /// Deletes in both Regions what could not be; the answer is what is left, each with what to do by hand.
    async fn once_more(&self) -> Vec<String> {
        let left = std::mem::take(&mut *self.left.lock());
        let limit = Instant::now() + AGAIN_MAX;
        let again = stream::iter(left).map(async |(name, before)| {
            let both = async {
                // A Region that does not answer keeps nothing in the other.
                let here = self.delete_in(0, &name).await;
                self.delete_in(1, &name).await.and(here)
            };
            match timeout_at(limit, both).await {
                Ok(Ok(())) => None,
                Ok(Err(failure)) => Some(self.by_hand(&name, &failure.to_string())),
                Err(_) => Some(self.by_hand(&name, &before)),
            }
        });
        again.buffered(self.writing.workers).filter_map(async |left| left).collect().await
    }

    async fn one(&self, number: u32) {
        if self.stop.is_cancelled() || Instant::now() >= self.writing.limit {
            return;
        }
        let (name, state) = (self.writing.name(number), self.writing.state(number));
        let began = Instant::now();
        let written = self.write(&name, &state).await;
        let same = match written {
            Ok(()) => {
                self.write.add(began.elapsed());
                self.arrives(&name, &state).await
            }
            Err(failure) => Some(Err(Finding::Error(format!("not written: {failure}")))),
        };
        let has_arrived = matches!(same, Some(Ok(()) | Err(Finding::Mismatched)));
        if let Some(same) = same {
            self.tally.lock().count(name.clone(), same);
        }
        self.delete(&name, has_arrived).await;
    }

    async fn write(&self, name: &Name, state: &Value) -> Outcome<()> {
        let region = &self.regions.both.primary;
        self.call(0, async || region.update_shadow(&name.thing, &name.shadow, state, None).await)
            .await
            .map(drop)
    }

    /// Waits for a shadow in the secondary; none: somebody stopped it.
    async fn arrives(&self, name: &Name, state: &Value) -> Option<super::Same> {
        let since = Instant::now();
        let wanted = Shadow { state: state.clone(), ..Shadow::default() };
        let look = async || {
            Ok(match self.there(name).await? {
                None => Some(Finding::Missing),
                Some(found) => (!is_same(&wanted, &found)).then_some(Finding::Mismatched),
            })
        };
        Some(match arrival(since, since + self.writing.within, &self.stop, look).await {
            Arrival::There { after, earlier_at_most } => {
                self.lag.add(after);
                self.too_long.add(earlier_at_most);
                Ok(())
            }
            Arrival::NotInTime(finding) => Err(finding),
            Arrival::Unknown(why) => Err(Finding::Error(why)),
            Arrival::Stopped => return None,
        })
    }

    async fn there(&self, name: &Name) -> Outcome<Option<Shadow>> {
        let (region, pace) = self.regions.sides()[1];
        let look = async || region.shadow(&name.thing, &name.shadow).await;
        pace.patient(&self.regions.both.clock, look).await
    }

    /// Deletes a shadow in the primary. One that had arrived has to go from the secondary by that, in time.
    async fn delete(&self, name: &Name, has_arrived: bool) {
        if let Err(failure) = self.delete_in(0, name).await {
            self.left.lock().push((name.clone(), failure.to_string()));
            return;
        }
        if has_arrived && self.deletion_arrives(name).await {
            return;
        }
        // It may not be there yet: then the deletion comes after it, on the same way.
        if let Err(failure) = self.delete_in(1, name).await {
            self.left.lock().push((name.clone(), failure.to_string()));
        }
    }

    async fn deletion_arrives(&self, name: &Name) -> bool {
        let since = Instant::now();
        let look = async || Ok(self.there(name).await?.map(drop));
        let arrived = arrival(since, since + self.writing.within, &self.stop, look).await;
        let mut deletions = self.deletions.lock();
        match arrived {
            Arrival::There { after, .. } => {
                deletions.arrived += 1;
                self.deletion.add(after);
                true
            }
            Arrival::NotInTime(()) => {
                deletions.missing += 1;
                false
            }
            Arrival::Unknown(_) => {
                deletions.errors += 1;
                false
            }
            // Whether it arrives nobody waits for any more: it is deleted there, too.
            Arrival::Stopped => false,
        }
    }

    async fn delete_in(&self, side: usize, name: &Name) -> Outcome<()> {
        let (region, _) = self.regions.sides()[side];
        let delete = async || region.delete_shadow(&name.thing, &name.shadow).await;
        self.call(side, delete).await.settled(Class::NotFound).map(drop)
    }

    /// Calls a Region at its pace, until it is done or its time is up.
    async fn call<T>(&self, side: usize, call: impl AsyncFn() -> Outcome<T>) -> Outcome<T> {
        let (_, pace) = self.regions.sides()[side];
        let left = Cell::new(CALL_MAX);
        let call = async || {
            let began = Instant::now();
            let done = timeout(left.get(), call()).await;
            left.set(left.get().saturating_sub(began.elapsed()));
            let late = || Failure::permanent("shadow", format!("no answer in {} s", CALL_MAX.as_secs()));
            done.unwrap_or_else(|_| Err(late()))
        };
        pace.patient(&self.regions.both.clock, call).await
    }

    fn by_hand(&self, name: &Name, why: &str) -> String {
        let delete = self.regions.sides().map(|(region, _)| {
            let shadow = if name.shadow.is_empty() {
                String::new()
            } else {
                // A name may have a $ in it.
                format!(" --shadow-name '{}'", name.shadow)
            };
            format!(
                "aws iot-data delete-thing-shadow --region {} --thing-name {}{shadow}",
                region.name(),
                name.thing
            )
        });
        format!("{name}: {why}\n      by hand: {}", delete.join("; "))
    }
}

#[cfg(test)]
mod tests;
