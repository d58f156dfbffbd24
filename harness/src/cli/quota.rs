//! `gameday quota --measure`: what quotas really are, found by harmless calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use clap::{Args, ValueEnum};
use futures::{StreamExt, stream};
use gameday_report::ExitCode;
use serde::Serialize;

use super::{at::TargetArgs, block_on, usage};
use crate::{
    aws::{Aws, RegionClients, applied_quotas},
    ladder::{self, CALLS, Callers, End, Finding, HarmlessCall, With},
    log,
    names::new_id,
    output::{Output, data, to_stderr},
};

/// The share of the applied quota that is offered unless more is asked for.
const SHARE: f64 = 0.8;
/// With `--beyond`: what is offered at the most, times the applied quota.
const BEYOND: f64 = 8.0;
/// Ladders that are climbed at once, each of a quota of its own.
const AT_ONCE_MAX: usize = 32;

/// Arguments of `gameday quota`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday quota --measure --target http://127.0.0.1:PORT --operation CreateThing
  gameday quota --measure --target aws --primary eu-west-1 --secondary eu-central-1 --operation DescribeThing --beyond

Calls go out at a steady rate, whether or not those before were answered, and faster rung by rung:
to four fifths of the quota that Service Quotas says, or, with --beyond, until something is
throttled. Above the quota, what goes through is the quota; its error is one call in those counted.

Every call is harmless: it names what does not exist, or asks what changes nothing. But with --beyond
the whole quota is used up for about half a minute, and production in the same account and Region
is throttled meanwhile.

Exits with 0 if each quota was measured or is as large as the cap, with 11 if one could not be said.")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Quota {
    #[command(flatten)]
    target: TargetArgs,
    /// Measure, by calling.
    #[arg(long, required_unless_present = "list")]
    measure: bool,
    /// An operation by AWS's name; may be given more than once. Without it: every one that is known.
    #[arg(long, value_name = "NAME")]
    operation: Vec<String>,
    /// In which Region.
    #[arg(long = "in", value_name = "REGION", default_value = "both")]
    side: Side,
    /// Go on above the applied quota until something is throttled.
    #[arg(long)]
    beyond: bool,
    /// Never offer more calls a second than this.
    #[arg(long, value_name = "CALLS PER SECOND", value_parser = cap)]
    cap: Option<f64>,
    /// Call nothing: list the operations, and why a call of each changes nothing.
    #[arg(long)]
    list: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    Primary,
    Secondary,
    Both,
}

/// A finding beside what Service Quotas says.
#[derive(Debug, Serialize)]
struct Row {
    /// None: Service Quotas does not list it.
    applied_per_s: Option<f64>,
    quota_code: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

impl Quota {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.list {
            for call in CALLS {
                data(&format!("{:<30} {}", call.operation, call.asks));
            }
            return Ok(ExitCode::Pass);
        }
        block_on(async {
            log::to_stderr();
            let output = Output::new();
            let rows = Box::pin(self.measured(&output)).await;
            output.finish();
            let rows = rows?;
            if self.json {
                data(&serde_json::to_string_pretty(&rows)?);
            } else {
                data(table(&rows).trim_end());
            }
            let is_said = rows.iter().all(|row| matches!(row.finding.end, End::Measured | End::CapReached));
            Ok(if is_said { ExitCode::Pass } else { ExitCode::Inconclusive })
        })
    }

    async fn measured(&self, output: &Output) -> anyhow::Result<Vec<Row>> {
        let calls = chosen(&self.operation)?;
        let reached = self.target.reach().await?;
        let account = reached.account().await?;
        let mut rows = Vec::new();
        for clients in self.sides(&reached.aws) {
            rows.extend(self.measured_in(clients, &account, &calls, output).await?);
        }
        Ok(rows)
    }

