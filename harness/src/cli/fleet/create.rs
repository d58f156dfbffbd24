//! `gameday fleet create`.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use gameday_report::ExitCode;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Named, STOPPING, elsewhere, home};
use crate::{
    cli::{at::TargetArgs, leave::Leave, usage},
    identity::KeyKind,
    output::{Output, data, to_stderr},
    pool::{self, Counts, Creation, Delivery, Given, Lock, Method, Pool, Progress, SETTLE},
    stop::stop_on_signal,
};

/// Devices of a fleet at the most.
const DEVICES_MAX: i64 = 1_000_000;
/// Failures that are told one by one. All are counted.
const TOLD_MAX: usize = 20;

/// Arguments of `gameday fleet create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday fleet create lamps --devices 1000 --type lamp --group berlin --attribute site=b
  gameday fleet create lamps --devices 5000
  gameday fleet create pumps --devices 30000 --key rsa2048 --keys-only
  gameday fleet create pumps --by bulk --target aws --primary eu-west-1 --secondary eu-central-1 \\
    --role arn:aws:iam::123456789012:role/bulk
  gameday fleet create cars --devices 1000 --by just-in-time

The same command goes on with what a call before it has begun; with more devices the fleet grows. Ctrl-C finishes what is under
way; a bulk registration goes on in AWS and is waited for again. Just-in-time devices register with their first connection: the
replicator has to be deployed with --just-in-time.

Exits with 0 if every device is made, with 1 if some could not be, and with 13 if it was stopped.")]
pub(super) struct Create {
    #[command(flatten)]
    named: Named,
    /// How many devices it is to have.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=DEVICES_MAX))]
    devices: Option<u32>,
    /// What keys are made of; p256 if a new fleet is not told.
    #[arg(long, value_enum)]
    key: Option<KeyKind>,
    /// How devices are made; api if a new fleet is not told.
    #[arg(long, value_enum)]
    by: Option<Method>,
    /// Make keys and CSRs and stop before anything is made elsewhere: no target is needed.
    #[arg(long, conflicts_with_all = ["by", "policy", "thing_type", "group", "attribute", "bucket", "role"])]
    keys_only: bool,
    /// The policy of the devices, which has to be there; without it the fleet gets one of its own.
    #[arg(long)]
    policy: Option<String>,
    /// The type of the things, which has to be there.
    #[arg(long = "type", value_name = "TYPE")]
    thing_type: Option<String>,
    /// A group that the things are in, which has to be there. May be given more than once.
    #[arg(long)]
    group: Vec<String>,
    /// An attribute of the things. May be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// Bulk only: a bucket of the primary for the input; without it one is made and deleted.
    #[arg(long)]
    bucket: Option<String>,
    /// Bulk only: the role that AWS IoT reads the bucket and makes devices with. A twin needs none.
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
    #[command(flatten)]
    leave: Leave,
    #[command(flatten)]
    target: TargetArgs,
    /// Print the outcome as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Created<'a> {
    fleet: &'a str,
    folder: std::path::PathBuf,
    devices: u32,
    #[serde(flatten)]
    counts: Counts,
    /// Keys that this call made, and in what time.
    new_keys: u32,
    keys_seconds: f64,
    /// Devices that this call made, and in what time.
    new_devices: u32,
    devices_seconds: f64,
    failed: BTreeMap<String, String>,
}

