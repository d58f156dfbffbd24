//! Time to live: a slow task that deletes what has expired.
//!
//! An item is deleted by the Region that wrote it last; its stream says that the service did it. Elsewhere the deletion
//! arrives as any other, without that mark, as on AWS. The task also drops tombstones that are no longer needed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{key::Key, tables::Tables};
use crate::world::World;

/// AWS takes up to days; a rehearsal wants to see it happen.
const PERIOD: Duration = Duration::from_mins(1);
/// What has expired longer ago than this is taken for a mistake and kept, as AWS does: five years.
const AGE_MAX_S: i64 = 5 * 365 * 24 * 3600;

/// Deletes expired items until the world ends.
pub(crate) async fn expire(world: Arc<World>) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = world.shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = world.clock.now();
        let expired = {
            let mut tables = world.dynamodb.tables.lock();
            tables.purge_tombstones();
            expire_now(&mut tables, now)
        };
        if expired > 0 {
            world.dynamodb.wake();
        }
    }
}

/// Deletes what has expired. Says how many items that were.
pub(crate) fn expire_now(tables: &mut Tables, now: Timestamp) -> usize {
    let now_s = now.as_second();
    let expired: Vec<(String, String, Vec<Key>)> = tables
        .all()
        .map(|t| (t.region.clone(), t.name.clone(), t.expired(now_s.saturating_sub(AGE_MAX_S), now_s)))
        .collect();
    let mut count = 0;
    for (region, name, keys) in expired {
        for key in keys {
            let gone = tables.write((&region, &name), &key, now, true, |_| Ok(None));
            count += usize::from(gone.is_ok());
        }
    }
    count
}
