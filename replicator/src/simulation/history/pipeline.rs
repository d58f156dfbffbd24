//! From the tables to the functions: two global tables, events and documents, their streams, a queue.
//!
//! A message comes at least once, late, and in any order; rows of one key keep theirs. A batch that was
//! not done comes again from its first record that was not. Each stream has its own shards, its own
//! mapping that holds nothing back of the other's, and its own times when it stands still: what the two say of
//! one device is applied in any order, and at the same time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::event::EventRow;
use super::tell::travel_ms;
use super::way::{Place, Shard, Way, stream_of};
use super::{History, functions};
use crate::capture::{Capture, Later};
use crate::policy::Policies;
use crate::simulation::executor::End;
use crate::simulation::{Function, Link, Looker, Side, typed};
use crate::tables::Stream;

/// How often the workflow tries an event before it gives it up to the error table.
const ATTEMPTS_MAX: u32 = 6;

/// What a function answers: the sequence numbers to deliver again, or that it failed.
pub(crate) type Done = Option<Vec<String>>;

/// What happens by itself on the way.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A rule writes a row in the primary.
    Put(EventRow),
    /// What the change with that number wrote has lived its time.
    Expire(usize),
    /// The change with that number reaches the secondary.
    Replicate(usize),
    /// A mapping reads a shard.
    Poll(Place),
    /// The workflow applies a record.
    Execute { record: usize, attempt: u32 },
    /// The queue delivers to the function that looks.
    Look(Message),
    /// Whoever started a task does not wait for it any longer.
    Abandon(usize),
}

/// What makes the primary's function look.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Call(Value),
    /// A record of the stream of the primary's replica.
    Row(Value),
    /// From the error action of a rule.
    Lost(Value),
    /// One that the function sent to itself.
    Later(Later),
}

#[derive(Debug, Clone)]
enum Job {
    Batch { shard: Place, from: usize, to: usize },
    Execution { record: usize, attempt: u32, environment: usize },
    GiveUp { record: usize },
    Look(Message),
    Repair,
    Reconcile,
}

/// An environment of a function, which handles one invocation at a time and remembers policies.
#[derive(Debug, Default)]
struct Environment {
    policies: Arc<Policies>,
    busy: bool,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) primary_gone: bool,
    events: Way,
    documents: Way,
    /// How many walks came to their end.
    pub(crate) walks: u64,
    world: Function,
    source: Looker,
    /// How many changes of the event table have been followed.
    followed: usize,
    /// With their stream.
    records: Vec<(Stream, Value)>,
    environments: Vec<Environment>,
    jobs: BTreeMap<usize, Job>,
    captures: [Arc<Capture>; 2],
}

impl Pipeline {
    pub(crate) fn new(link: &Link) -> Self {
        Self {
            primary_gone: false,
            events: Way::default(),
            documents: Way::default(),
            walks: 0,
            world: Function::new(link, Side::Secondary),
            source: Looker(Function::new(link, Side::Primary)),
            followed: 0,
            records: Vec::new(),
            environments: Vec::new(),
            jobs: BTreeMap::new(),
            captures: [Arc::default(), Arc::default()],
        }
    }
}

impl Pipeline {
    pub(crate) fn of(&self, stream: Stream) -> &Way {
        match stream {
            Stream::Events => &self.events,
            Stream::Documents => &self.documents,
        }
    }

    pub(crate) fn of_mut(&mut self, stream: Stream) -> &mut Way {
        match stream {
            Stream::Events => &mut self.events,
            Stream::Documents => &mut self.documents,
        }
    }

    fn shard(&mut self, place: Place) -> &mut Shard {
        self.of_mut(place.stream).shard(place)
    }
}

/// A stream's record: what was there, and what is there now.
fn record(number: usize, now_ms: u64, old: Option<&EventRow>, new: Option<&EventRow>) -> Value {
    let image =
        |row: &EventRow| -> Value { row.iter().map(|(name, value)| (name.clone(), typed(value))).collect() };
    let Some(any) = new.or(old) else { return Value::Null };
    let mut change = json!({"SequenceNumber": format!("{number:09}"),
        "ApproximateCreationDateTime": now_ms / 1_000,
        "Keys": {"device": typed(&any["device"]), "event": typed(&any["event"])}});
    let name = match (old, new) {
        (None, _) => "INSERT",
        (Some(_), Some(_)) => "MODIFY",
        (Some(_), None) => "REMOVE",
    };
    for (column, row) in [("OldImage", old), ("NewImage", new)] {
        if let Some(row) = row {
            change[column] = image(row);
        }
    }
    json!({"eventName": name, "dynamodb": change})
}

impl History {
    pub(super) fn later(&mut self, ms: u64, step: Step) {
        self.soon(ms, super::Step::Pipeline(step));
    }

