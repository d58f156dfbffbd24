//! The state machines and executions that there are: by ARN, within limits, the oldest finished executions forgotten.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{
    execution::Execution,
    history::Failure,
    interpreter::{Effect, Input, step},
    machine::Machine,
};
use crate::error::AwsError;

/// Executions that run at once, of both Regions. AWS has a million each, one machine fewer.
pub(crate) const OPEN_MAX: usize = 100_000;
/// Finished executions that are kept. AWS keeps them for 90 days.
pub(crate) const FINISHED_MAX: usize = 5_000;
/// AWS's default of state machines in a Region.
const MACHINES_MAX: usize = 10_000;

/// A state machine as it was made.
#[derive(Debug, Clone)]
pub(crate) struct StateMachine {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) role: String,
    pub(crate) definition: String,
    pub(crate) machine: Arc<Machine>,
    pub(crate) logging: Json,
    pub(crate) tracing: Json,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// None until it is updated.
    pub(crate) revision: Option<String>,
}

/// An execution, and what it needs to run. It keeps the definition that it started with.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) source: Arc<StateMachine>,
    pub(crate) execution: Mutex<Execution>,
    pub(crate) arn: String,
    /// Counts up in order of start.
    sequence: u64,
    /// Cancelled when it was stopped.
    pub(crate) stopped: CancellationToken,
}

impl Running {
    pub(crate) fn step(&self, now: Timestamp, input: Input) -> Effect {
        step(&self.source.machine, &mut self.execution.lock(), now, input)
    }

    /// Stops it. One that has ended is left as it is.
    pub(crate) fn stop(&self, now: Timestamp, failure: Failure) {
        self.step(now, Input::Stop(failure));
        self.stopped.cancel();
    }

    /// Where it is in a list of its machine's executions.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    machines: BTreeMap<String, Arc<StateMachine>>,
    executions: BTreeMap<String, Arc<Running>>,
    /// By machine's ARN and order of start.
    listed: BTreeMap<(String, u64), Arc<Running>>,
    /// The longest finished first.
    finished: VecDeque<Arc<Running>>,
    started: u64,
}

impl Store {
    pub(crate) fn machine(&self, arn: &str) -> Result<Arc<StateMachine>, AwsError> {
        self.machines.get(arn).cloned().ok_or_else(|| no_machine(arn))
    }

    /// All machines of a Region, by name.
    pub(crate) fn machines<'a>(&'a self, region: &'a str) -> impl Iterator<Item = &'a Arc<StateMachine>> {
        self.machines.values().filter(move |machine| machine.region == region)
    }

    /// Adds a machine. The same again is the one that there is; another of its name is refused.
    pub(crate) fn create(&mut self, machine: StateMachine) -> Result<Arc<StateMachine>, AwsError> {
        if let Some(known) = self.machines.get(&machine.arn) {
            let is_same = known.definition == machine.definition
                && known.logging == machine.logging
                && known.tracing == machine.tracing;
            let message = format!("State Machine Already Exists: '{}'", machine.arn);
            return if is_same {
                Ok(Arc::clone(known))
            } else {
                Err(AwsError::new(400, "StateMachineAlreadyExists", message))
            };
        }
        if self.machines(&machine.region).count() >= MACHINES_MAX {
            let message = "The maximum number of state machines has been reached";
            return Err(AwsError::new(400, "StateMachineLimitExceeded", message));
        }
        let machine = Arc::new(machine);
        self.machines.insert(machine.arn.clone(), Arc::clone(&machine));
        Ok(machine)
    }

    /// Changes a machine for executions to come.
    pub(crate) fn update(
        &mut self,
        arn: &str,
        change: impl FnOnce(&mut StateMachine),
    ) -> Result<Arc<StateMachine>, AwsError> {
        let known = self.machines.get_mut(arn).ok_or_else(|| no_machine(arn))?;
        let mut machine = StateMachine::clone(known);
        change(&mut machine);
        *known = Arc::new(machine);
        Ok(Arc::clone(known))
    }

    /// Removes a machine and answers its executions, the newest first.
    pub(crate) fn delete(&mut self, arn: &str) -> Vec<Arc<Running>> {
        self.machines.remove(arn);
        self.executions_of(arn, None).cloned().collect()
    }