impl Create {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let output = Arc::new(Output::new());
        let done = Box::pin(self.make(&output)).await;
        output.finish();
        done
    }

    async fn make(&self, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
        let given = self.given()?;
        let (mut pool, _lock) = self.open(&given)?;
        let stop = stop_on_signal(output, STOPPING)?;
        if let Some(devices) = given.devices {
            pool.manifest.devices = devices;
            pool.save()?;
        }
        let (before, began) = (pool.counts()?, Instant::now());
        let pool = fill(pool, output, &stop).await?;
        let keys_seconds = began.elapsed().as_secs_f64();
        let mut created = Created {
            fleet: &self.named.name,
            folder: pool.path().to_owned(),
            devices: pool.manifest.devices,
            counts: pool.counts()?,
            new_keys: 0,
            keys_seconds,
            new_devices: 0,
            devices_seconds: 0.0,
            failed: BTreeMap::new(),
        };
        created.new_keys = created.counts.keys - before.keys;
        if !self.keys_only && !stop.is_cancelled() {
            let began = Instant::now();
            let pool = Box::pin(self.make_devices(pool, &given, output, &stop, &mut created)).await?;
            created.counts = pool.counts()?;
            created.new_devices = created.counts.made.saturating_sub(before.made);
            created.devices_seconds = began.elapsed().as_secs_f64();
        }
        output.finish();
        self.tell(&created)?;
        let wanted = if self.keys_only { created.counts.keys } else { created.counts.made };
        Ok(match () {
            () if wanted >= created.devices => ExitCode::Pass,
            () if created.failed.is_empty() && stop.is_cancelled() => ExitCode::Operator,
            () => ExitCode::Error,
        })
    }

    async fn make_devices(
        &self,
        mut pool: Pool,
        given: &Given,
        output: &Arc<Output>,
        stop: &CancellationToken,
        created: &mut Created<'_>,
    ) -> anyhow::Result<Pool> {
        let reached = self.target.reach().await?;
        let home = home(&reached).await?;
        if let Some(error) = elsewhere(&pool, &home) {
            return Err(error);
        }
        let by = given.by.or(pool.manifest.making.as_ref().map(|making| making.by));
        if by == Some(Method::Bulk) && home.is_aws() && self.role.is_none() {
            return Err(usage(
                "AWS needs --role ARN: what bulk registration reads the bucket and makes devices with",
            )
            .into());
        }
        self.leave.apply(&reached.aws).await;
        let role = self.role.clone().unwrap_or_else(|| format!("arn:aws:iam::{}:role/any", home.account));
        let mut creation = Creation {
            pool: &mut pool,
            aws: &reached.aws,
            home,
            delivery: Delivery { bucket: self.bucket.clone(), role },
            output: output.clone(),
            progress: Progress::new(output.clone()),
            settle: SETTLE,
            stop: stop.clone(),
        };
        let failed = Box::pin(creation.run(given)).await?;
        created.failed = failed.into_iter().map(|(number, why)| (pool.device(number), why)).collect();
        Ok(pool)
    }

    /// The fleet as it is, or a new one. Nobody else changes it meanwhile: what it is, is read after that.
    fn open(&self, given: &Given) -> anyhow::Result<(Pool, Lock)> {
        let (fleets, name) = (&self.named.folder.fleets, &self.named.name);
        // Before a folder is made for nothing.
        if given.devices.is_none() && Pool::open(fleets, name)?.is_none() {
            return Err(usage(format!(
                "how many devices? A new fleet needs --devices; there is no fleet {name} yet"
            ))
            .into());
        }
        let lock = Pool::claim(fleets, name)?;
        let pool = match Pool::open(fleets, name)? {
            None => Pool::begin(fleets, name, given.key.unwrap_or_default())?,
            Some(pool) => match given.contradiction(&pool) {
                Some(why) => return Err(usage(why).into()),
                None => pool,
            },
        };
        Ok((pool, lock))
    }

    fn given(&self) -> anyhow::Result<Given> {
        let just_in_time = self.by == Some(Method::JustInTime);
        if just_in_time && (self.thing_type.is_some() || !self.group.is_empty() || !self.attribute.is_empty())
        {
            return Err(usage(
                "just-in-time devices register themselves, without type, groups and attributes",
            )
            .into());
        }
        if self.by.is_some_and(|by| by != Method::Bulk) && (self.bucket.is_some() || self.role.is_some()) {
            return Err(usage("--bucket and --role are for --by bulk").into());
        }
        Ok(Given {
            devices: self.devices,
            key: self.key,
            by: self.by,
            policy: self.policy.clone(),
            thing_type: self.thing_type.clone(),
            groups: self.group.clone(),
            attributes: self.attribute.iter().cloned().collect(),
        })
    }

    fn tell(&self, created: &Created<'_>) -> anyhow::Result<()> {
        for (device, why) in created.failed.iter().take(TOLD_MAX) {
            to_stderr(&format!("NOT MADE: {device}: {why}"));
        }
        if created.failed.len() > TOLD_MAX {
            to_stderr(&format!("and {} more", created.failed.len() - TOLD_MAX));
        }
        if self.json {
            data(&serde_json::to_string_pretty(created)?);
            return Ok(());
        }
        let per_s = |count: u32, seconds: f64| f64::from(count) / seconds.max(1e-3);
        let Created { new_keys, keys_seconds, new_devices, devices_seconds, counts, devices, .. } = created;
        if *new_keys > 0 {
            let rate = per_s(*new_keys, *keys_seconds);
            to_stderr(&format!("{new_keys} keys and CSRs in {keys_seconds:.1} s, {rate:.0} a second"));
        }
        if *new_devices > 0 {
            let rate = per_s(*new_devices, *devices_seconds);
            to_stderr(&format!("{new_devices} devices in {devices_seconds:.1} s, {rate:.0} a second"));
        }
        let name = created.fleet;
        data(&format!("{name}: {devices} devices, {} with keys, {} made", counts.keys, counts.made));
        Ok(())
    }
}

/// Makes the keys that lack, beside the runtime.
async fn fill(pool: Pool, output: &Arc<Output>, stop: &CancellationToken) -> anyhow::Result<Pool> {
    let (output, stop) = (output.clone(), stop.clone());
    let filling = move || {
        pool::fill(&pool, &Progress::new(output), &stop)?;
        anyhow::Ok(pool)
    };
    tokio::task::spawn_blocking(filling).await?
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give it as name=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        create: Create,
    }

    fn opened(arguments: &[&str], fleets: &std::path::Path) -> anyhow::Result<(Pool, Lock)> {
        let line = ["create", "lamps", "--fleets", fleets.to_str().unwrap()];
        let create = Line::try_parse_from(line.iter().chain(arguments)).unwrap().create;
        create.open(&create.given().unwrap())
    }

    #[test]
    fn a_fleet_that_somebody_else_begins_is_left_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let fleets = folder.path().join("fleets");
        let wrong = opened(&[], &fleets).unwrap_err().to_string();
        assert!(wrong.contains("--devices") && !fleets.exists(), "nothing is made for a mistake: {wrong}");
        let (mine, lock) = opened(&["--devices", "2"], &fleets).unwrap();
        // They have not come to write down what it is.
        std::fs::remove_file(mine.path().join("fleet.json")).unwrap();
        let error = opened(&["--devices", "3"], &fleets).unwrap_err().to_string();
        assert!(error.contains("another gameday"), "{error}");
        assert!(Pool::open(&fleets, "lamps").unwrap().is_none(), "nothing was written");
        mine.save().unwrap();
        drop(lock);
        let (theirs, _lock) = opened(&[], &fleets).unwrap();
        assert_eq!(theirs.manifest, mine.manifest, "it is gone on with");
    }

    #[test]
    fn an_attribute_has_a_name() {
        assert_eq!(attribute("site=a=b"), Ok(("site".to_owned(), "a=b".to_owned())));
        assert!(attribute("=b").is_err() && attribute("site").is_err());
    }
}
