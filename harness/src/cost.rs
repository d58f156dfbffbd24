//! What a game day costs a run, and what the replicator costs a month: quantities times prices. Quantities come from the plan; prices
//! from one file (`data/prices.csv`), each with its source and the day on which it was read. All of it is offline: prices are as
//! old as the file says, and are those of us-east-1.

mod bill;
mod guide;
mod month;
mod price;
mod recorded;
mod show;
mod usage;

pub(crate) use bill::Bill;
pub(crate) use guide::{Example, examples};
pub(crate) use month::{Dispatch, Month, TRANSITIONS};
pub(crate) use price::{Moment, Prices};
pub(crate) use recorded::Recorded;
pub(crate) use show::{notes, show, show_examples, total, usd};
pub(crate) use usage::Usage;