    pub(crate) fn execution(&self, arn: &str) -> Result<Arc<Running>, AwsError> {
        self.executions.get(arn).cloned().ok_or_else(|| {
            AwsError::new(400, "ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
        })
    }

    /// A machine's executions, the newest first, from before a place in their order.
    pub(crate) fn executions_of(
        &self,
        machine_arn: &str,
        before: Option<u64>,
    ) -> impl Iterator<Item = &Arc<Running>> {
        let key = |sequence| (machine_arn.to_owned(), sequence);
        self.listed.range(key(0)..key(before.unwrap_or(u64::MAX))).rev().map(|(_, running)| running)
    }

    /// Adds an execution, and says whether it is new: the same that runs already is answered again.
    pub(crate) fn start(
        &mut self,
        source: &Arc<StateMachine>,
        execution: Execution,
    ) -> Result<(Arc<Running>, bool), AwsError> {
        let arn = execution.identity.arn.clone();
        if let Some(known) = self.executions.get(&arn) {
            let is_same = {
                let known = known.execution.lock();
                known.end.is_none() && known.input == execution.input
            };
            return if is_same {
                Ok((Arc::clone(known), false))
            } else {
                let message = format!("Execution Already Exists: '{arn}'");
                Err(AwsError::new(400, "ExecutionAlreadyExists", message))
            };
        }
        if self.executions.len() - self.finished.len() >= OPEN_MAX {
            let message = format!("The maximum number of running executions has been reached: {OPEN_MAX}");
            return Err(AwsError::new(400, "ExecutionLimitExceeded", message));
        }
        self.started += 1;
        let running = Arc::new(Running {
            source: Arc::clone(source),
            execution: Mutex::new(execution),
            arn: arn.clone(),
            sequence: self.started,
            stopped: CancellationToken::new(),
        });
        self.executions.insert(arn, Arc::clone(&running));
        self.listed.insert((source.arn.clone(), self.started), Arc::clone(&running));
        Ok((running, true))
    }

    /// Counts an execution as finished, and forgets the one that has been so for longest.
    pub(crate) fn finish(&mut self, running: &Arc<Running>) {
        self.finished.push_back(Arc::clone(running));
        if self.finished.len() > FINISHED_MAX
            && let Some(oldest) = self.finished.pop_front()
        {
            self.executions.remove(&oldest.arn);
            self.listed.remove(&(oldest.source.arn.clone(), oldest.sequence));
        }
    }
}

pub(crate) fn no_machine(arn: &str) -> AwsError {
    AwsError::new(400, "StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::states::{execution::Identity, parse::parse};

    fn machine() -> StateMachine {
        let definition = r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":9,"End":true}}}"#;
        StateMachine {
            arn: "m".to_owned(),
            name: "m".to_owned(),
            region: "us-east-1".to_owned(),
            role: String::new(),
            definition: definition.to_owned(),
            machine: Arc::new(parse(definition).unwrap()),
            logging: json!({}),
            tracing: json!({}),
            tags: BTreeMap::new(),
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            revision: None,
        }
    }

    fn execution(source: &StateMachine, name: &str, input: &str) -> Execution {
        let identity = Identity {
            arn: format!("m:{name}"),
            name: name.to_owned(),
            region: source.region.clone(),
            machine_arn: source.arn.clone(),
            machine_name: source.name.clone(),
            role: String::new(),
        };
        Execution::new(&source.machine, identity, input, Timestamp::UNIX_EPOCH, 0)
    }

    #[test]
    fn a_start_is_idempotent_while_it_runs() {
        let mut store = Store::default();
        let source = store.create(machine()).unwrap();
        let (first, is_new) = store.start(&source, execution(&source, "x", "{}")).unwrap();
        assert!(is_new);
        assert!(!store.start(&source, execution(&source, "x", "{}")).unwrap().1);
        let other = store.start(&source, execution(&source, "x", "[]"));
        assert_eq!(other.unwrap_err().code, "ExecutionAlreadyExists");
        first.stop(Timestamp::UNIX_EPOCH, Failure::default());
        let again = store.start(&source, execution(&source, "x", "{}"));
        assert_eq!(again.unwrap_err().code, "ExecutionAlreadyExists", "one that has ended is not the same");
    }

    #[test]
    fn the_longest_finished_is_forgotten() {
        let mut store = Store::default();
        let source = store.create(machine()).unwrap();
        for n in 0..=FINISHED_MAX {
            let (running, _) = store.start(&source, execution(&source, &n.to_string(), "{}")).unwrap();
            store.finish(&running);
        }
        assert!(store.execution("m:0").is_err());
        assert!(store.execution("m:1").is_ok());
        assert_eq!(store.executions_of("m", None).count(), FINISHED_MAX);
        assert_eq!(store.executions_of("m", None).next().unwrap().arn, format!("m:{FINISHED_MAX}"));
    }
}
