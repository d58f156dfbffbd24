//! What the logic needs of the world, as narrow as it can be.
//!
//! Each port has one adapter over AWS ([`crate::aws`]); the simulation brings its own. A call
//! answers with an [`Outcome`] whose class is settled by the adapter, is bounded in time by it, and
//! may have happened even if it failed.

mod looks;
mod region;
mod row;
mod table;

use std::future::Future;
use std::pin::pin;

use futures::future::{Either, select};

pub use looks::Looks;
pub use region::{Groups, Identities, Region, Shadows, Things, Types};
pub use row::{
    CertificateRow, GroupRow, IdentityRow, Memberships, PoliciesRow, PolicyRow, Row, ShadowRow, ThingRow,
    TypeRow,
};
pub use table::{Documents, ErrorRow, Errors, State, TAKE_KEY, Taken};

/// Time.
pub trait Clock: Sync {
    /// Wall time in milliseconds.
    fn now_ms(&self) -> u64;
    /// Waits.
    fn sleep_ms(&self, ms: u64) -> impl Future<Output = ()> + Send;
    /// Lets work go on for so long and no longer; `None` if it was not done by then. What it was
    /// waiting for may happen still.
    fn within<F>(&self, ms: u64, work: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future + Send,
        F::Output: Send,
    {
        async move {
            let (work, end) = (pin!(work), pin!(self.sleep_ms(ms)));
            match select(work, end).await {
                Either::Left((output, _)) => Some(output),
                Either::Right(((), _)) => None,
            }
        }
    }
}

/// Whoever applies events: the Region that is kept ready, what is remembered there, and the names of
/// both Regions. The other Region is never called: it may be gone.
pub trait World: Sync {
    /// The Region that is written.
    type Region: Region;
    /// The state table.
    type State: State;
    /// The error table.
    type Errors: Errors;
    /// The clock.
    type Clock: Clock;

    /// The account, the same in both Regions.
    fn account(&self) -> &str;
    /// The name of the Region in which the events began.
    fn primary_region(&self) -> &str;
    /// The name of the Region that is kept ready, in which this runs.
    fn secondary_region(&self) -> &str;
    /// The Region that is kept ready.
    fn region(&self) -> &Self::Region;
    /// The state table.
    fn state(&self) -> &Self::State;
    /// The error table.
    fn errors(&self) -> &Self::Errors;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}

/// Whoever looks at the Region in which devices live and writes down what no event carries.
pub trait Source: Sync {
    /// The Region that is looked at.
    type Region: Region;
    /// The event table, in that Region.
    type Documents: Documents;
    /// The clock.
    type Clock: Clock;

    /// The account.
    fn account(&self) -> &str;
    /// The name of the Region that is looked at.
    fn region_name(&self) -> &str;
    /// The Region that is looked at.
    fn region(&self) -> &Self::Region;
    /// The event table.
    fn documents(&self) -> &Self::Documents;
    /// The clock.
    fn clock(&self) -> &Self::Clock;
}
