//! One rung: calls at a steady rate, each at its intended time whether or not the calls before it were answered.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::Call;

/// Calls on their way at once; beyond that a call is not sent and counts as such.
const UNDERWAY_MAX: usize = 2_000;
/// A call sent this long after its time is late.
const LATE: Duration = Duration::from_millis(100);
/// With more late or unsent calls than this share the rung says nothing of the account.
const LATE_SHARE_MAX: f64 = 0.05;

/// What a rung is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To find a rate at which something is throttled.
    Climb,
    /// To count what goes through while more is offered.
    Measure,
    /// To see that a little less is not throttled.
    Confirm,
    /// To empty a full bucket.
    Burst,
    /// To see when an empty bucket gives again.
    Recover,
}

/// Calls at a steady rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rung {
    pub(crate) purpose: Purpose,
    pub(crate) rate_per_s: f64,
    pub(crate) length: Duration,
    /// Nothing is called for this long before.
    pub(crate) rest: Duration,
}

/// How one call was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It went through: done, or refused for what it asked and not for how often.
    Went,
    /// Throttled, as this: `429 ThrottlingException`.
    Throttled(String),
    /// Not at all.
    Silence,
    /// With something that says nothing of quotas.
    Failed(String),
}

/// One call. Times count from the rung's begin.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    pub(crate) answer: Answer,
}

/// What was seen on a rung.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In the order in which they were sent.
    pub(crate) calls: Vec<Sent>,
    pub(super) throttled: u64,
    pub(super) went: u64,
    /// Calls that were sent late, or not.
    pub(crate) late: u64,
    /// How long it lasted.
    pub(crate) length: Duration,
}

impl Rung {
    /// Makes the calls and waits for their answers.
    pub(super) async fn offer(&self, call: &impl Call) -> Seen {
        sleep(self.rest).await;
        let mut underway = JoinSet::new();
        let mut seen = Seen::default();
        let began = Instant::now();
        for n in 0_u32.. {
            let intended = Duration::from_secs_f64(f64::from(n) / self.rate_per_s);
            if intended >= self.length || seen.is_enough(self.purpose) {
                break;
            }
            sleep_until(began + intended).await;
            let at = began.elapsed();
            let is_late = at.saturating_sub(intended) > LATE;
            seen.late += u64::from(is_late || underway.len() >= UNDERWAY_MAX);
            if underway.len() < UNDERWAY_MAX {
                let answer = call.call();
                underway.spawn(async move { Sent { at, answer: answer.await } });
            }
            while let Some(Ok(sent)) = underway.try_join_next() {
                seen.take(sent);
            }
        }
        seen.length = began.elapsed();
        while let Some(sent) = underway.join_next().await {
            if let Ok(sent) = sent {
                seen.take(sent);
            }
        }
        seen.calls.sort_by_key(|sent| sent.at);
        seen
    }
}

impl Seen {
    pub(super) fn take(&mut self, sent: Sent) {
        self.throttled += u64::from(sent.is_throttled());
        self.went += u64::from(sent.answer == Answer::Went);
        self.calls.push(sent);
    }

    /// Whether no more calls are needed to say what the rung is for.
    pub(super) fn is_enough(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Climb | Purpose::Burst => self.has_throttled(),
            Purpose::Recover => self.went > 0,
            Purpose::Measure | Purpose::Confirm => false,
        }
    }

    pub(crate) fn has_throttled(&self) -> bool {
        self.throttled > 0
    }

    /// When the first call was throttled.
    pub(super) fn throttled_first(&self) -> Option<Duration> {
        self.calls.iter().find(|sent| sent.is_throttled()).map(|sent| sent.at)
    }

    /// Calls that went through, sent after `after`.
    pub(super) fn went_after(&self, after: Duration) -> usize {
        self.calls.iter().filter(|sent| sent.at > after && sent.answer == Answer::Went).count()
    }

    /// The last answer that says nothing of quotas, if these are more than a tenth of all.
    pub(super) fn failure(&self) -> Option<&str> {
        let failed = |sent: &Sent| matches!(sent.answer, Answer::Failed(_));
        if self.calls.iter().filter(|sent| failed(sent)).count() * 10 <= self.calls.len() {
            return None;
        }
        self.calls.iter().rev().find_map(|sent| match &sent.answer {
            Answer::Failed(why) => Some(why.as_str()),
            _ => None,
        })
    }

    /// Whether this machine could not offer the rate.
    pub(super) fn is_bottleneck(&self) -> bool {
        self.late as f64 > LATE_SHARE_MAX * (self.calls.len() as f64).max(20.0)
    }

    /// How throttling showed, a text a call.
    pub(super) fn shown(&self) -> impl Iterator<Item = &str> {
        self.calls.iter().filter_map(|sent| match &sent.answer {
            Answer::Throttled(how) => Some(how.as_str()),
            Answer::Silence => Some("silence"),
            Answer::Went | Answer::Failed(_) => None,
        })
    }
}

impl Sent {
    /// Silence is one way in which throttling shows.
    fn is_throttled(&self) -> bool {
        matches!(self.answer, Answer::Throttled(_) | Answer::Silence)
    }
}
