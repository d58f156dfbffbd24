//! The interpreter: a pure function of machine, execution, time and input. It neither waits nor reads a clock; it says
//! what to wait for, and is given what came.

mod data;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    choice,
    execution::{DATA_BYTES_MAX, DATA_DEPTH_MAX, End, Execution, Phase, Visit, after},
    history::{Caller, Failure, Happening},
    machine::{Fail, Kind, Limit, Machine, Next, Resource, Selection, State, Task, Text, Until, Wait},
    path::{Path, Scope},
    retry::{RUNTIME, TIMEOUT},
};
use crate::nesting;

/// What comes to an execution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    Start,
    /// The function that was called has answered.
    Answer(Result<Json, Failure>),
    /// The time has come that was waited for.
    Tick,
    /// Someone has stopped it.
    Stop(Failure),
}

/// What an execution waits for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Call this function, and answer or tick, whichever is first.
    Invoke { function: String, payload: Json, until: Option<Timestamp> },
    /// Tick then. A call that is under way goes on.
    WaitUntil(Timestamp),
    /// Nothing: it has ended.
    Done,
}

/// Takes an execution as far as it goes without waiting.
pub(crate) fn step(machine: &Machine, execution: &mut Execution, now: Timestamp, input: Input) -> Effect {
    if execution.end.is_some() {
        return Effect::Done;
    }
    let mut run = Run { machine, execution, now };
    let flow = match input {
        Input::Stop(failure) => Flow::End(End::Aborted(failure.clipped())),
        _ if run.execution.deadline.is_some_and(|deadline| now >= deadline) => Flow::End(End::TimedOut),
        Input::Start => {
            let input = serde_json::from_str(&run.execution.input).unwrap_or_default();
            Flow::To(machine.start.clone(), input)
        }
        Input::Answer(answer) => run.in_state(|run, state, visit| run.answered(state, visit, answer)),
        Input::Tick => run.in_state(Run::ticked),
    };
    run.follow(flow)
}

/// What follows from a piece of work.
enum Flow {
    To(String, Json),
    Pause(Effect),
    End(End),
}

impl Flow {
    fn fail(failure: Failure) -> Self {
        Self::End(End::Failed(failure.clipped()))
    }
}

struct Run<'a> {
    machine: &'a Machine,
    execution: &'a mut Execution,
    now: Timestamp,
}

