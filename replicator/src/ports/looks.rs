//! The queue by which the primary's function is told to look.

use std::future::Future;

use crate::capture::Later;
use crate::outcome::Outcome;

/// The queue, for messages of the function to itself.
pub trait Looks: Sync {
    /// Sends a message that arrives after a while: at most 900 seconds, which is all that a queue of
    /// Amazon SQS can wait.
    fn later(&self, look: &Later, delay_s: u64) -> impl Future<Output = Outcome<()>> + Send;
}
