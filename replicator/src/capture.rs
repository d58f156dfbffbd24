//! Looks at the primary and writes down what no event carries: principals, certificates, policies.
//!
//! What tells it to look: API-call events, by a queue; the creation of things, by the stream of the
//! primary's own replica of the event table; and itself, when there was nothing to see yet.
//!
//! It guarantees: whatever was changed is looked at after the change, or the message that told of it
//! is delivered again. An event that a later look covers costs no call. So nothing is looked at at once:
//! a device is made by several calls, one after the other, and the one look [`SETTLE_S`] after the first
//! sees what all of them made. A new device costs the three calls of that look.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{info, warn};

pub mod api_event;
mod look;
mod memory;
mod message;
#[cfg(test)]
mod tests;

use crate::batch::{ItemFailure, Response};
use crate::crowd::Crowd;
use crate::document::Key;
use crate::lost;
use crate::mode::Mode;
use crate::outcome::Outcome;
use crate::ports::{Clock, Documents, Looks, Source};
use memory::Memory;
use message::Message;

/// By how much a look must be younger than an event to be known to have seen what the event tells:
/// API-call events say whole seconds, and clocks differ a little.
pub const CLOCK_MARGIN_MS: u64 = 2_000;

/// How long a message waits in the queue before it is looked at, in seconds; the queue has the same delay
/// for the messages of others. More than [`CLOCK_MARGIN_MS`], so that the look covers the calls that
/// were made within the rest of it.
pub const SETTLE_S: u64 = 3;

/// How many looks are made at once, at the most. The control plane allows about ten calls of a kind in a second.
pub const LOOKS_AT_ONCE_MAX: usize = 8;

/// How long before the function's deadline no further look is begun.
pub const DEADLINE_MARGIN_MS: u64 = 5_000;

/// When to look again for what was not to be seen, in seconds; after the last one it is given up, and
/// `reconcile` finds what comes still later.
pub const AGAIN_S: [u64; 4] = [2, 15, 60, 300];

/// How long to wait before the next look at something that could not be looked at; twice as long after
/// each failure, up to a minute. A message that is merely not done would come again only after the
/// queue's visibility time, which is minutes.
const RETRY_S: u64 = 2;
const RETRY_S_MAX: u64 = 60;

/// After so many failures in a row a message is left to the queue, and so to its dead letters. Together
/// with the waits between them they last longer than a throttled hour.
const FAILURES_MAX: u32 = 60;

/// What a look is to show, if the change can be told from what is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shows {
    /// Unknown: only a look after the event will do.
    #[default]
    Whatever,
    /// At least one entry.
    Anything,
    /// This entry: a certificate's identity, a policy's name; empty for that it exists.
    Entry(String),
    /// Nothing: it is enough that it was ever looked at.
    Known,
}

/// That something is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// What.
    pub key: Key,
    /// When it changed.
    pub since_ms: u64,
    /// What is to be seen.
    pub shows: Shows,
}

/// A message of this function to itself, in the queue of API-call events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// What to look at.
    pub look: Key,
    /// When it was looked at last.
    pub since_ms: u64,
    /// What is to be seen.
    #[serde(default)]
    pub shows: Shows,
    /// How often it was looked at again.
    pub tries: usize,
    /// How often it could not be looked at.
    #[serde(default)]
    pub failures: u32,
}

/// The function: its mode, and its memory between batches.
#[derive(Debug)]
pub struct Capture {
    mode: Mode,
    memory: Memory,
    crowd: Crowd,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new(Mode::default())
    }
}

/// A look that one message of a batch asks for.
#[derive(Debug)]
struct Asked {
    want: Want,
    /// How often it was looked at again.
    tries: usize,
    /// How often it could not be looked at.
    failures: u32,
    /// The place of its message.
    message: usize,
}

/// All that a batch asks for about one key.
type AskedOfKey = Vec<Asked>;

impl Capture {
    /// In that mode.
    pub fn new(mode: Mode) -> Self {
        Self { mode, memory: Memory::default(), crowd: Crowd::new(LOOKS_AT_ONCE_MAX) }
    }

    /// Handles whatever the function is invoked with. `deadline_ms` is the wall time at which it is
    /// ended.
    pub async fn handle<S: Source, L: Looks>(
        &self,
        source: &S,
        looks: &L,
        event: &Value,
        deadline_ms: u64,
    ) -> Outcome<Response> {
        if lost::is_lost(event) {
            return lost::apply(source, event).await.map(|()| Response::default());
        }
        if self.mode == Mode::JustInTime {
            return Ok(Response::default());
        }
        Ok(self.batch(source, looks, event, deadline_ms).await)
    }

