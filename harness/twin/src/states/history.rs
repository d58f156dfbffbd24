//! The history of one execution: AWS's events, numbered from 1, at most as many as AWS keeps.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// AWS's longest history. The last place is for the event that ends the execution.
pub(crate) const EVENTS_MAX: usize = 25_000;
/// Most that a history may hold in payloads: AWS has no such limit, one machine does.
const HISTORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// AWS's longest error and cause.
const ERROR_CHARS_MAX: usize = 256;
const CAUSE_CHARS_MAX: usize = 32_768;

/// Why something failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
}

impl Failure {
    pub(crate) fn new(error: &str, cause: impl Into<String>) -> Self {
        Self { error: Some(error.to_owned()), cause: Some(cause.into()) }.clipped()
    }

    /// Cut to what AWS keeps.
    pub(crate) fn clipped(mut self) -> Self {
        for (text, most) in [(&mut self.error, ERROR_CHARS_MAX), (&mut self.cause, CAUSE_CHARS_MAX)] {
            if let Some(text) = text
                && let Some((end, _)) = text.char_indices().nth(most)
            {
                text.truncate(end);
            }
        }
        self
    }

    /// What a catcher and the conditions of retriers see.
    pub(crate) fn name(&self) -> &str {
        self.error.as_deref().unwrap_or_default()
    }

    /// The members of events and descriptions.
    pub(crate) fn members(&self) -> Json {
        let mut members = json!({});
        for (name, text) in [("error", &self.error), ("cause", &self.cause)] {
            if let Some(text) = text {
                members[name] = json!(text);
            }
        }
        members
    }
}

