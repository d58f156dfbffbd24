//! Making devices by bulk registration: a file of names and CSRs in S3, a task of AWS IoT that goes through it, and its reports.
//!
//! AWS runs one task an account and Region, and at its own pace. A task goes on when gameday ends: the next call finds it by what
//! is written down, waits for it and reads its reports. What failed is tried again, line by line, in further tasks.

mod input;
mod recover;
mod reports;
mod store;
mod task;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};

pub(crate) use task::Task;

use self::{input::Input, reports::Outcome};
use super::{
    Pool, Shard, State, by_api,
    create::{Creation, Failed},
    look::look_at,
    states::{Fact, States},
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
    // A task would give them second certificates.
    if !creation.pool.those(|state| matches!(state, State::Issued(_)))?.is_empty() {
        failed.extend(Box::pin(by_api::finish(creation)).await?);
    }
    for attempt in 1..=ATTEMPTS_MAX {
        let todo = creation.pool.those(is_new)?;
        let Sighted { foreign, ours, absent } = if attempt == 1 {
            Sighted { absent: todo, ..Sighted::default() }
        } else {
            sight(creation, &todo).await?
        };
        failed.extend(foreign);
        let count = ours.len() + absent.len();
        if count == 0 {
            break;
        }
        if attempt > 1 {
            creation.output.line(&format!("{count} devices failed and are tried again"));
        }
        // What is not there now may be somebody else's a moment later, and fails then.
        for (are_ours, todo) in [(true, ours), (false, absent)] {
            for batch in todo.chunks(LINES_MAX) {
                if creation.stop.is_cancelled() {
                    return Ok(failed);
                }
                let input = Input::write(creation.pool, batch)?;
                task::start(creation, &input, are_ours).await?;
                failed.extend(task::finish(creation).await?);
            }
        }
    }
    // Of what failed, only what was not made since.
    let lacking = creation.pool.those(|state| !matches!(state, State::Made(_)))?;
    failed.retain(|number, _| lacking.binary_search(number).is_ok());
    Ok(failed)
}

/// Devices by what is there of them.
#[derive(Debug, Default)]
struct Sighted {
    /// Their things are somebody else's.
    foreign: Failed,
    /// Their things are there and are the fleet's.
    ours: Vec<u32>,
    absent: Vec<u32>,
}

async fn sight(creation: &Creation<'_>, devices: &[u32]) -> anyhow::Result<Sighted> {
    let (pool, aws) = (&*creation.pool, creation.aws);
    let look = async |number: &u32| {
        let thing = look_at(aws, &aws.primary, &pool.device(*number)).await?;
        anyhow::Ok((*number, thing.map(|thing| thing.is_of(&pool.manifest))))
    };
    let looked: Vec<_> = stream::iter(devices).map(look).buffered(PARALLEL).try_collect().await?;
    let mut sighted = Sighted::default();
    for (number, is_ours) in looked {
        match is_ours {
            None => sighted.absent.push(number),
            Some(true) => sighted.ours.push(number),
            Some(false) => {
                let why = "a thing of that name is there already and is not the fleet's".to_owned();
                sighted.foreign.insert(number, why);
            }
        }
    }
    Ok(sighted)
}

/// Ends a task that runs, and writes down what it made: before a fleet is deleted all of it has to be known.
pub(super) async fn end(creation: &mut Creation<'_>) -> anyhow::Result<()> {
    if creation.making()?.task.is_some() {
        task::stop(creation).await?;
        task::finish(creation).await?;
    }
    Ok(())
}

/// Whether a device has no certificate, or no longer.
fn is_new(state: &State) -> bool {
    state.is_to_make() && state.certificate().is_none()
}