impl Run<'_> {
    fn follow(&mut self, mut flow: Flow) -> Effect {
        loop {
            if let Some(why) = self.execution.history.full()
                && !matches!(flow, Flow::End(_))
            {
                flow = Flow::fail(Failure::new(RUNTIME, why));
            }
            flow = match flow {
                Flow::Pause(effect) => return effect,
                Flow::To(name, input) => self.enter(name, input),
                Flow::End(end) => {
                    self.execution.close(self.now, end);
                    return Effect::Done;
                }
            };
        }
    }

    /// Works on the current state. A failure goes to its retriers and catchers.
    fn in_state(
        &mut self,
        work: impl FnOnce(&mut Self, &State, &mut Visit) -> Result<Flow, Failure>,
    ) -> Flow {
        let machine = self.machine;
        let Some(mut visit) = self.execution.visit.clone() else {
            return Flow::fail(Failure::new(RUNTIME, "The execution is in no state"));
        };
        let Some(state) = machine.states.get(&visit.name) else {
            return Flow::fail(Failure::new(RUNTIME, format!("There is no state {}", visit.name)));
        };
        let flow = match work(self, state, &mut visit) {
            Ok(flow) => flow,
            Err(failure) => self.failed(state, &mut visit, failure),
        };
        self.execution.visit = Some(visit);
        flow
    }

    fn enter(&mut self, name: String, input: Json) -> Flow {
        let kind = self.machine.states.get(&name).map_or("Fail", |state| state.kind.name());
        let text = self.execution.history.text(&input);
        let entered = Happening::Entered { kind, name: name.clone(), input: text };
        let event = self.execution.history.record(self.now, entered);
        self.execution.visit =
            Some(Visit { name, input, entered: self.now, event, phase: Phase::Entered, retries: Vec::new() });
        self.in_state(Self::work)
    }

    fn work(&mut self, state: &State, visit: &mut Visit) -> Result<Flow, Failure> {
        match &state.kind {
            Kind::Task(task) => self.call(state, task, visit),
            Kind::Pass(pass) => {
                let input = self.select(&state.input, visit, &visit.input)?;
                let filled = self.fill(pass.parameters.as_ref(), visit, input)?;
                let result = pass.result.clone().unwrap_or(filled);
                let output = data::place(visit, pass.result_path.as_ref(), result)?;
                self.leave(state, visit, output, &pass.next)
            }
            Kind::Succeed => {
                let output = self.select(&state.input, visit, &visit.input)?;
                self.leave(state, visit, output, &Next::End)
            }
            Kind::Choice(found) => {
                let input = self.select(&state.input, visit, &visit.input)?;
                let context = self.execution.context();
                let scope = Scope { input: &input, context: &context };
                for (rule, next) in &found.rules {
                    let holds = rule.holds(scope).map_err(|path| {
                        let why = "The choice state's condition path references an invalid value.";
                        data::failure(visit, RUNTIME, &format!("Invalid path '{path}': {why}"))
                    })?;
                    if holds {
                        return self.leave(state, visit, input, &Next::To(next.clone()));
                    }
                }
                let next = found.default.clone().ok_or_else(|| {
                    let why = "Failed to transition out of the state. The state has no rule that matched, and no Default.";
                    data::failure(visit, "States.NoChoiceMatched", why)
                })?;
                self.leave(state, visit, input, &Next::To(next))
            }
            Kind::Wait(wait) => {
                let until = self.wait_until(state, wait, visit)?;
                visit.phase = Phase::Waiting(until);
                self.ticked(state, visit)
            }
            Kind::Fail(fail) => self.fail(fail, visit),
        }
    }

    fn fail(&self, fail: &Fail, visit: &Visit) -> Result<Flow, Failure> {
        let text = |text: &Option<Text>| match text {
            None => Ok(None),
            Some(Text::Fixed(text)) => Ok(Some(text.clone())),
            Some(Text::Path(path)) => {
                let found = self.read(path, visit, &visit.input)?;
                let text = found.as_str().map(|text| Some(text.to_owned()));
                text.ok_or_else(|| {
                    data::failure(visit, RUNTIME, &format!("The value at '{path}' is not a string"))
                })
            }
        };
        Ok(Flow::fail(Failure { error: text(&fail.error)?, cause: text(&fail.cause)? }))
    }

    fn wait_until(&self, state: &State, wait: &Wait, visit: &Visit) -> Result<Timestamp, Failure> {
        let input = self.select(&state.input, visit, &visit.input)?;
        let bad = |path: &Path, what| {
            data::failure(visit, RUNTIME, &format!("The value at '{path}' is not {what}"))
        };
        let seconds = match &wait.until {
            Until::Timestamp(at) => return Ok(*at),
            Until::TimestampPath(path) => {
                let found = self.read(path, visit, &input)?;
                return choice::time(&found).ok_or_else(|| bad(path, "a timestamp"));
            }
            Until::Seconds(seconds) => *seconds,
            Until::SecondsPath(path) => data::seconds(&self.read(path, visit, &input)?)
                .ok_or_else(|| bad(path, "a number of seconds"))?,
        };
        Ok(after(self.now, SignedDuration::from_secs(seconds)))
    }

    fn call(&mut self, state: &State, task: &Task, visit: &mut Visit) -> Result<Flow, Failure> {
        let selected = self.select(&state.input, visit, &visit.input)?;
        let timeout_s = match &task.limit {
            None => None,
            Some(Limit::Seconds(seconds)) => Some(*seconds),
            Some(Limit::Path(path)) => {
                let found = data::seconds(&self.read(path, visit, &selected)?).filter(|s| *s > 0);
                Some(found.ok_or_else(|| {
                    data::failure(visit, RUNTIME, &format!("The value at '{path}' is no time-out"))
                })?)
            }
        };
        let input = self.fill(task.parameters.as_ref(), visit, selected)?;
        let text = self.execution.history.text(&input);
        if text.len() > DATA_BYTES_MAX {
            return Err(data::too_large(&visit.name));
        }
        let by = caller(task);
        let (function, payload) = match &task.resource {
            Resource::Function(arn) => (arn.clone(), input),
            Resource::LambdaInvoke => data::invocation(visit, input)?,
        };
        let region = self.execution.identity.region.clone();
        let scheduled =
            Happening::Scheduled { by, resource: function.clone(), region, input: text, timeout_s };
        self.execution.history.record(self.now, scheduled);
        self.execution.history.record(self.now, Happening::Started(by));
        let limit = timeout_s.map(|seconds| after(self.now, SignedDuration::from_secs(seconds)));
        visit.phase = Phase::Calling(limit);
        let until = earliest(limit, self.execution.deadline);
        Ok(Flow::Pause(Effect::Invoke { function, payload, until }))
    }

    fn answered(
        &mut self,
        state: &State,
        visit: &mut Visit,
        answer: Result<Json, Failure>,
    ) -> Result<Flow, Failure> {
        let (Kind::Task(task), Phase::Calling(limit)) = (&state.kind, visit.phase) else {
            // An answer that nobody waits for: its task has timed out.
            return self.ticked(state, visit);
        };
        // An answer that comes after the time-out is none.
        if limit.is_some_and(|limit| self.now >= limit) {
            return self.ticked(state, visit);
        }
        let by = caller(task);
        let answer = answer.and_then(|payload| match task.resource {
            Resource::Function(ref arn) => data::within_limit(arn, payload),
            Resource::LambdaInvoke => data::within_limit("lambda", data::wrapped(&payload)),
        });
        match answer {
            Ok(result) => {
                let output = self.execution.history.text(&result);
                self.execution.history.record(self.now, Happening::Succeeded { by, output });
                let result = self.fill(task.selector.as_ref(), visit, result)?;
                let output = data::place(visit, task.result_path.as_ref(), result)?;
                self.leave(state, visit, output, &task.next)
            }
            Err(failure) => {
                let failure = failure.clipped();
                self.execution.history.record(self.now, Happening::Failed { by, failure: failure.clone() });
                Err(failure)
            }
        }
    }

    fn ticked(&mut self, state: &State, visit: &mut Visit) -> Result<Flow, Failure> {
        let wait = |until| Flow::Pause(Effect::WaitUntil(until));
        let deadline = self.execution.deadline;
        match (visit.phase, &state.kind) {
            (Phase::Calling(Some(limit)), Kind::Task(task)) if self.now >= limit => {
                let failure = Failure { error: Some(TIMEOUT.to_owned()), cause: None };
                let timed_out = Happening::TimedOut { by: caller(task), failure: failure.clone() };
                self.execution.history.record(self.now, timed_out);
                Err(failure)
            }
            (Phase::Retrying(until), Kind::Task(task)) if self.now >= until => self.call(state, task, visit),
            (Phase::Waiting(until), Kind::Wait(found)) if self.now >= until => {
                let output = self.select(&state.input, visit, &visit.input)?;
                self.leave(state, visit, output, &found.next)
            }
            (Phase::Waiting(until) | Phase::Retrying(until), _) => {
                Ok(wait(earliest(Some(until), deadline).unwrap_or(until)))
            }
            (Phase::Calling(limit), _) => Ok(wait(earliest(limit, deadline).unwrap_or(Timestamp::MAX))),
            (Phase::Entered, _) => self.work(state, visit),
        }
    }

    /// Applies `OutputPath`, and goes on.
    fn leave(&mut self, state: &State, visit: &Visit, output: Json, next: &Next) -> Result<Flow, Failure> {
        let output = match &state.output {
            Selection::Whole => output,
            selection => self.select(selection, visit, &output)?,
        };
        self.exit(state, visit, output, next)
    }

    fn exit(&mut self, state: &State, visit: &Visit, output: Json, next: &Next) -> Result<Flow, Failure> {
        if nesting::depth(&output, DATA_DEPTH_MAX) >= DATA_DEPTH_MAX {
            return Err(data::too_deep(&visit.name));
        }
        let text = self.execution.history.text(&output);
        if text.len() > DATA_BYTES_MAX {
            return Err(data::too_large(&visit.name));
        }
        let exited = Happening::Exited {
            kind: state.kind.name(),
            name: visit.name.clone(),
            output: std::sync::Arc::clone(&text),
        };
        self.execution.history.record(self.now, exited);
        Ok(match next {
            Next::To(name) => Flow::To(name.clone(), output),
            Next::End => Flow::End(End::Succeeded(text)),
        })
    }

    /// Tries again, goes to a catcher, or ends the execution.
    fn failed(&mut self, state: &State, visit: &mut Visit, failure: Failure) -> Flow {
        let Kind::Task(task) = &state.kind else { return Flow::fail(failure) };
        visit.retries.resize(task.retry.len(), 0);
        let retrier = task.retry.iter().zip(&mut visit.retries).find(|(r, _)| r.matches(failure.name()));
        if let Some((retrier, attempts)) = retrier
            && *attempts < retrier.attempts_max
        {
            let until = after(self.now, retrier.wait(*attempts, &mut self.execution.rng));
            *attempts += 1;
            visit.phase = Phase::Retrying(until);
            let until = earliest(Some(until), self.execution.deadline).unwrap_or(until);
            return Flow::Pause(Effect::WaitUntil(until));
        }
        let Some(catcher) = task.catch.iter().find(|c| c.matches(failure.name())) else {
            return Flow::fail(failure);
        };
        let error = json!({"Error": failure.name(), "Cause": failure.cause.unwrap_or_default()});
        let next = Next::To(catcher.next.clone());
        data::place(visit, catcher.result_path.as_ref(), error)
            .and_then(|output| self.exit(state, visit, output, &next))
            .unwrap_or_else(Flow::fail)
    }
}

fn caller(task: &Task) -> Caller {
    match task.resource {
        Resource::Function(_) => Caller::Function,
        Resource::LambdaInvoke => Caller::Integration,
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests;