    /// Handles what a mapping delivers: `Records` of the queue or of the stream. Names in its answer
    /// what is to be delivered again.
    async fn batch<S: Source, L: Looks>(
        &self,
        source: &S,
        looks: &L,
        event: &Value,
        deadline_ms: u64,
    ) -> Response {
        let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
        let messages: Vec<Message> =
            records.iter().map(|record| message::read(record, source.region_name())).collect();
        let (mut keys, mut failed) = (BTreeMap::<Key, AskedOfKey>::new(), BTreeSet::new());
        for (index, message) in messages.iter().enumerate() {
            match &message.wants {
                Ok(wants) if message.is_of_stream => {
                    if settle(looks, wants).await.is_err() {
                        failed.insert(index);
                    }
                }
                Ok(wants) => wants.iter().for_each(|want| {
                    let Message { tries, failures, .. } = *message;
                    let asked = Asked { want: want.clone(), tries, failures, message: index };
                    keys.entry(want.key.clone()).or_default().push(asked);
                }),
                Err(why) => {
                    warn!(message = message.id, why, "cannot be read");
                    failed.insert(index);
                }
            }
        }
        for (key, why) in self.looks(source, looks, &keys, deadline_ms).await {
            warn!(key = key.device(), why, "could not be looked at");
            for asked in &keys[&key] {
                let is_postponed = asked.failures < FAILURES_MAX && postpone(looks, asked).await.is_ok();
                if !is_postponed {
                    failed.insert(asked.message);
                }
            }
        }
        let failures =
            failed.into_iter().map(|index| ItemFailure { sequence: messages[index].id.clone() }).collect();
        Response { failures, ..Response::default() }
    }

    /// Looks at all keys, many at once; says which could not be looked at, and why. Policies come
    /// first, for whatever has them is written down with them, and things before certificates, for a
    /// look at a thing is one at its certificates.
    async fn looks<S: Source, L: Looks>(
        &self,
        source: &S,
        looks: &L,
        keys: &BTreeMap<Key, AskedOfKey>,
        deadline_ms: u64,
    ) -> Vec<(Key, String)> {
        let turn = |key: &Key| match key {
            Key::Policy(_) => 0,
            Key::Identity(_) => 1,
            Key::Certificate(_) | Key::GroupPolicies(_) => 2,
        };
        let mut failures = Vec::new();
        for now in 0..=2 {
            let turn = keys.iter().filter(|(key, _)| turn(key) == now).map(|(key, asked)| async move {
                let too_late = source.clock().now_ms().saturating_add(DEADLINE_MARGIN_MS) > deadline_ms;
                if too_late {
                    return Some((key.clone(), "no time is left".to_owned()));
                }
                let failure = self.one(source, looks, key, asked).await.err()?;
                Some((key.clone(), failure.to_string()))
            });
            let done: Vec<Option<(Key, String)>> =
                self.crowd.work(source.clock(), turn, Option::is_none).await;
            failures.extend(done.into_iter().flatten());
        }
        failures
    }

    /// Looks at a key, unless that was done already; looks again later for each change that is not to be seen.
    async fn one<S: Source, L: Looks>(
        &self,
        source: &S,
        looks: &L,
        key: &Key,
        asked: &[Asked],
    ) -> Outcome<()> {
        let known_ms = source.documents().looked_ms(key).await?;
        let wants = || asked.iter().map(|asked| &asked.want);
        if self.memory.covers(key, known_ms, wants()).await {
            return Ok(());
        }
        let is_made = wants().all(|want| want.shows == Shows::Anything);
        let seen = self.look(source, key, known_ms, is_made).await?;
        for Asked { want, tries, .. } in asked.iter().filter(|asked| !seen.shows(&asked.want)) {
            let (look, since_ms, shows) = (key.clone(), seen.looked_ms, want.shows.clone());
            let Some(delay_s) = AGAIN_S.get(*tries) else {
                info!(key = key.device(), ?shows, "was not to be seen; no further look");
                continue;
            };
            let later = Later { look, since_ms, shows, tries: tries + 1, failures: 0 };
            looks.later(&later, *delay_s).await?;
        }
        Ok(())
    }
}

/// Asks for a look when the calls that follow the one that was told of have been made too.
async fn settle<L: Looks>(looks: &L, wants: &[Want]) -> Outcome<()> {
    for want in wants {
        let (look, since_ms, shows) = (want.key.clone(), want.since_ms, want.shows.clone());
        looks.later(&Later { look, since_ms, shows, tries: 0, failures: 0 }, SETTLE_S).await?;
    }
    Ok(())
}

/// Asks again for what could not be looked at. A failure is no try.
async fn postpone<L: Looks>(looks: &L, asked: &Asked) -> Outcome<()> {
    let Asked { want: Want { key, since_ms, shows }, tries, failures, .. } = asked;
    let delay_s = RETRY_S.saturating_mul(1 << (*failures).min(10)).min(RETRY_S_MAX);
    let (look, since_ms, shows) = (key.clone(), *since_ms, shows.clone());
    looks.later(&Later { look, since_ms, shows, tries: *tries, failures: failures + 1 }, delay_s).await
}