    /// Sends on what was written to the event table, and what the looking function sent to itself.
    pub(super) fn follow_changes(&mut self) {
        let later = std::mem::take(&mut self.link.inner().later);
        for (due_ms, look) in later {
            self.at(due_ms, super::Step::Pipeline(Step::Look(Message::Later(look))));
        }
        loop {
            let index = self.pipeline.followed;
            let change = {
                let inner = self.link.inner();
                let Some(change) = inner.events.changes.get(index) else { return };
                change.clone()
            };
            self.pipeline.followed += 1;
            let key = (change.device, change.event);
            let now_ms = change.written_ms;
            let due_ms = now_ms + travel_ms(&mut self.random);
            let due_ms = self.pipeline.of_mut(stream_of(&change.row)).arrives(key, due_ms);
            self.at(due_ms, super::Step::Pipeline(Step::Replicate(index)));
            if self.plan.life_ms > 0 && !change.is_gone {
                self.later(self.plan.life_ms, Step::Expire(index));
            }
            if change.row["eventType"] == "THING_EVENT" {
                let (old, new) =
                    if change.is_gone { (Some(&change.row), None) } else { (None, Some(&change.row)) };
                let message = Message::Row(record(index, now_ms, old, new));
                for _ in 0..=u64::from(self.random.chance(self.plan.twice)) {
                    let ms = travel_ms(&mut self.random);
                    self.later(ms, Step::Look(message.clone()));
                }
            }
        }
    }

    pub(super) fn pipeline_step(&mut self, step: Step) {
        let waits = match step.clone() {
            Step::Put(_) | Step::Look(_) => self.pipeline.primary_gone,
            Step::Replicate(index) => {
                let stream = stream_of(&self.link.inner().events.changes[index].row);
                self.pipeline.primary_gone || self.pipeline.of(stream).is_table_paused
            }
            Step::Poll(place) => self.pipeline.of(place.stream).is_stream_paused,
            Step::Execute { record, .. } => {
                self.pipeline.of(self.pipeline.records[record].0).is_stream_paused
            }
            Step::Expire(_) | Step::Abandon(_) => false,
        };
        if waits {
            // A change of one key never overtakes another one.
            let ms = if matches!(step, Step::Replicate(_)) { 1_000 } else { self.random.between(500, 2_000) };
            return self.later(ms, step);
        }
        match step {
            Step::Put(row) => self.put(row),
            Step::Expire(index) => {
                let mut inner = self.link.inner();
                let now_ms = inner.now_ms;
                inner.events.expire(index, now_ms);
            }
            Step::Replicate(index) => self.replicate(index),
            Step::Poll(place) => self.poll(place),
            Step::Execute { record, attempt } => self.execute(record, attempt),
            Step::Look(message) => {
                let (source, capture) = self.capture();
                self.start(Job::Look(message.clone()), functions::look(source, capture, message));
            }
            Step::Abandon(task) => {
                if let Some(job) = self.pipeline.jobs.remove(&task) {
                    self.link.inner().trace(|| format!("nobody waits for #{task}"));
                    self.settle(job, None);
                }
            }
        }
    }

    /// One of two environments of the looking function; sometimes it is a new one.
    fn capture(&mut self) -> (Looker, Arc<Capture>) {
        let index = usize::from(self.random.chance(300));
        if self.random.chance(self.plan.killed) {
            self.pipeline.captures[index] = Arc::default();
        }
        let source = Looker(self.pipeline.source.0.with_clock(self.plan.skew_ms(index + 1)));
        (source, self.pipeline.captures[index].clone())
    }

    /// A function of the secondary. Each environment has its own clock.
    fn world(&self, environment: usize) -> Function {
        self.pipeline.world.with_clock(self.plan.skew_ms(environment))
    }

    fn replicate(&mut self, index: usize) {
        let (change, now_ms) = {
            let inner = self.link.inner();
            (inner.events.changes[index].clone(), inner.now_ms)
        };
        let number = self.pipeline.records.len();
        let stream = stream_of(&change.row);
        let old = self.pipeline.of_mut(stream).write(&change);
        let new = (!change.is_gone).then_some(&change.row);
        if old.is_none() && new.is_none() {
            return;
        }
        let record = record(number, now_ms, old.as_ref(), new);
        self.pipeline.records.push((stream, record));
        self.link.inner().trace(|| format!("record {number}: {} {}", change.device, change.event));
        if self.plan.workflow {
            for _ in 0..=u64::from(self.random.chance(self.plan.twice)) {
                let ms = self.random.between(5, 200);
                self.later(ms, Step::Execute { record: number, attempt: 1 });
            }
            return;
        }
        let place = Place::of(stream, &change.device);
        self.pipeline.shard(place).records.push(number);
        let ms = self.random.between(1, 200);
        self.later(ms, Step::Poll(place));
    }

