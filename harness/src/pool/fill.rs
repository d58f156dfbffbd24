//! Making the keys and CSRs that a fleet lacks, shard by shard: while one is written the next is made.

use std::{sync::mpsc::sync_channel, thread};

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;

use super::{Pool, Progress, keys, shard};
use crate::pool::{Shard, create_folder};

/// Shards that wait to be written. With the one being made and the one being written it bounds the memory.
const WAITING_MAX: usize = 1;

/// Makes what lacks; the answer is how many there are of. Whatever happens, what was finished before is kept.
pub(crate) fn fill(pool: &Pool, progress: &Progress, stop: &CancellationToken) -> anyhow::Result<u32> {
    let path = pool.shards_path();
    create_folder(&path)?;
    let there = match pool.shards()?.last() {
        Some(last) => last.first - 1 + last.devices()?,
        None => 0,
    };
    let manifest = &pool.manifest;
    progress.begin("keys", there, manifest.devices);
    let (sender, receiver) = sync_channel::<(u32, Vec<keys::Fresh>)>(WAITING_MAX);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut there = there;
            for (first, fresh) in receiver {
                Shard::write(&path, first, &fresh)?;
                there += u32::try_from(fresh.len())?;
                progress.at(there);
            }
            anyhow::Ok(there)
        });
        let mut first = there + 1;
        while first <= manifest.devices && !stop.is_cancelled() {
            let last = manifest.devices.min(first + shard::SHARD_DEVICES - 1);
            let names: Vec<String> = (first..=last).map(|number| manifest.device(number)).collect();
            let Some(made) = keys::make(&names, manifest.key, stop)? else { break };
            // Gone is the writer only if it failed, and it says why.
            if sender.send((first, made)).is_err() {
                break;
            }
            first = last + 1;
        }
        drop(sender);
        writer.join().map_err(|_| anyhow!("writing keys panicked"))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyKind;

    #[test]
    fn shards_are_full_but_the_last_and_a_stop_keeps_what_is_whole() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 2 * shard::SHARD_DEVICES + 7;
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(fill(&pool, &Progress::silent(), &stop).unwrap(), 0);
        let all = fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        assert_eq!(all, pool.manifest.devices);
        let shards = pool.shards().unwrap();
        let sizes: Vec<(u32, u32)> =
            shards.iter().map(|shard| (shard.first, shard.devices().unwrap())).collect();
        assert_eq!(sizes, [(1, 1_000), (1_001, 1_000), (2_001, 7)]);
    }
}
