//! Time to live: a slow task that deletes what has expired.
//!
//! An item is deleted by the Region that wrote it last; its stream says that the service did it. Elsewhere the deletion
//! arrives as any other, without that mark, as on AWS. The task also drops tombstones that are no longer needed.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    item::Value,
    table::{Key, Table},
    tables::Tables,
};
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
    let expired: Vec<(String, String, Vec<Key>)> =
        tables.all().map(|t| (t.region.clone(), t.name.clone(), expired_keys(t, now))).collect();
    let mut count = 0;
    for (region, name, keys) in expired {
        for key in keys {
            let gone = tables.write((&region, &name), &key, now, true, |_| Ok(None));
            count += usize::from(gone.is_ok());
        }
    }
    count
}

fn expired_keys(table: &Table, now: Timestamp) -> Vec<Key> {
    let Some(attribute) = &table.ttl_attribute else { return Vec::new() };
    let now_s = now.as_second();
    let is_over = |at: i64| at < now_s && at > now_s - AGE_MAX_S;
    table
        .rows()
        .filter(|(_, row)| row.stamp.region == table.region)
        .filter(|(_, row)| match row.item.as_ref().and_then(|item| item.get(attribute)) {
            Some(Value::N(at)) => at.whole().is_some_and(is_over),
            _ => false,
        })
        .map(|(key, _)| key.clone())
        .collect()
}