    fn poll(&mut self, place: Place) {
        let size = usize::try_from(self.random.between(1, 6)).unwrap();
        let shard = self.pipeline.shard(place);
        if shard.busy || shard.next == shard.records.len() {
            return;
        }
        shard.busy = true;
        let (from, to) = (shard.next, shard.records.len().min(shard.next + size));
        let (numbers, policies) = (shard.records[from..to].to_vec(), shard.policies.clone());
        let records = numbers.iter().map(|number| self.pipeline.records[*number].1.clone()).collect();
        // The functions of the two mappings are other instances, with other clocks.
        let world = self.world(place.environment());
        self.start(Job::Batch { shard: place, from, to }, functions::replicate(world, policies, records));
    }

    fn execute(&mut self, record: usize, attempt: u32) {
        let free = self.pipeline.environments.iter().position(|environment| !environment.busy);
        let environment = free.unwrap_or_else(|| {
            self.pipeline.environments.push(Environment::default());
            self.pipeline.environments.len() - 1
        });
        let room = &mut self.pipeline.environments[environment];
        room.busy = true;
        let policies = room.policies.clone();
        let world = self.world(environment);
        let input = self.pipeline.records[record].1.clone();
        let job = Job::Execution { record, attempt, environment };
        self.start(job, functions::task(world, policies, input));
    }

    fn start(&mut self, job: Job, task: impl Future<Output = Done> + 'static) {
        let polls_left = self.random.chance(self.plan.killed).then(|| self.random.between(1, 30));
        let number = self.executor.next_task();
        self.link.inner().trace(|| format!("starts #{number} {job:?}"));
        let abandoned = matches!(job, Job::Batch { .. } | Job::Execution { .. } | Job::Look(_))
            && self.random.chance(self.plan.abandoned);
        self.executor.spawn(Box::pin(task), polls_left);
        self.pipeline.jobs.insert(number, job);
        if abandoned {
            let ms = self.random.between(1, 300);
            self.later(ms, Step::Abandon(number));
        }
    }

    /// A task has come to its end. One that nobody waits for any longer says nothing to anybody.
    pub(super) fn ended(&mut self, task: usize, end: End<Done>) {
        let Some(job) = self.pipeline.jobs.remove(&task) else { return };
        self.link.inner().trace(|| format!("ends #{task} {end:?}"));
        if let (End::Killed, Job::Batch { shard, .. }) = (&end, &job) {
            self.pipeline.shard(*shard).policies = Arc::default();
        }
        if let (End::Killed, Job::Execution { environment, .. }) = (&end, &job) {
            self.pipeline.environments[*environment].policies = Arc::default();
        }
        let done = match end {
            End::Finished(done) => done,
            End::Killed => None,
        };
        self.settle(job, done);
    }

    fn settle(&mut self, job: Job, done: Done) {
        let ignores_failures =
            self.link.inner().planted == Some(crate::simulation::planted::Planted::FailuresIgnored);
        let done = if ignores_failures { done.map(|_| Vec::new()) } else { done };
        match job {
            Job::Batch { shard: place, from, to } => {
                let shard = self.pipeline.shard(place);
                shard.busy = false;
                shard.next = match &done {
                    None => from,
                    Some(failures) => {
                        let first = failures.iter().min().and_then(|sequence| sequence.parse::<usize>().ok());
                        let records = &shard.records[from..to];
                        first
                            .and_then(|first| records.iter().position(|record| *record == first))
                            .map_or(to, |at| from + at)
                    }
                };
                let ms = self.random.between(10, 1_500);
                self.later(ms, Step::Poll(place));
            }
            Job::Execution { record, attempt, environment } => {
                if let Some(room) = self.pipeline.environments.get_mut(environment) {
                    room.busy = false;
                }
                if done.is_some_and(|failures| failures.is_empty()) {
                    return;
                }
                if attempt < ATTEMPTS_MAX {
                    let ms = self.random.between(500, 2_000) << attempt;
                    return self.later(ms, Step::Execute { record, attempt: attempt + 1 });
                }
                self.give_up(record);
            }
            Job::GiveUp { record } if done.is_none() => self.give_up(record),
            Job::Look(message) if done.is_none() => {
                let ms = self.random.between(500, 30_000);
                self.later(ms, Step::Look(message));
            }
            Job::Reconcile => self.pipeline.walks += u64::from(done.is_some()),
            Job::GiveUp { .. } | Job::Look(_) | Job::Repair => {}
        }
    }

    fn give_up(&mut self, record: usize) {
        let (world, row) = (self.world(3), self.pipeline.records[record].1.clone());
        self.start(Job::GiveUp { record }, functions::give_up(world, row));
    }

    pub(super) fn start_repair(&mut self) {
        let world = self.world(2);
        self.start(Job::Repair, functions::repair(world));
    }

    /// Nothing runs in the primary while it is gone.
    pub(super) fn start_reconcile(&mut self) {
        if !self.pipeline.primary_gone {
            let source = Looker(self.pipeline.source.0.with_clock(self.plan.skew_ms(0)));
            self.start(Job::Reconcile, functions::reconcile(source));
        }
    }
}
