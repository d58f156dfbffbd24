//! The shadows that are there, of both Regions: classic and named, whole documents.
//!
//! A shadow that differs may be on its way, so those that do are looked at again and again for a while. What differs then differs.

use std::time::Duration;

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use replicator::{
    outcome::{Failure, Outcome},
    ports::Shadows,
};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Finding, Name, Paced, Percentiles, Same, Tally, times::Times};
use crate::pool::{Progress, Which, things_of_both};

/// The pause before those that differ are looked at again; it doubles, up to the other.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// What is compared, and how.
#[derive(Debug, Clone)]
pub(crate) struct Comparing {
    pub(crate) which: Which,
    /// Things or shadows that are looked at at once.
    pub(crate) workers: usize,
    /// So long may a shadow differ, from when all were looked at.
    pub(crate) within: Duration,
    /// What was not looked at by then is not known.
    pub(crate) limit: Instant,
}

/// A comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) things: u64,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// Of those in sync: they differed when they were looked at first.
    pub(crate) settled: u64,
    /// What a look at both Regions took.
    pub(crate) look: Option<Percentiles>,
    pub(crate) seconds: f64,
    /// Why nothing is known: the things could not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unlisted: Option<String>,
}

/// Compares. Only what is wrong with gameday itself is an error: what could not be looked at is in the answer.
pub(crate) async fn compare(
    regions: Paced,
    comparing: Comparing,
    progress: Progress,
) -> anyhow::Result<Compared> {
    let began = Instant::now();
    let looks = Times::new()?;
    let listed = match &comparing.which {
        Which::Named(names) => Ok(names.clone()),
        Which::Found(query) => {
            let list = things_of_both(&regions.both, &regions.names, query.as_deref());
            match timeout_at(comparing.limit, list).await {
                Ok(listed) => listed.map_err(|error| format!("{error:#}")),
                Err(_) => Err("the things could not be listed in time".to_owned()),
            }
        }
    };
    let (things, unlisted) = match listed {
        Ok(things) => (things, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let (count, workers) = (things.len() as u64, comparing.workers);
    let sweep = Sweep { regions, looks, limit: comparing.limit, progress, tally: Mutex::default() };
    sweep.progress.begin("things", 0, u32::try_from(count).unwrap_or(u32::MAX));
    let mut differing: Vec<(Name, Finding)> = stream::iter(things)
        .map(|thing| sweep.thing(thing))
        .buffer_unordered(workers)
        .flat_map(stream::iter)
        .collect()
        .await;
    let settled = sweep.settle(&mut differing, &comparing).await;
    let mut tally = std::mem::take(&mut *sweep.tally.lock());
    for (name, finding) in differing {
        tally.count(name, Err(finding));
    }
    tally.sort();
    let look = sweep.looks.percentiles();
    Ok(Compared { things: count, tally, settled, look, seconds: began.elapsed().as_secs_f64(), unlisted })
}

struct Sweep {
    regions: Paced,
    looks: Times,
    limit: Instant,
    progress: Progress,
    /// What is settled: the same, or not known.
    tally: Mutex<Tally>,
}

impl Sweep {
    /// All shadows of a thing; the answer is those that differ.
    async fn thing(&self, thing: String) -> Vec<(Name, Finding)> {
        let names = match self.within(self.names(&thing)).await {
            Ok(names) => names,
            Err(failure) => {
                let name = Name { thing, shadow: String::new() };
                self.tally.lock().count(name, Err(Finding::Error(failure.to_string())));
                return Vec::new();
            }
        };
        let mut differing = Vec::new();
        for name in names {
            match self.look(&name).await {
                None => {}
                Some(Err(finding)) if !matches!(finding, Finding::Error(_)) => {
                    differing.push((name, finding));
                }
                Some(same) => self.tally.lock().count(name, same),
            }
        }
        self.progress.step();
        differing
    }

    /// The classic one, which no list names, and the named ones of both Regions.
    async fn names(&self, thing: &str) -> Outcome<Vec<Name>> {
        let Paced { both, names: pace, .. } = &self.regions;
        let list = async || {
            futures::try_join!(both.primary.named_shadows(thing), both.secondary.named_shadows(thing))
        };
        let (mut named, there) = Box::pin(pace.patient(&both.clock, list)).await?;
        named.extend(there);
        named.push(String::new());
        named.sort();
        named.dedup();
        Ok(named.into_iter().map(|shadow| Name { thing: thing.to_owned(), shadow }).collect())
    }

    /// None: there is no such shadow.
    async fn look(&self, name: &Name) -> Option<Same> {
        let began = Instant::now();
        match self.within(self.regions.look(name)).await {
            Ok(same) => {
                self.looks.add(began.elapsed());
                same
            }
            Err(failure) => Some(Err(Finding::Error(failure.to_string()))),
        }
    }

    async fn within<T>(&self, look: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match timeout_at(self.limit, look).await {
            Ok(looked) => looked,
            Err(_) => Err(Failure::transient("look", "the time was up")),
        }
    }

    /// Looks again at those that differ, until none does or the time is up; the answer is how many came to be the same.
    async fn settle(&self, differing: &mut Vec<(Name, Finding)>, comparing: &Comparing) -> u64 {
        let limit = (Instant::now() + comparing.within).min(self.limit);
        let (mut pause, mut settled) = (PAUSE_MIN, 0);
        while !differing.is_empty() && Instant::now() < limit {
            sleep(pause.min(limit - Instant::now())).await;
            pause = (pause * 2).min(PAUSE_MAX);
            let again: Vec<(Name, Option<Same>)> = stream::iter(std::mem::take(differing))
                .map(async |(name, before)| {
                    // Beyond the limit nothing is begun: what was seen holds.
                    let same =
                        if Instant::now() < self.limit { self.look(&name).await } else { Some(Err(before)) };
                    (name, same)
                })
                .buffer_unordered(comparing.workers)
                .collect()
                .await;
            for (name, same) in again {
                match same {
                    // Deleted in both meanwhile.
                    None => settled += 1,
                    Some(Err(finding)) if !matches!(finding, Finding::Error(_)) => {
                        differing.push((name, finding));
                    }
                    Some(same) => {
                        settled += u64::from(same.is_ok());
                        self.tally.lock().count(name, same);
                    }
                }
            }
        }
        settled
    }
}