/// Writes down what a task made; the answer is what it did not. `made_count` is what AWS says how many it made: while the reports
/// name fewer, one that they do not name may have a certificate, and none is said to have failed.
fn settle(pool: &Pool, input: &Input, outcome: Outcome, made_count: usize) -> anyhow::Result<Failed> {
    let named_count = outcome.results.len();
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
    if named_count < made_count {
        bail!("{made_count} devices were made, and the reports name {named_count} so far; call again later");
    }
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
        pool::{Given, Method, Progress, fill, site::Site},
    };

    #[test]
    fn what_a_task_made_is_written_down_and_the_rest_is_named() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 4;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        assert_eq!(pool.those(is_new).unwrap(), [1, 2, 3, 4]);
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
        let failed = settle(&pool, &input, outcome, 2).unwrap();
        let expected = [(2, "no such type"), (4, "the reports do not name it")];
        assert_eq!(failed, expected.map(|(number, why)| (number, why.to_owned())).into());
        assert_eq!(pool.those(is_new).unwrap(), [1, 2, 4]);
        assert_eq!(pool.identity(3).unwrap().unwrap().certificate_pem, pem);
    }

    #[test]
    fn a_device_that_the_reports_do_not_name_has_not_failed_while_they_lack_some() {
        let fleets = tempfile::tempdir().unwrap();
        let mut pool = Pool::begin(fleets.path(), "lamps", KeyKind::P256).unwrap();
        pool.manifest.devices = 3;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        let input = Input::write(&pool, &[1, 2, 3]).unwrap();
        let key = KeyKind::P256.generate().unwrap();
        let pem = named("x").unwrap().self_signed(&key).unwrap().pem();
        let outcome = || Outcome {
            results: vec![Registered { thing: "lamps-00002".into(), certificate_pem: pem.clone() }],
            errors: Vec::new(),
        };
        let error = settle(&pool, &input, outcome(), 2).unwrap_err().to_string();
        assert!(error.contains("2 devices were made, and the reports name 1"), "{error}");
        assert_eq!(pool.those(is_new).unwrap(), [1, 3], "what they name is written down");
        assert_eq!(settle(&pool, &input, outcome(), 1).unwrap().len(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn devices_that_have_a_certificate_keep_it_when_the_rest_is_made_in_bulk() {
        let site = Site::start().await;
        let mut pool = site.pool("lamps", 3);
        let refused = site.refuse("AttachThingPrincipal");
        assert_eq!(site.creation(&mut pool).run(&Given::default()).await.unwrap().len(), 3);
        drop(refused);
        let before = site.certificates(&site.aws.primary).await;
        pool.manifest.devices = 5;
        fill(&pool, &Progress::silent(), &CancellationToken::new()).unwrap();
        let given = Given { by: Some(Method::Bulk), ..Given::default() };
        assert_eq!(site.creation(&mut pool).run(&given).await.unwrap(), Failed::new());
        assert_eq!(pool.counts().unwrap().made, 5);
        let after = site.certificates(&site.aws.primary).await;
        assert!(before.iter().all(|id| after.contains(id)), "those of before");
        assert_eq!(after.len(), 5, "one a device");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_what_was_seen_to_be_the_fleets_is_written_over() {
        let site = Site::start().await;
        let iot = &site.aws.primary.iot;
        let mut pool = site.pool("lamps", 2);
        let group = "berlin".to_owned();
        iot.create_thing_group().thing_group_name(&group).send().await.unwrap();
        let given = Given { by: Some(Method::Bulk), groups: vec![group.clone()], ..Given::default() };
        let refused = site.refuse("StartThingRegistrationTask");
        site.creation(&mut pool).run(&given).await.unwrap_err();
        drop(refused);
        // Every line fails, so that what is there is looked at and tried again.
        iot.delete_thing_group().thing_group_name(&group).send().await.unwrap();
        let ours = aws_sdk_iot::types::AttributePayload::builder()
            .attributes(crate::names::FLEET_ATTRIBUTE, pool.manifest.mark())
            .build();
        iot.create_thing().thing_name("lamps-00001").attribute_payload(ours).send().await.unwrap();
        assert_eq!(site.creation(&mut pool).run(&given).await.unwrap().len(), 2);
        let tasks = iot.list_thing_registration_tasks().send().await.unwrap();
        let mut templates = Vec::new();
        for task in tasks.task_ids() {
            let task = iot.describe_thing_registration_task().task_id(task).send().await.unwrap();
            let is_written_over = task.template_body().unwrap().contains("REPLACE");
            let lines = task.failure_count() + task.success_count();
            templates.push((is_written_over, lines));
        }
        templates.sort_unstable();
        let wanted = [(false, 1), (false, 1), (false, 2), (true, 1), (true, 1)];
        assert_eq!(templates, wanted, "both; then the one that is there, and the other, twice");
    }
}