/// Which events a call of a task makes: those of a function's ARN, or those of the optimised integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Function,
    Integration,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happening {
    ExecutionStarted { input: Arc<str>, role: String },
    ExecutionSucceeded { output: Arc<str> },
    ExecutionFailed(Failure),
    ExecutionAborted(Failure),
    ExecutionTimedOut,
    Entered { kind: &'static str, name: String, input: Arc<str> },
    Exited { kind: &'static str, name: String, output: Arc<str> },
    Scheduled { by: Caller, resource: String, region: String, input: Arc<str>, timeout_s: Option<i64> },
    Started(Caller),
    Succeeded { by: Caller, output: Arc<str> },
    Failed { by: Caller, failure: Failure },
    TimedOut { by: Caller, failure: Failure },
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: usize,
    pub(crate) at: Timestamp,
    pub(crate) what: Happening,
}

/// All events of an execution, the first one first.
#[derive(Debug, Default)]
pub(crate) struct History {
    events: Vec<Event>,
    payload_bytes: usize,
    last_payload: Option<Arc<str>>,
}

impl History {
    /// Adds an event and answers its number. A full history takes none but the last.
    pub(crate) fn record(&mut self, at: Timestamp, what: Happening) -> usize {
        let is_last = matches!(
            what,
            Happening::ExecutionSucceeded { .. }
                | Happening::ExecutionFailed(_)
                | Happening::ExecutionAborted(_)
                | Happening::ExecutionTimedOut
        );
        if is_last || self.events.len() < EVENTS_MAX - 1 {
            self.events.push(Event { id: self.events.len() + 1, at, what });
        }
        self.events.len()
    }

    /// Why nothing fits but the event that ends the execution; none while more does.
    pub(crate) fn full(&self) -> Option<String> {
        if self.events.len() >= EVENTS_MAX - 1 {
            let why = format!("The execution reached the maximum number of history events ({EVENTS_MAX}).");
            return Some(why);
        }
        (self.payload_bytes > HISTORY_BYTES_MAX).then(|| {
            format!(
                "The twin keeps {HISTORY_BYTES_MAX} bytes of payloads in one history, and this one has more."
            )
        })
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// A payload as text. One that is the same as the last, as most are, is shared with it.
    pub(crate) fn text(&mut self, value: &Json) -> Arc<str> {
        let text = value.to_string();
        if let Some(last) = self.last_payload.as_ref().filter(|last| ***last == *text) {
            return Arc::clone(last);
        }
        self.payload_bytes += text.len();
        let text: Arc<str> = text.into();
        self.last_payload = Some(Arc::clone(&text));
        text
    }
}

impl Event {
    /// As `GetExecutionHistory` answers it.
    pub(crate) fn to_json(&self, with_data: bool) -> Json {
        // What begins the first state, and what ends an execution from without, has no event before it on AWS.
        let is_first = self.id <= 2 || matches!(self.what, Happening::ExecutionAborted(_));
        let previous = if is_first { 0 } else { self.id - 1 };
        let mut event = json!({
            "id": self.id,
            "previousEventId": previous,
            "timestamp": self.at.as_millisecond() as f64 / 1000.0,
            "type": self.what.name(),
        });
        if let Some((member, mut details)) = self.what.details() {
            for data in ["input", "output", "parameters", "error", "cause"] {
                if !with_data && let Some(object) = details.as_object_mut() {
                    object.remove(data);
                } else if details.get(data).is_some() && ["input", "output"].contains(&data) {
                    details[format!("{data}Details")] = json!({"truncated": false});
                }
            }
            event[member] = details;
        }
        event
    }
}

impl Caller {
    fn name(self) -> &'static str {
        match self {
            Self::Function => "LambdaFunction",
            Self::Integration => "Task",
        }
    }

    fn details(self, what: &str, mut details: Json) -> (String, Json) {
        if self == Self::Function {
            return (format!("lambdaFunction{what}EventDetails"), details);
        }
        details["resourceType"] = json!("lambda");
        details["resource"] = json!("invoke");
        (format!("task{what}EventDetails"), details)
    }
}

impl Happening {
    /// The event's type.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::ExecutionStarted { .. } => "ExecutionStarted".to_owned(),
            Self::ExecutionSucceeded { .. } => "ExecutionSucceeded".to_owned(),
            Self::ExecutionFailed(_) => "ExecutionFailed".to_owned(),
            Self::ExecutionAborted(_) => "ExecutionAborted".to_owned(),
            Self::ExecutionTimedOut => "ExecutionTimedOut".to_owned(),
            Self::Entered { kind, .. } => format!("{kind}StateEntered"),
            Self::Exited { kind, .. } => format!("{kind}StateExited"),
            Self::Scheduled { by, .. } => format!("{}Scheduled", by.name()),
            Self::Started(by) => format!("{}Started", by.name()),
            Self::Succeeded { by, .. } => format!("{}Succeeded", by.name()),
            Self::Failed { by, .. } => format!("{}Failed", by.name()),
            Self::TimedOut { by, .. } => format!("{}TimedOut", by.name()),
        }
    }

    /// The name of the member that describes it, and the description.
    fn details(&self) -> Option<(String, Json)> {
        let plain = |name: &str, details| Some((name.to_owned(), details));
        match self {
            Self::ExecutionStarted { input, role } => {
                plain("executionStartedEventDetails", json!({"input": **input, "roleArn": role}))
            }
            Self::ExecutionSucceeded { output } => {
                plain("executionSucceededEventDetails", json!({"output": **output}))
            }
            Self::ExecutionFailed(failure) => plain("executionFailedEventDetails", failure.members()),
            Self::ExecutionAborted(failure) => plain("executionAbortedEventDetails", failure.members()),
            Self::ExecutionTimedOut => plain("executionTimedOutEventDetails", json!({})),
            Self::Entered { name, input, .. } => {
                plain("stateEnteredEventDetails", json!({"name": name, "input": **input}))
            }
            Self::Exited { name, output, .. } => {
                plain("stateExitedEventDetails", json!({"name": name, "output": **output}))
            }
            Self::Scheduled { by, resource, region, input, timeout_s } => {
                let mut details = match by {
                    Caller::Function => json!({"resource": resource, "input": **input}),
                    Caller::Integration => json!({"region": region, "parameters": **input}),
                };
                if let Some(seconds) = timeout_s {
                    details["timeoutInSeconds"] = json!(seconds);
                }
                Some(by.details("Scheduled", details))
            }
            // The start of a function's ARN has no description.
            Self::Started(Caller::Function) => None,
            Self::Started(by) => Some(by.details("Started", json!({}))),
            Self::Succeeded { by, output } => Some(by.details("Succeeded", json!({"output": **output}))),
            Self::Failed { by, failure } => Some(by.details("Failed", failure.members())),
            Self::TimedOut { by, failure } => Some(by.details("TimedOut", failure.members())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_history_takes_the_end_only() {
        let mut history = History::default();
        let exited = || Happening::Exited { kind: "Pass", name: String::new(), output: Arc::from("{}") };
        for _ in 0..EVENTS_MAX + 9 {
            history.record(Timestamp::UNIX_EPOCH, exited());
        }
        assert!(history.full().is_some());
        assert_eq!(history.record(Timestamp::UNIX_EPOCH, Happening::ExecutionTimedOut), EVENTS_MAX);
    }

    #[test]
    fn events_look_as_aws_writes_them() {
        let failure = Failure::new("Mine", "because");
        let event = |what| Event { id: 5, at: Timestamp::from_millisecond(1_500).unwrap(), what };
        let failed = event(Happening::Failed { by: Caller::Integration, failure: failure.clone() });
        let expected = json!({
            "id": 5, "previousEventId": 4, "timestamp": 1.5, "type": "TaskFailed",
            "taskFailedEventDetails": {"resourceType": "lambda", "resource": "invoke", "error": "Mine", "cause": "because"},
        });
        assert_eq!(failed.to_json(true), expected);
        let entered =
            event(Happening::Entered { kind: "Wait", name: "W".to_owned(), input: Arc::from("{}") });
        assert_eq!(
            entered.to_json(true)["stateEnteredEventDetails"],
            json!({"name": "W", "input": "{}", "inputDetails": {"truncated": false}})
        );
        assert_eq!(entered.to_json(false)["stateEnteredEventDetails"], json!({"name": "W"}));
        let aborted = event(Happening::ExecutionAborted(Failure::default())).to_json(true);
        assert_eq!(
            (&aborted["previousEventId"], &aborted["executionAbortedEventDetails"]),
            (&json!(0), &json!({}))
        );
        let started = event(Happening::Started(Caller::Function)).to_json(true);
        assert_eq!(started["type"], "LambdaFunctionStarted");
    }

    #[test]
    fn long_texts_are_cut() {
        let failure = Failure::new(&"é".repeat(300), "x".repeat(40_000));
        assert_eq!(failure.error.unwrap().chars().count(), 256);
        assert_eq!(failure.cause.unwrap().len(), 32_768);
    }
}
