//! One Region: its clients, and what is known of it for a while.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Clients;
use crate::outcome::Outcome;

/// How long a group is taken to be what it was.
const KIND_MS_MAX: u64 = 10 * 60 * 1_000;

/// How many groups are remembered. Beyond this all are forgotten and asked about again.
const KINDS_MAX: usize = 4_096;

/// A Region of AWS: all ports of [`crate::ports::Region`].
#[derive(Debug)]
pub struct AwsRegion {
    clients: Clients,
    iot: aws_sdk_iot::Client,
    kinds: Mutex<BTreeMap<String, Kind>>,
}

/// Whether a group is static, and since when that is known.
#[derive(Debug, Clone, Copy)]
struct Kind {
    is_static: bool,
    since: Instant,
}

impl AwsRegion {
    /// The Region of that name, for tools. Nothing is called yet.
    pub async fn connect(name: &str) -> Self {
        Self::new(Clients::in_region(name).await)
    }

    /// Over clients of that Region.
    pub fn new(clients: Clients) -> Self {
        Self { iot: clients.iot(), clients, kinds: Mutex::new(BTreeMap::new()) }
    }

    /// The Region's name.
    pub fn name(&self) -> &str {
        self.clients.name()
    }

    /// Its clients, for tools that need others.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The control plane, when it is that operation's turn.
    pub(super) async fn iot(&self, operation: &'static str) -> &aws_sdk_iot::Client {
        self.clients.turns().take(operation).await;
        &self.iot
    }

    pub(super) async fn data(&self) -> Outcome<&aws_sdk_iotdataplane::Client> {
        self.clients.data(&self.iot).await
    }

    /// Whether a group is static, if that is known.
    pub(super) fn known_static(&self, group: &str) -> Option<bool> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.get(group)?;
        (kind.since.elapsed() < Duration::from_millis(KIND_MS_MAX)).then_some(kind.is_static)
    }

    pub(super) fn remember_static(&self, group: &str, is_static: bool) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= KINDS_MAX {
            kinds.clear();
        }
        kinds.insert(group.to_owned(), Kind { is_static, since: Instant::now() });
    }
}
