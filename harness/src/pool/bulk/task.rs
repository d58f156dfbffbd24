//! One bulk registration: started, waited for, and what it came to.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, anyhow, bail};
use aws_sdk_iot::{
    operation::describe_thing_registration_task::DescribeThingRegistrationTaskOutput, types::Status,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    input::{Input, template},
    recover::recover,
    reports, settle, store,
};
use crate::{
    aws::{Missing, RegionClients, describe},
    pool::create::{Creation, Failed},
};

/// How often a task is asked how far it is.
const POLL: Duration = Duration::from_secs(1);
/// A task is waited for this long; it goes on after that, and a later call finds it.
const TASK_MAX: Duration = Duration::from_hours(24);
/// A task that is told to stop gets this long.
const STOP_MAX: Duration = Duration::from_mins(5);
/// Tasks among which one is looked for whose id was not written down in time. AWS lists those of 30 days.
const TASKS_LOOKED_MAX: usize = 1_000;
/// A task that AWS does not know was forgotten if it is older than this: they are kept for 30 days. A younger one may be about to be
/// seen.
const FORGOTTEN_MIN: SignedDuration = SignedDuration::from_hours(24);

/// A task that was begun, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// What its input is called on this disk.
    input: String,
    /// What AWS calls it; none: it may not have come to that.
    task_id: Option<String>,
    bucket: String,
    key: String,
    /// The bucket was made for it, and goes with it.
    bucket_is_ours: bool,
    /// When it was begun; none: long ago.
    #[serde(default)]
    begun: Option<Timestamp>,
}

impl Task {
    fn is_old(&self) -> bool {
        self.begun.is_none_or(|begun| Timestamp::now().duration_since(begun) > FORGOTTEN_MIN)
    }
}

/// How waiting for a task ended.
enum Waited {
    Ended(Box<DescribeThingRegistrationTaskOutput>),
    /// AWS knows no such task.
    Unknown,
    /// Whoever waited was told not to.
    Stopped,
}

/// Uploads the input and starts a task for it. Each step is written down before it is done. `is_known`: things that are there are
/// the fleet's.
pub(super) async fn start(creation: &mut Creation<'_>, input: &Input, is_known: bool) -> anyhow::Result<()> {
    let clients = &creation.aws.primary;
    let given = creation.delivery.bucket.clone();
    let task = Task {
        key: format!("gameday/{}/{}.ndjson", creation.pool.manifest.name, input.id),
        bucket_is_ours: given.is_none(),
        bucket: given.unwrap_or_else(|| format!("gameday-fleet-{}-{}", creation.home.account, input.id)),
        input: input.id.clone(),
        task_id: None,
        begun: Some(Timestamp::now()),
    };
    creation.making_mut()?.task = Some(task.clone());
    creation.pool.save()?;
    if task.bucket_is_ours {
        store::make_bucket(clients, &task.bucket).await?;
    }
    store::upload(clients, &task.bucket, &task.key, input.path()).await?;
    let template = template(&creation.making()?.recipe, is_known).to_string();
    let start = clients.iot.start_thing_registration_task().template_body(template);
    let start =
        start.input_file_bucket(&task.bucket).input_file_key(&task.key).role_arn(&creation.delivery.role);
    let started = start.send().await;
    let started =
        started.map_err(|e| anyhow!(describe(&e))).context("the bulk registration could not be started")?;
    let task_id = started.task_id.context("a task without its id")?;
    creation.output.line(&format!("bulk registration {task_id} in {}", clients.region));
    creation.making_mut()?.task = Some(Task { task_id: Some(task_id), ..task });
    creation.pool.save()
}

