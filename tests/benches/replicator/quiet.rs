//! When the replicator is done: nothing is on its way any more, both Regions are equal, no event is in the error table.
//! Every figure of these benches ends with that.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use gameday_tests::site::Site;
use serde_json::json;

use crate::{
    calls::{self, Counted},
    http::Http,
};

const REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];
/// Calls stand still for this long when nothing is on its way: longer than a mapping waits before it gives a batch again.
const STILL: Duration = Duration::from_secs(6);
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// How often queues are looked at, which is not free.
const QUEUE_PERIOD: Duration = Duration::from_secs(1);
/// How long rows in the error table may outlast the last call: the repair looks at them each minute.
const ROWS_MAX: Duration = Duration::from_mins(3);
/// How far apart the counts are that are kept on the way.
const SLICE: Duration = Duration::from_secs(10);
/// Operations that change nothing begin with these.
const READING: [&str; 4] = ["Get", "List", "Describe", "Search"];

/// What was counted, and when the last change came to the secondary.
#[derive(Debug)]
pub(crate) struct Quiet {
    pub(crate) counts: Vec<Counted>,
    pub(crate) changed: Instant,
    /// The counts on the way, about every ten seconds, and when they were taken.
    pub(crate) slices: Vec<(Instant, Vec<Counted>)>,
}

/// What is to be done still: messages in all queues, shown, hidden from others and held back; and executions of workflows, of
/// which one is enough.
async fn waiting(http: &mut Http) -> Result<BTreeMap<String, u64>> {
    let mut waiting = BTreeMap::new();
    for region in REGIONS {
        let machines = http.rpc(region, "states", "AWSStepFunctions.ListStateMachines", &json!({})).await?;
        for arn in
            machines["stateMachines"].as_array().into_iter().flatten().map(|one| &one["stateMachineArn"])
        {
            let ask = json!({"stateMachineArn": arn, "statusFilter": "RUNNING", "maxResults": 1});
            let running = http.rpc(region, "states", "AWSStepFunctions.ListExecutions", &ask).await?;
            let running = running["executions"].as_array().context("a list of executions")?.len();
            waiting.insert(format!("executions of {arn}"), running as u64);
        }
        let list = http.rpc(region, "sqs", "AmazonSQS.ListQueues", &json!({})).await?;
        for url in list["QueueUrls"].as_array().into_iter().flatten() {
            let ask = json!({"QueueUrl": url, "AttributeNames": ["All"]});
            let answer = http.rpc(region, "sqs", "AmazonSQS.GetQueueAttributes", &ask).await?;
            let count = |name: &str| answer["Attributes"][name].as_str().and_then(|n| n.parse::<u64>().ok());
            let names = ["", "NotVisible", "Delayed"];
            let counts = names.map(|name| count(&format!("ApproximateNumberOfMessages{name}")));
            let name = url.as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
            let Some(counts) = counts.into_iter().sum::<Option<u64>>() else {
                bail!("the queue {name} does not say how many messages it has: {answer}");
            };
            waiting.insert(format!("{region} {name}"), counts);
        }
    }
    Ok(waiting)
}

/// Waits until no message is in a queue, no execution runs, no row is in the error table, and calls of AWS IoT stand still. A message that could not
/// be handled comes again after the queue's visibility timeout, so `within` is to be longer than that.
pub(crate) async fn wait(site: &Site, http: &mut Http, within: Duration) -> Result<Quiet> {
    let began = Instant::now();
    let (mut called, mut changed, mut looked) = (began, began, None::<Instant>);
    let (mut before, mut slices) = ((0, 0), Vec::<(Instant, Vec<Counted>)>::new());
    loop {
        let counts = calls::list(http).await?;
        if slices.last().is_none_or(|(taken, _)| taken.elapsed() >= SLICE) {
            slices.push((Instant::now(), counts.clone()));
        }
        let of_iot = || counts.iter().filter(|c| c.service.starts_with("iot"));
        let changing = of_iot()
            .filter(|c| c.region == REGIONS[1] && !READING.iter().any(|word| c.operation.starts_with(word)));
        let now = (of_iot().map(|c| c.answered).sum::<u64>(), changing.map(Counted::done).sum::<u64>());
        if now.0 != before.0 {
            called = Instant::now();
        }
        if now.1 != before.1 {
            changed = Instant::now();
        }
        before = now;
        let is_due = looked.is_none_or(|looked: Instant| looked.elapsed() > QUEUE_PERIOD);
        if called.elapsed() > STILL && is_due {
            looked = Some(Instant::now());
            let (waiting, rows) = (waiting(http).await?, site.errors().await?);
            if waiting.values().all(|count| *count == 0) && rows.is_empty() {
                return Ok(Quiet { counts, changed, slices });
            }
            ensure!(rows.is_empty() || called.elapsed() < ROWS_MAX, "rows in the error table:\n{rows}");
            let letters: Vec<_> = waiting.iter().filter(|(q, n)| q.contains("dead") && **n > 0).collect();
            ensure!(letters.is_empty(), "events were given up: {letters:?}");
            ensure!(began.elapsed() < within, "not quiet after {within:?}: {waiting:?}");
        }
        ensure!(began.elapsed() < within + STILL, "calls do not end within {within:?}");
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// The same; then both Regions must be equal. Counting ends before that is looked at, so that what was counted is the
/// replicator's.
pub(crate) async fn equal(site: &Site, http: &mut Http, within: Duration) -> Result<Quiet> {
    let quiet = wait(site, http, within).await?;
    calls::switch(http, false).await?;
    verify(site).await?;
    Ok(quiet)
}

/// Both Regions are equal, now, but for the Region in their policies.
pub(crate) async fn verify(site: &Site) -> Result<()> {
    let (primary, secondary) = tokio::try_join!(site.primary.snapshot(), site.secondary.snapshot())?;
    let differences = primary.moved(REGIONS[0], REGIONS[1])?.differences(&secondary);
    ensure!(
        differences.is_empty(),
        "nothing is on its way, and the Regions differ:\n{}",
        differences.join("\n")
    );
    Ok(())
}
