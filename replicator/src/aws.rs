//! The ports over AWS: clients built in one place, every call bounded in time and tries.
//!
//! [`Aws`] is the [`World`] of whoever applies events, [`AwsSource`] the [`Source`] of whoever looks at
//! the primary, and [`AwsRegion`] either Region for tools that need both.

mod answers;
mod both;
mod clients;
mod columns;
mod documents;
mod errors;
mod errors_table;
mod executions;
mod groups;
mod identities;
mod listing;
mod policy_versions;
mod progress;
mod queue;
mod quota_share;
mod region;
mod shadows;
mod state;
mod things;
mod types;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use both::Both;
pub use clients::Clients;
pub use documents::EventTable;
pub use errors::class_of;
pub use errors_table::ErrorTable;
pub use executions::StateMachine;
pub use progress::ProgressTable;
pub use queue::Queue;
pub use quota_share::{QUOTA_SHARE, quota_share};
pub use region::AwsRegion;
pub use state::StateTable;

use crate::ports::{Clock, Source, World};

/// How long a connection may take to open.
pub const CONNECT_MS_MAX: u64 = 1_000;

/// How long one try of a call may take.
pub const ATTEMPT_MS_MAX: u64 = 3_000;

/// How often a call is tried; beyond this the mapping delivers the record again. A throttled call is worth waiting for: what
/// was done for the record before it would have to be done again.
pub const ATTEMPTS_MAX: u32 = 6;

/// The wait before the second try is up to this, and twice as long for each after it.
pub const WAIT_MS_FIRST: u64 = 250;

/// No wait is longer. Together they are less than half of what an event may take, so that two throttled calls are not too much.
pub const WAIT_MS_MAX: u64 = 1_000;

/// How long a call may take with all its tries and the waits between them.
pub const CALL_MS_MAX: u64 = 9_000;

/// What a function that applies events has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The account, the same in both Regions.
    pub account: String,
    /// The Region that is mirrored.
    pub primary_region: String,
    /// The Region that is kept ready.
    pub secondary_region: String,
    /// The name of the state table, in the secondary.
    pub state_table: String,
    /// The name of the error table, in the secondary.
    pub error_table: String,
}

/// The world as AWS, for whoever applies events. It talks to the secondary alone.
#[derive(Debug)]
pub struct Aws {
    settings: Settings,
    region: AwsRegion,
    state: StateTable,
    errors: ErrorTable,
    clock: SystemClock,
}

impl Aws {
    /// Builds the clients; nothing is called yet. Credentials and `AWS_ENDPOINT_URL` come from the
    /// environment as they do for every AWS SDK.
    pub async fn connect(settings: Settings) -> Self {
        let clients = Clients::in_region(&settings.secondary_region).await;
        let dynamodb = clients.dynamodb();
        Self {
            state: StateTable::new(dynamodb.clone(), settings.state_table.clone()),
            errors: ErrorTable::new(dynamodb, settings.error_table.clone()),
            region: AwsRegion::new(clients),
            clock: SystemClock,
            settings,
        }
    }
}

impl World for Aws {
    type Region = AwsRegion;
    type State = StateTable;
    type Errors = ErrorTable;
    type Clock = SystemClock;

    fn account(&self) -> &str {
        &self.settings.account
    }
    fn primary_region(&self) -> &str {
        &self.settings.primary_region
    }
    fn secondary_region(&self) -> &str {
        &self.settings.secondary_region
    }
    fn region(&self) -> &AwsRegion {
        &self.region
    }
    fn state(&self) -> &StateTable {
        &self.state
    }
    fn errors(&self) -> &ErrorTable {
        &self.errors
    }
    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}

/// The primary as AWS, for whoever looks at it and writes documents.
#[derive(Debug)]
pub struct AwsSource {
    account: String,
    region: AwsRegion,
    documents: EventTable,
    clock: SystemClock,
}

impl AwsSource {
    /// Builds the clients; nothing is called yet.
    pub async fn connect(
        account: String,
        region: &str,
        events_table: String,
        documents_table: String,
    ) -> Self {
        let clients = Clients::in_region(region).await;
        let (dynamodb, documents) = (clients.dynamodb(), Some(documents_table));
        Self {
            account,
            documents: EventTable::new(dynamodb, events_table, documents, region.to_owned()),
            region: AwsRegion::new(clients),
            clock: SystemClock,
        }
    }
}

impl Source for AwsSource {
    type Region = AwsRegion;
    type Documents = EventTable;
    type Clock = SystemClock;

    fn account(&self) -> &str {
        &self.account
    }
    fn region_name(&self) -> &str {
        self.region.name()
    }
    fn region(&self) -> &AwsRegion {
        &self.region
    }
    fn documents(&self) -> &EventTable {
        &self.documents
    }
    fn clock(&self) -> &SystemClock {
        &self.clock
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