/// Waits for the task under way and writes down what it made; the answer is what failed. If it is told to stop, the task is
/// left to AWS and stays written down.
pub(super) async fn finish(creation: &mut Creation<'_>) -> anyhow::Result<Failed> {
    let mut task = creation.making()?.task.clone().context("no task is under way")?;
    let clients = &creation.aws.primary;
    if task.task_id.is_none() {
        task.task_id = find(clients, &task.key, TASKS_LOOKED_MAX).await?;
    }
    let mut failed = Failed::new();
    let waited = match &task.task_id {
        Some(task_id) => wait(creation, task_id).await?,
        None => Waited::Unknown,
    };
    match (waited, &task.task_id) {
        (Waited::Stopped, _) => return Ok(failed),
        (Waited::Ended(ended), Some(task_id)) => {
            let input = Input::read(creation.pool, &task.input)?;
            let outcome = reports::read(creation.aws, creation.pool, &input, task_id).await?;
            let made_count = usize::try_from(ended.success_count).unwrap_or_default();
            failed = settle(creation.pool, &input, outcome, made_count)
                .with_context(|| format!("bulk registration {task_id} has ended"))?;
            if ended.status != Some(Status::Completed) {
                let status = ended.status.map_or_else(String::new, |status| status.as_str().to_owned());
                let why = ended.message.unwrap_or_default();
                creation.output.line(&format!("bulk registration {task_id} is {status}: {why}"));
            }
        }
        (_, task_id) if task.is_old() => {
            let input = Input::read(creation.pool, &task.input)?;
            let Some(outcome) = recover(creation, &input).await? else { return Ok(failed) };
            creation.output.line(&format!(
                "bulk registration {} is not known any more; {} devices that it made were found. A certificate of it that no thing \
                 has is not known: aws iot list-targets-for-policy --region {} --policy-name {} names them",
                task_id.as_deref().unwrap_or("without an id"),
                outcome.results.len(),
                clients.region,
                creation.making()?.recipe.policy
            ));
            let found_count = outcome.results.len();
            failed = settle(creation.pool, &input, outcome, found_count)?;
        }
        // It may be about to be seen.
        (_, Some(task_id)) => bail!("bulk registration {task_id} is not known; call again later"),
        // It did not come to that.
        (_, None) => {}
    }
    store::remove(clients, &task.bucket, &task.key, task.bucket_is_ours).await?;
    creation.making_mut()?.task = None;
    creation.pool.save()?;
    Ok(failed)
}

