//! What is said in the primary, on its way into the event table or the queue: by a rule, by the error
//! action of one, or as an API-call event. It comes at least once and late, or is lost.

use serde_json::json;

use super::History;
use super::event::{self, EventRow};
use super::operator::Saying;
use super::pipeline::{Message, Step};
use crate::rules::EVENT_LIFE_S;
use crate::simulation::random::Random;

/// How late an API-call event may be: CloudTrail promises about a quarter of an hour.
const CALL_MS_MAX: u64 = 15 * 60_000;

/// How long something is on its way.
pub(super) fn travel_ms(random: &mut Random) -> u64 {
    match random.below(100) {
        0..65 => random.between(1, 60),
        65..95 => random.between(60, 3_000),
        _ => random.between(3_000, 60_000),
    }
}

impl History {
    /// Sends on what was said in the primary.
    pub(super) fn say(&mut self, saying: Saying) {
        if self.plan.loses(&saying, &mut self.random) {
            self.link.inner().trace(|| format!("lost {}", saying.summary()));
            return;
        }
        // An API-call event is seconds late at the least: by more than clocks disagree, so that a look
        // after it is known to be later than any before the call.
        let (step, late, ms_min) = match saying {
            Saying::Row(row) => (Step::Put(row), 0, 0),
            Saying::Call(call) => {
                (Step::Look(Message::Call(call)), self.plan.late, 2 * self.plan.skew_ms_max())
            }
        };
        for _ in 0..=u64::from(self.random.chance(self.plan.twice)) {
            let minutes = self.random.chance(late);
            let ms = travel_ms(&mut self.random);
            let ms = if minutes { self.random.between(60_000, CALL_MS_MAX) } else { ms };
            self.later(ms.max(ms_min), step.clone());
        }
    }

    /// A rule writes a row; one that got no answer may have been written all the same.
    pub(super) fn put(&mut self, mut row: EventRow) {
        let fails = self.random.chance(self.plan.failing);
        if fails {
            let ms = self.random.between(20, 2_000);
            self.later(ms, Step::Look(Message::Lost(event::lost(&row))));
        }
        if !fails || self.random.chance(300) {
            let mut inner = self.link.inner();
            let now_ms = inner.now_ms;
            row.insert("expires".to_owned(), json!(now_ms / 1_000 + EVENT_LIFE_S));
            inner.events.put_row(row, now_ms);
        }
    }
}
