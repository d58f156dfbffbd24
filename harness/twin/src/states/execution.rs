//! One execution: what it is, how far it is, what has happened, how it ended.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};

use super::{
    history::{Failure, Happening, History},
    machine::Machine,
};

/// AWS's largest input, output and result.
pub(crate) const DATA_BYTES_MAX: usize = 262_144;
/// Objects and arrays in each other in what a state hands on. AWS names no such limit; without one a loop that wraps its
/// input each time around ends in values too deep for any stack.
pub(crate) const DATA_DEPTH_MAX: usize = 256;

/// What an execution is called, and of what it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) machine_arn: String,
    pub(crate) machine_name: String,
    pub(crate) role: String,
}

/// How an execution is, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    pub(crate) const ALL: [Self; 5] =
        [Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Aborted];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded(Arc<str>),
    Failed(Failure),
    TimedOut,
    Aborted(Failure),
}

/// What the current state waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing yet.
    Entered,
    /// A function's answer, until its task times out.
    Calling(Option<Timestamp>),
    /// The time of the next attempt.
    Retrying(Timestamp),
    /// The time at which a Wait state is over.
    Waiting(Timestamp),
}

/// The state that an execution is in.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) name: String,
    /// As it came, before `InputPath`.
    pub(crate) input: Json,
    pub(crate) entered: Timestamp,
    /// The event of its entry.
    pub(crate) event: usize,
    pub(crate) phase: Phase,
    /// Attempts made by each retrier.
    pub(crate) retries: Vec<u32>,
}

/// An execution.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) identity: Identity,
    pub(crate) input: Arc<str>,
    pub(crate) started: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) history: History,
    pub(crate) visit: Option<Visit>,
    pub(crate) end: Option<(Timestamp, End)>,
    /// Draws the jitter of retriers.
    pub(crate) rng: StdRng,
}

impl Execution {
    /// An execution that has started and is in no state yet. `seed` decides its jitter.
    pub(crate) fn new(machine: &Machine, identity: Identity, input: &str, now: Timestamp, seed: u64) -> Self {
        let input: Arc<str> = input.into();
        let mut history = History::default();
        let role = identity.role.clone();
        history.record(now, Happening::ExecutionStarted { input: Arc::clone(&input), role });
        let deadline = machine.timeout_s.map(|seconds| after(now, SignedDuration::from_secs(seconds)));
        let rng = StdRng::seed_from_u64(seed);
        Self { identity, input, started: now, deadline, history, visit: None, end: None, rng }
    }

    pub(crate) fn status(&self) -> Status {
        match &self.end {
            None => Status::Running,
            Some((_, End::Succeeded(_))) => Status::Succeeded,
            Some((_, End::Failed(_))) => Status::Failed,
            Some((_, End::TimedOut)) => Status::TimedOut,
            Some((_, End::Aborted(_))) => Status::Aborted,
        }
    }

    /// Ends it. What comes later changes nothing.
    pub(crate) fn close(&mut self, now: Timestamp, end: End) {
        if self.end.is_some() {
            return;
        }
        let event = match end.clone() {
            End::Succeeded(output) => Happening::ExecutionSucceeded { output },
            End::Failed(failure) => Happening::ExecutionFailed(failure),
            End::TimedOut => Happening::ExecutionTimedOut,
            End::Aborted(failure) => Happening::ExecutionAborted(failure),
        };
        self.history.record(now, event);
        self.visit = None;
        self.end = Some((now, end));
    }

    /// The context object, which paths that begin with `$$` read.
    pub(crate) fn context(&self) -> Json {
        let identity = &self.identity;
        let mut context = json!({
            "Execution": {
                "Id": identity.arn,
                "Input": serde_json::from_str::<Json>(&self.input).unwrap_or_default(),
                "Name": identity.name,
                "RoleArn": identity.role,
                "StartTime": iso(self.started),
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": identity.machine_arn, "Name": identity.machine_name},
        });
        if let Some(visit) = &self.visit {
            let retries: u32 = visit.retries.iter().sum();
            context["State"] =
                json!({"EnteredTime": iso(visit.entered), "Name": visit.name, "RetryCount": retries});
        }
        context
    }
}

fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A time after another; the end of time if that is later.
pub(crate) fn after(at: Timestamp, wait: SignedDuration) -> Timestamp {
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}