/// Tells the task under way to stop.
pub(super) async fn stop(creation: &Creation<'_>) -> anyhow::Result<()> {
    let task = creation.making()?.task.clone().context("no task is under way")?;
    let clients = &creation.aws.primary;
    let task_id = match task.task_id {
        Some(task_id) => Some(task_id),
        None => find(clients, &task.key, TASKS_LOOKED_MAX).await?,
    };
    let Some(task_id) = task_id else { return Ok(()) };
    let has_ended = async || {
        let task = describe_task(clients, &task_id).await?;
        // Of one that is not known there is nothing to stop.
        anyhow::Ok(task.is_none_or(|task| has_ended(&task)))
    };
    if has_ended().await? {
        return Ok(());
    }
    let stop = clients.iot.stop_thing_registration_task().task_id(&task_id).send().await;
    stop.map_err(|e| anyhow!(describe(&e)))
        .with_context(|| format!("bulk registration {task_id} cannot be stopped"))?;
    let limit = Instant::now() + STOP_MAX;
    while !has_ended().await? {
        if Instant::now() > limit {
            bail!("bulk registration {task_id} was told to stop, and goes on");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Waits until it has ended.
async fn wait(creation: &Creation<'_>, task_id: &str) -> anyhow::Result<Waited> {
    let limit = Instant::now() + TASK_MAX;
    let before = creation.pool.counts()?.made;
    loop {
        let Some(task) = describe_task(&creation.aws.primary, task_id).await? else {
            return Ok(Waited::Unknown);
        };
        creation.progress.at(before + u32::try_from(task.success_count).unwrap_or_default());
        if has_ended(&task) {
            return Ok(Waited::Ended(Box::new(task)));
        }
        if Instant::now() > limit {
            bail!(
                "bulk registration {task_id} goes on for more than {} h; call again later",
                TASK_MAX.as_secs() / 3_600
            );
        }
        tokio::select! {
            () = creation.stop.cancelled() => {
                creation.output.line(&format!("bulk registration {task_id} goes on in AWS; the same command waits for it again"));
                return Ok(Waited::Stopped);
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

fn has_ended(task: &DescribeThingRegistrationTaskOutput) -> bool {
    !matches!(task.status, Some(Status::InProgress | Status::Cancelling))
}

/// None: AWS knows no such task.
async fn describe_task(
    clients: &RegionClients,
    task_id: &str,
) -> anyhow::Result<Option<DescribeThingRegistrationTaskOutput>> {
    let described = clients.iot.describe_thing_registration_task().task_id(task_id).send().await;
    described.missing_ok().with_context(|| format!("bulk registration {task_id} cannot be asked for"))
}

/// The task with this input, if there is one; that there is none is said when all were looked at. Those that run come first: it is
/// them that matter.
async fn find(clients: &RegionClients, key: &str, looked_max: usize) -> anyhow::Result<Option<String>> {
    let mut looked = BTreeSet::new();
    for status in [Some(Status::InProgress), Some(Status::Cancelling), None] {
        let list = clients.iot.list_thing_registration_tasks().set_status(status);
        let mut list = list.into_paginator().items().send();
        while let Some(task_id) = list.next().await {
            let task_id =
                task_id.map_err(|e| anyhow!(describe(&e))).context("bulk registrations cannot be listed")?;
            if !looked.insert(task_id.clone()) {
                continue;
            }
            if looked.len() > looked_max {
                bail!(
                    "whether a bulk registration was started cannot be said: {} has more than {looked_max}",
                    clients.region
                );
            }
            let described = clients.iot.describe_thing_registration_task().task_id(&task_id).send().await;
            if described.missing_ok()?.is_some_and(|task| task.input_file_key.as_deref() == Some(key)) {
                return Ok(Some(task_id));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use gameday_twin::Moment;

    use super::*;
    use crate::pool::{Given, Method, site::Site};

    async fn ended(site: &Site, task_id: &str) {
        while !has_ended(&describe_task(&site.aws.primary, task_id).await.unwrap().unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_is_not_said_to_be_absent_before_all_were_looked_at() {
        let site = Site::start().await;
        let iot = &site.aws.primary.iot;
        let template = template(&crate::fleet::Recipe::default(), false).to_string();
        let mut ids = Vec::new();
        for n in 1..=3 {
            let start = iot.start_thing_registration_task().template_body(&template);
            let start = start.input_file_bucket("no-such-bucket").input_file_key(format!("input-{n}"));
            let started = start.role_arn("arn:aws:iam::123456789012:role/any").send().await.unwrap();
            let task_id = started.task_id.unwrap();
            // One runs at a time.
            ended(&site, &task_id).await;
            ids.push(task_id);
        }
        let find = async |key: &str, looked_max| find(&site.aws.primary, key, looked_max).await;
        assert_eq!(find("input-2", 3).await.unwrap(), Some(ids.swap_remove(1)));
        assert_eq!(find("input-4", 3).await.unwrap(), None);
        let error = find("input-4", 2).await.unwrap_err().to_string();
        assert!(error.contains("more than 2"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_whose_start_was_not_answered_is_found_and_its_devices_are_made_once() {
        let site = Site::start().await;
        let mut pool = site.pool("lamps", 3);
        let given = Given { by: Some(Method::Bulk), ..Given::default() };
        let lost = site.fail("StartThingRegistrationTask", None, Moment::After);
        assert!(site.creation(&mut pool).run(&given).await.is_err());
        drop(lost);
        assert_eq!(site.creation(&mut pool).run(&given).await.unwrap(), Failed::new());
        assert_eq!(pool.counts().unwrap().made, 3);
        assert_eq!(site.certificates(&site.aws.primary).await.len(), 3, "one a device");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_task_made_that_aws_has_forgotten_is_found_by_its_keys() {
        let site = Site::start().await;
        let iot = &site.aws.primary.iot;
        for (fleet, is_to_go) in [("lamps", false), ("pumps", true)] {
            let mut pool = site.pool(fleet, 3);
            let given = Given { by: Some(Method::Bulk), ..Given::default() };
            let lost = site.fail("StartThingRegistrationTask", None, Moment::After);
            site.creation(&mut pool).run(&given).await.unwrap_err();
            drop(lost);
            let tasks = iot.list_thing_registration_tasks().send().await.unwrap();
            for task_id in tasks.task_ids() {
                ended(&site, task_id).await;
            }
            let before = site.certificates(&site.aws.primary).await;
            let task = pool.manifest.making.as_mut().unwrap().task.as_mut().unwrap();
            task.task_id = Some("0c1d7a3e-0000-4000-8000-000000000000".into());
            let young = site.creation(&mut pool).run(&given).await.unwrap_err();
            assert!(young.to_string().contains("is not known; call again later"), "{young:#}");
            let task = pool.manifest.making.as_mut().unwrap().task.as_mut().unwrap();
            task.begun = Some(Timestamp::now() - SignedDuration::from_hours(24 * 31));
            if !is_to_go {
                assert_eq!(site.creation(&mut pool).run(&given).await.unwrap(), Failed::new());
                assert_eq!(pool.counts().unwrap().made, 3);
                assert_eq!(site.certificates(&site.aws.primary).await, before, "no second ones");
            }
            assert_eq!(site.delete(&mut pool).await, [""; 0]);
            assert!(site.certificates(&site.aws.primary).await.is_empty(), "{fleet}");
        }
    }
}
