//! Runs a bulk registration: reads the input from S3 and provisions line by line, at AWS's pace.
//!
//! AWS publishes no pace. The guide of its own disaster-recovery solution measured 30,000 things in 6,146 s, hence
//! [`LINES_PER_S`]; the twin's quota scale goes for it too. Each line also takes its calls from the Region's quotas, as AWS
//! says, and waits while they are used up.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{
    Registered, carry_out, failure,
    plan::Plan,
    report::{Place, Report, ReportKind},
    task::TaskInput,
    template::Template,
};
use crate::{error::AwsError, region::Region, s3, world::World};

/// What was measured on AWS.
const LINES_PER_S: f64 = 5.0;
/// However small the quota scale is.
const LINES_PER_S_MIN: f64 = 0.001;
/// As AWS has it.
const LINE_CHARS_MAX: usize = 256_000;
/// Lines of an input. AWS names no limit; at its pace these take more than two days.
const LINES_MAX: usize = 1_000_000;
/// Between two tries of a call that is over its quota.
const THROTTLED_WAIT: Duration = Duration::from_millis(100);
/// Tries until a line fails as throttled.
const THROTTLED_TRIES_MAX: u32 = 300;

/// The service's own bucket for reports.
pub(crate) fn reports_bucket(region: &str) -> String {
    format!("aws-iot-registration-reports-{region}")
}

/// Starts a task and answers its id.
pub(crate) fn start(world: &Arc<World>, region: &Arc<Region>, input: TaskInput) -> Result<String, AwsError> {
    let template = Template::parse(&input.template_body)?;
    let id = uuid::Uuid::new_v4().to_string();
    let outdated = region.registrations.lock().start(&id, input.clone(), world.clock.now_ms())?;
    for key in outdated {
        world.s3.delete_for_service(&reports_bucket(&region.name), &key);
    }
    let run = Run { world: Arc::clone(world), region: Arc::clone(region), id: id.clone(), template };
    world.tasks.spawn(async move {
        let shutdown = run.world.shutdown.clone();
        tokio::select! {
            () = run.run(input) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(id)
}

/// One task as it runs.
struct Run {
    world: Arc<World>,
    region: Arc<Region>,
    id: String,
    template: Template,
}

impl Run {
    async fn run(&self, input: TaskInput) {
        let (mut results, mut errors) = (Report::default(), Report::default());
        let outcome = match self.read(&input) {
            Ok(data) => match count(&data, LINES_MAX) {
                Ok(count) => {
                    self.lines(&data, count, &mut results, &mut errors).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let stored = self.store(ReportKind::Results, results).and_then(|mut keys| {
            keys.extend(self.store(ReportKind::Errors, errors)?);
            Ok(keys)
        });
        let (failure, reports) = match outcome.and(stored) {
            Ok(reports) => (None, reports),
            Err(error) => (Some(error.message), Vec::new()),
        };
        self.region.registrations.lock().end(&self.id, failure, reports, self.world.clock.now_ms());
    }

    fn read(&self, input: &TaskInput) -> Result<Bytes, AwsError> {
        let region = self.world.s3.region_of(&input.bucket);
        if region.is_some_and(|region| region != self.region.name) {
            return Err(failure(format!("The bucket {} is in another Region", input.bucket)));
        }
        s3::get_object(&self.world, &input.bucket, &input.key)
    }

    async fn lines(&self, data: &[u8], count: usize, results: &mut Report, errors: &mut Report) {
        let now_ms = self.world.clock.now_ms();
        self.region.registrations.lock().change(&self.id, now_ms, |t| t.lines = Some(count as u64));
        let (started, rate) =
            (Instant::now(), (LINES_PER_S * self.world.quotas.scale()).max(LINES_PER_S_MIN));
        for (done, (place, line)) in lines(data).enumerate() {
            sleep_until(started + Duration::from_secs_f64(done as f64 / rate)).await;
            if !self.region.registrations.lock().may_run(&self.id) {
                return;
            }
            let outcome = self.line(line).await;
            match &outcome {
                Ok(registered) => results.result(place, registered),
                Err(error) => errors.error(place, error),
            }
            let now_ms = self.world.clock.now_ms();
            if !self.region.registrations.lock().count(&self.id, outcome.is_ok(), now_ms) {
                return;
            }
        }
    }

    async fn line(&self, line: &[u8]) -> Result<Registered, AwsError> {
        let plan = self.template.plan(&parameters(line)?)?;
        self.take(&plan).await?;
        carry_out(&self.world, &self.region, &plan)
    }

    /// Takes the plan's calls from the Region's quotas.
    async fn take(&self, plan: &Plan) -> Result<(), AwsError> {
        for operation in plan.operations() {
            let mut tries = 1;
            while !self.world.quotas.take(&self.region.name, "iot", operation) {
                if tries == THROTTLED_TRIES_MAX {
                    return Err(AwsError::throttled());
                }
                tries += 1;
                tokio::time::sleep(THROTTLED_WAIT).await;
            }
        }
        Ok(())
    }

    fn store(&self, kind: ReportKind, report: Report) -> Result<Vec<(ReportKind, String)>, AwsError> {
        let mut keys = Vec::new();
        for (number, file) in report.files().enumerate() {
            let (world, region) = (&self.world, &self.region.name);
            let key = format!("{}/{}/{}-{number}.json", world.account, self.id, kind.as_str().to_lowercase());
            world.s3.put_for_service(world, region, &reports_bucket(region), &key, file)?;
            keys.push((kind, key));
        }
        Ok(keys)
    }
}

/// The lines that are not empty, and where they stand.
fn lines(data: &[u8]) -> impl Iterator<Item = (Place, &[u8])> {
    let mut offset = 0;
    let placed = data.split(|byte| *byte == b'\n').zip(1..).map(move |(line, number)| {
        let place = Place { line: number, offset };
        offset += line.len() + 1;
        (place, line.trim_ascii())
    });
    placed.filter(|(_, line)| !line.is_empty())
}

/// How many lines there are, if they are not too many.
fn count(data: &[u8], lines_max: usize) -> Result<usize, AwsError> {
    let count = lines(data).take(lines_max + 1).count();
    if count > lines_max {
        return Err(failure(format!("The input has more than {lines_max} lines")));
    }
    Ok(count)
}

/// The parameters of a line: an object of texts. Numbers and flags are taken as they are written.
fn parameters(line: &[u8]) -> Result<BTreeMap<String, String>, AwsError> {
    if line.len() > LINE_CHARS_MAX {
        return Err(failure(format!("The line has more than {LINE_CHARS_MAX} characters")));
    }
    let parsed: BTreeMap<String, Value> =
        serde_json::from_slice(line).map_err(|e| failure(format!("The line is not a JSON object: {e}")))?;
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(flag) => Ok((name, flag.to_string())),
        _ => Err(failure(format!("The value of {name} is not a string"))),
    };
    parsed.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests;
