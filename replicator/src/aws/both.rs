//! Both Regions, for tools that compare them.

use std::time::Duration;

use super::{AwsRegion, SystemClock};
use crate::look::{Names, Regions};
use crate::ports::Clock;

/// Both Regions with their clients, and what they are called.
#[derive(Debug)]
pub struct Both {
    /// The Region in which devices live.
    pub primary: AwsRegion,
    /// The Region that is kept ready.
    pub secondary: AwsRegion,
    /// Their names, and the account in them.
    pub names: Names,
    /// The clock.
    pub clock: SystemClock,
}

impl Both {
    /// Of one account.
    pub fn new(primary: AwsRegion, secondary: AwsRegion, account: String) -> Self {
        let (here, there) = (primary.name().to_owned(), secondary.name().to_owned());
        let names = Names { primary: here, secondary: there, account };
        Self { primary, secondary, names, clock: SystemClock }
    }

    /// The same, as whoever compares takes them.
    pub fn regions(&self) -> Regions<'_, AwsRegion, AwsRegion, SystemClock> {
        Regions::new(&self.primary, &self.secondary, &self.clock, self.names.clone())
    }

    /// The moment so long from now, by the clock that is looked at.
    pub fn deadline_ms(&self, time: Duration) -> u64 {
        self.clock.now_ms().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}
