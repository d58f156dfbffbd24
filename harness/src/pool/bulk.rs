//! Making devices by bulk registration: a file of names and CSRs in S3, a task of AWS IoT that goes through it, and its reports.
//!
//! AWS runs one task an account and Region, and at its own pace. A task goes on when gameday ends: the next call finds it by what
//! is written down, waits for it and reads its reports. What failed is tried again, line by line, in further tasks.

mod input;
mod reports;
mod store;
mod task;

use std::collections::BTreeMap;

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};

pub(crate) use task::Task;

use self::{input::Input, reports::Outcome};
use super::{
    Pool, Shard, State,
    create::{Creation, Failed},
    look::look_at,
    states::{self, Fact, States},
};
use crate::identity::certificate_id;

/// Lines of a task, so that neither its file nor its reports grow with the fleet. The guide's fleet fits into one.
const LINES_MAX: usize = 30_000;
/// How often a device is tried.
const ATTEMPTS_MAX: u32 = 3;
/// Devices that are looked at once.
const PARALLEL: usize = 32;
/// Where inputs and reports are kept.
const FOLDER: &str = "bulk";

/// How AWS gets at the input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delivery {
    /// The bucket, in the primary; without one a bucket is made for the task and deleted after it.
    pub(crate) bucket: Option<String>,
    /// The role that AWS IoT reads it with and makes devices with.
    pub(crate) role: String,
}

/// Makes every device that is not made.
pub(super) async fn make(creation: &mut Creation<'_>) -> anyhow::Result<Failed> {
    let devices = creation.pool.manifest.devices;
    creation.progress.begin("devices", creation.pool.counts()?.made, devices);
    let mut failed = Failed::new();
    if creation.making()?.task.is_some() {
        creation.output.line("a bulk registration that was begun before goes on");
        failed = task::finish(creation).await?;
    }
    for attempt in 1..=ATTEMPTS_MAX {
        let (is_known, mut todo) = (attempt > 1, lacking(creation.pool)?);
        // Of what failed before, only the last reason counts.
        failed.retain(|number, _| todo.binary_search(number).is_ok());
        if is_known {
            let foreign = foreign(creation, &todo).await?;
            todo.retain(|number| !foreign.contains_key(number));
            failed.extend(foreign);
            if !todo.is_empty() {
                creation.output.line(&format!("{} devices failed and are tried again", todo.len()));
            }
        }
        if todo.is_empty() {
            break;
        }
        for batch in todo.chunks(LINES_MAX) {
            if creation.stop.is_cancelled() {
                return Ok(failed);
            }
            let input = Input::write(creation.pool, batch)?;
            task::start(creation, &input, is_known).await?;
            failed.extend(task::finish(creation).await?);
        }
    }
    let lacking = lacking(creation.pool)?;
    failed.retain(|number, _| lacking.binary_search(number).is_ok());
    Ok(failed)
}

/// Those of the devices whose things are there already and are somebody else's.
async fn foreign(creation: &Creation<'_>, devices: &[u32]) -> anyhow::Result<Failed> {
    let (pool, aws) = (&*creation.pool, creation.aws);
    let looked =
        stream::iter(devices).map(async |number| {
            let known = look_at(aws, &aws.primary, &pool.device(*number)).await?;
            let is_foreign = known.is_some_and(|thing| !thing.is_of(&pool.manifest.name));
            anyhow::Ok(is_foreign.then(|| {
                (*number, "a thing of that name is there already and is not the fleet's".to_owned())
            }))
        });
    let looked: Vec<_> = looked.buffered(PARALLEL).try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}

/// Ends a task that runs, and writes down what it made: before a fleet is deleted all of it has to be known.
pub(super) async fn end(creation: &mut Creation<'_>) -> anyhow::Result<()> {
    if creation.making()?.task.is_some() {
        task::stop(creation).await?;
        task::finish(creation).await?;
    }
    Ok(())
}

/// Numbers of the devices that are not made, in order.
fn lacking(pool: &Pool) -> anyhow::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for shard in pool.shards()? {
        let states = states::read(&shard.states())?;
        let is_made = |number: &u32| matches!(states.get(number), Some(State::Made(_)));
        numbers.extend((shard.first..shard.first + shard.devices()?).filter(|number| !is_made(number)));
    }
    Ok(numbers)
}

/// Writes down what a task made; the answer is what it did not.
fn settle(pool: &Pool, input: &Input, outcome: Outcome) -> anyhow::Result<Failed> {
    let shards = pool.shards()?;
    let mut open: BTreeMap<u32, States> = BTreeMap::new();
    let mut failed: Failed = input
        .devices(&pool.manifest)
        .map(|number| (number, "the reports do not name it".to_owned()))
        .collect();
    for (line, why) in outcome.errors {
        // A line that is not ours would be somebody else's report.
        if let Some(number) = input.device(&pool.manifest, line) {
            failed.insert(number, why);
        }
    }
    for result in outcome.results {
        let Some(number) = pool.manifest.number(&result.thing) else { continue };
        let shard = shard_of(&shards, number).context("a device without a shard")?;
        let states = match open.entry(shard.first) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(States::open(&shard.states())?),
        };
        let certificate_id = certificate_id(&result.certificate_pem)?;
        let certificate_pem = result.certificate_pem;
        states.add(&Fact::Issued { device: number, certificate_id, certificate_pem })?;
        states.add(&Fact::Made { device: number })?;
        failed.remove(&number);
    }
    open.values().try_for_each(States::sync)?;
    Ok(failed)
}

fn shard_of(shards: &[Shard], number: u32) -> Option<&Shard> {
    shards.iter().rev().find(|shard| shard.first <= number)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::{reports::Registered, *};
    use crate::{
        identity::{KeyKind, named},
        pool::{Progress, fill},
    };

    #[test]
    fn what_a_task_made_is_written_down_and_the_rest_is_named() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 4;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        assert_eq!(lacking(&pool).unwrap(), [1, 2, 3, 4]);
        let input = Input::write(&pool, &[2, 3, 4]).unwrap();
        let key = KeyKind::P256.generate().unwrap();
        let pem = named("x").unwrap().self_signed(&key).unwrap().pem();
        let outcome = Outcome {
            results: vec![
                Registered { thing: "lamps-00003".into(), certificate_pem: pem.clone() },
                Registered { thing: "another-00001".into(), certificate_pem: pem.clone() },
            ],
            // The first line is device 2; there is no ninth.
            errors: vec![(1, "no such type".into()), (9, "what?".into())],
        };
        let failed = settle(&pool, &input, outcome).unwrap();
        let expected = [(2, "no such type"), (4, "the reports do not name it")];
        assert_eq!(failed, expected.map(|(number, why)| (number, why.to_owned())).into());
        assert_eq!(lacking(&pool).unwrap(), [1, 2, 4]);
        assert_eq!(pool.identity(3).unwrap().unwrap().certificate_pem, pem);
    }
}