    fn sides<'a>(&self, aws: &'a Aws) -> Vec<&'a RegionClients> {
        match self.side {
            Side::Primary => vec![&aws.primary],
            Side::Secondary => vec![&aws.secondary],
            Side::Both => vec![&aws.primary, &aws.secondary],
        }
    }

    async fn measured_in(
        &self,
        clients: &RegionClients,
        account: &str,
        calls: &[HarmlessCall],
        output: &Output,
    ) -> anyhow::Result<Vec<Row>> {
        let mut applied = BTreeMap::new();
        for service in calls.iter().map(|call| call.quota.0).collect::<BTreeSet<_>>() {
            applied.extend(applied_quotas(clients, service).await?);
        }
        let callers = Callers::new(clients, account, &new_id());
        // Operations that share a quota would be in each other's way.
        let mut groups: BTreeMap<&str, Vec<HarmlessCall>> = BTreeMap::new();
        for call in calls {
            groups.entry(call.quota.1).or_default().push(*call);
        }
        let climbed = stream::iter(groups.into_values()).map(|group| {
            let (applied, callers) = (&applied, &callers);
            async move {
                let mut rows = Vec::new();
                for call in group {
                    let applied_per_s = applied.get(call.quota.1).map(|quota| quota.value);
                    rows.push(self.climbed(clients, callers, call, applied_per_s, output).await?);
                }
                anyhow::Ok(rows)
            }
        });
        let climbed: Vec<_> = climbed.buffer_unordered(AT_ONCE_MAX).collect().await;
        let mut rows = Vec::new();
        for group in climbed {
            rows.extend(group?);
        }
        rows.sort_by(|a: &Row, b: &Row| a.finding.operation.cmp(&b.finding.operation));
        Ok(rows)
    }

    async fn climbed(
        &self,
        clients: &RegionClients,
        callers: &Callers,
        call: HarmlessCall,
        applied_per_s: Option<f64>,
        output: &Output,
    ) -> anyhow::Result<Row> {
        let most = applied_per_s.map(|per_s| per_s * if self.beyond { BEYOND } else { SHARE });
        let cap_per_s = match (most, self.cap) {
            (Some(most), Some(cap)) => most.min(cap),
            (most, cap) => most.or(cap).ok_or_else(|| {
                usage(format!("Service Quotas does not say the quota of {}: give --cap", call.operation))
            })?,
        };
        let (operation, region) = (call.operation, clients.region.as_str());
        let call = With(call, callers);
        let finding = ladder::climb(operation, region, cap_per_s, &call, |rung, seen| {
            let throttled = if seen.has_throttled() { "throttled" } else { "not throttled" };
            let rate = ladder::per_s(rung.rate_per_s);
            output
                .line(&format!("{operation} in {region}: {} calls at {rate}, {throttled}", seen.calls.len()));
        });
        let finding = Box::pin(finding).await;
        let quota_code = call.0.quota.1;
        if let End::Failed(why) = &finding.end {
            to_stderr(&format!("{operation} in {region}: {why}"));
        }
        Ok(Row { applied_per_s, quota_code, finding })
    }
}

/// The operations of these names; all of them if there is none.
fn chosen(names: &[String]) -> anyhow::Result<Vec<HarmlessCall>> {
    if names.is_empty() {
        return Ok(CALLS.to_vec());
    }
    let find = |name: &String| {
        CALLS.iter().find(|call| call.operation == name).copied().ok_or_else(|| {
            let known: Vec<_> = CALLS.iter().map(|call| call.operation).collect();
            let nearest = gameday_report::nearest(name, known.iter().map(ToString::to_string));
            let nearest = nearest.map_or_else(|| known.join(", "), |name| format!("did you mean {name}?"));
            usage(format!("--operation {name}: there is no harmless call of it; {nearest}")).into()
        })
    };
    names.iter().map(find).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<30} {:<15} {:>10} {:>16} {:>10} {:>10} {:>8} {:>9}  {}\n",
        "OPERATION", "REGION", "SAID", "MEASURED", "GOOD TO", "THROTTLED", "BURST", "RECOVERY", "SHOWED AS"
    );
    for Row { applied_per_s, finding, .. } in rows {
        let rate = |per_s: Option<f64>| per_s.map_or_else(|| "-".to_owned(), ladder::per_s);
        let measured = match (finding.sustained_per_s, finding.error_share) {
            (Some(per_s), Some(error)) => format!("{} ±{:.1}%", ladder::per_s(per_s), error * 100.0),
            _ if finding.end == End::CapReached => format!("≥ {}", rate(finding.good_per_s)),
            _ => "unknown".to_owned(),
        };
        let burst = finding.burst_calls.map_or_else(|| "-".to_owned(), |calls| format!("{calls:.0}"));
        let recovery = finding.recovery_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
        let shown: Vec<_> = finding.shown_as.iter().map(|(how, times)| format!("{how} x{times}")).collect();
        let shown = match &finding.end {
            End::Bottleneck => "this machine could not offer more".to_owned(),
            End::Failed(why) => why.clone(),
            End::Measured | End::CapReached => shown.join(", "),
        };
        let _ = writeln!(
            text,
            "{:<30} {:<15} {:>10} {:>16} {:>10} {:>10} {:>8} {:>9}  {shown}",
            finding.operation,
            finding.region,
            rate(*applied_per_s),
            measured,
            rate(finding.good_per_s),
            rate(finding.throttled_per_s),
            burst,
            recovery,
        );
    }
    text
}

fn cap(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(per_s) if per_s > 0.0 && per_s.is_finite() => Ok(per_s),
        _ => Err("a number above 0".to_owned()),
    }
}
