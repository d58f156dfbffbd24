//! Carries a plan out, item by item, against the primary.

mod change;
mod deletion;
mod look;
mod work;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use self::work::Work;
use super::{Action, Item, Journal, Plan, Subject};
use crate::look::Regions;
use crate::outcome::{Failure, Outcome};
use crate::pace::Pace;
use crate::ports::{Clock, Region};

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "ending", content = "why")]
pub enum Ending {
    /// The primary was changed.
    Done,
    /// The primary had it already.
    Already,
    /// It is not as the plan saw it, and is left as it is: another plan is needed.
    Refused(String),
    /// It did not work.
    Failed(String),
}

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Each item with an action, in the plan's order.
    pub endings: Vec<(Subject, Ending)>,
    /// How many items were not begun, as it was to end.
    pub left: usize,
}

impl Applied {
    /// Whether all of it was done.
    pub fn is_clean(&self) -> bool {
        self.left == 0
            && self.endings.iter().all(|(_, ending)| matches!(ending, Ending::Done | Ending::Already))
    }

    /// How many ended in each way: done, already, refused, failed.
    pub fn totals(&self) -> [usize; 4] {
        let mut totals = [0; 4];
        for (_, ending) in &self.endings {
            totals[match ending {
                Ending::Done => 0,
                Ending::Already => 1,
                Ending::Refused(_) => 2,
                Ending::Failed(_) => 3,
            }] += 1;
        }
        totals
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (subject, ending) in &self.endings {
            match ending {
                Ending::Refused(why) => writeln!(f, "refused: {subject}: {why}")?,
                Ending::Failed(why) => writeln!(f, "failed: {subject}: {why}")?,
                Ending::Done | Ending::Already => {}
            }
        }
        if self.left > 0 {
            writeln!(f, "ended before its end: {} not begun; carry the same plan out again", self.left)?;
        }
        let [done, already, refused, failed] = self.totals();
        writeln!(f, "done: {done}, already so: {already}, refused: {refused}, failed: {failed}")
    }
}

/// Carries a plan out. It is begun again from the beginning if it was ended: what is done is found
/// done, and what was begun is finished, by the same journal. Once `is_over` says so no other item is begun.
pub async fn apply<P, S, C>(
    regions: &Regions<'_, P, S, C>,
    plan: &Plan,
    journal: &Journal,
    on_progress: &(dyn Fn(&Subject, &Ending) + Sync),
    is_over: &(dyn Fn() -> bool + Sync),
) -> Outcome<Applied>
where
    P: Region,
    S: Region,
    C: Clock,
{
    let names = &regions.names;
    if plan.primary != names.primary || plan.secondary != names.secondary {
        let why = format!("the plan is of {} and {}", plan.primary, plan.secondary);
        return Err(Failure::permanent("apply plan", why));
    }
    journal.begin(plan)?;
    let (mut course, mut applied) = (Course::new(journal), Applied::default());
    for item in &plan.items {
        let Some(action) = &item.action else { continue };
        if is_over() {
            applied.left += 1;
            continue;
        }
        let ending = Work::new(regions, item, &course).carry_out(action).await;
        course.ended(item, &ending);
        on_progress(&item.subject, &ending);
        applied.endings.push((item.subject.clone(), ending));
    }
    Ok(applied)
}

/// What the items of a plan have in common while it is carried out.
#[derive(Debug)]
struct Course<'a> {
    journal: &'a Journal,
    pace: Pace,
    /// Things whose deletion did not come to its end: they keep their certificates.
    staying: BTreeSet<String>,
}

impl<'a> Course<'a> {
    fn new(journal: &'a Journal) -> Self {
        Self { journal, pace: Pace::default(), staying: BTreeSet::new() }
    }

    fn ended(&mut self, item: &Item, ending: &Ending) {
        if let (Subject::Thing(name), Some(Action::DeleteThing)) = (&item.subject, &item.action)
            && !matches!(ending, Ending::Done | Ending::Already)
        {
            self.staying.insert(name.clone());
        }
    }
}

#[cfg(test)]
mod tests;
