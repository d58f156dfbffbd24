//! `gameday quota --measure`: what quotas really are, found by harmless calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    sync::Arc,
};

use clap::{Args, ValueEnum};
use futures::{StreamExt, stream};
use gameday_report::ExitCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    super::{at::TargetArgs, usage},
    mqtt::Ground,
};
use crate::{
    aws::{Aws, RegionClients, applied_quotas},
    ladder::{
        self, CALLS, Call, Callers, End, Endpoint, Finding, HarmlessCall, MQTT_CALLS, MqttCall, Over, With,
    },
    log,
    names::new_id,
    output::{Output, data, to_stderr},
    stop::stop_on_signal,
};

/// The share of the applied quota that is offered unless more is asked for.
const SHARE: f64 = 0.8;
/// With `--beyond`: what is offered at the most, times the applied quota.
const BEYOND: f64 = 8.0;
/// Ladders that are climbed at once, each of a quota of its own.
const AT_ONCE_MAX: usize = 32;
/// What an interrupt is answered with, where there is something to undo.
const STOPPING: &str = "stopping: the certificate and the policy are deleted";

/// What is measured, and how far.
#[derive(Debug, Args)]
pub(super) struct Measure {
    /// Measure, by calling.
    #[arg(long)]
    pub(super) measure: bool,
    /// An operation by AWS's name, or one over MQTT, as CONNECT; may be given more than once. Without it: every one of the API that is
    /// known.
    #[arg(long, value_name = "NAME", requires = "measure")]
    operation: Vec<String>,
    /// In which Region.
    #[arg(long = "in", value_name = "REGION", default_value = "both")]
    side: Place,
    /// Go on above the applied quota until something is throttled.
    #[arg(long, requires = "measure")]
    beyond: bool,
    /// Never offer more calls a second than this.
    #[arg(long, value_name = "CALLS PER SECOND", value_parser = cap, requires = "measure")]
    cap: Option<f64>,
    /// Where the undo journal of the certificate and the policy is that MQTT needs.
    #[arg(long, value_name = "FOLDER", default_value = "runs", requires = "measure")]
    out: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy)]
enum Rate {
    Api(HarmlessCall),
    Mqtt(MqttCall),
}

impl Rate {
    fn operation(&self) -> &'static str {
        match self {
            Self::Api(call) => call.operation,
            Self::Mqtt(call) => call.operation,
        }
    }

    /// The service code and the quota code.
    fn quota(&self) -> (&'static str, &'static str) {
        match self {
            Self::Api(call) => call.quota,
            Self::Mqtt(call) => call.quota,
        }
    }

    /// Every one that is known.
    fn all() -> impl Iterator<Item = Self> {
        CALLS.into_iter().map(Self::Api).chain(MQTT_CALLS.into_iter().map(Self::Mqtt))
    }
}

/// Who makes the calls in one Region.
struct Side<'a> {
    clients: &'a RegionClients,
    callers: Callers,
    /// Where MQTT goes, if anything does.
    endpoint: Option<&'a Endpoint>,
    output: &'a Output,
}

/// What came of it.
#[derive(Debug, Default)]
struct Measured {
    rows: Vec<Row>,
    is_stopped: bool,
    is_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
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

/// Lists the operations, and why a call of each changes nothing.
pub(super) fn list() {
    for call in CALLS {
        data(&format!("{:<30} {}", call.operation, call.asks));
    }
    data("\nOver MQTT, only if named; a certificate and a policy are made for it and deleted:");
    for call in MQTT_CALLS {
        data(&format!("{:<30} {}", call.operation, call.asks));
    }
}

impl Measure {
    pub(super) async fn run(&self, target: &TargetArgs, json: bool) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        let output = Arc::new(Output::new());
        let measured = Box::pin(self.measured(target, &output)).await;
        output.finish();
        let Measured { rows, is_stopped, is_left } = measured?;
        if json {
            data(&serde_json::to_string_pretty(&rows)?);
        } else {
            data(table(&rows).trim_end());
        }
        let is_said = rows.iter().all(|row| matches!(row.finding.end, End::Measured | End::CapReached));
        Ok(match (is_left, is_stopped, is_said) {
            (true, ..) => ExitCode::UndoIncomplete,
            (_, true, _) => ExitCode::Operator,
            (_, _, true) => ExitCode::Pass,
            (_, _, false) => ExitCode::Inconclusive,
        })
    }

    async fn measured(&self, target: &TargetArgs, output: &Arc<Output>) -> anyhow::Result<Measured> {
        let rates = chosen(&self.operation)?;
        let reached = target.reach().await?;
        let (account, id) = (reached.account().await?, new_id());
        let is_mqtt = rates.iter().any(|rate| matches!(rate, Rate::Mqtt(_)));
        // Calls of the API leave nothing: there an interrupt is the end.
        let stop = if is_mqtt { stop_on_signal(output, STOPPING)? } else { CancellationToken::new() };
        let mut measured = Measured::default();
        for clients in self.sides(&reached.aws) {
            let ground = if is_mqtt {
                Some(Ground::make(&reached, clients, &id, &self.out, output).await?)
            } else {
                None
            };
            let side = Side {
                clients,
                callers: Callers::new(clients, &account, &id),
                endpoint: ground.as_ref().map(|ground| &ground.endpoint),
                output,
            };
            let rows = tokio::select! {
                rows = Box::pin(self.measured_in(&side, &rates)) => rows,
                () = stop.cancelled() => Ok(Vec::new()),
            };
            drop(side);
            if let Some(ground) = ground {
                measured.is_left |= !ground.undo(&reached, output).await;
            }
            measured.rows.extend(rows?);
            measured.is_stopped = stop.is_cancelled();
            if measured.is_stopped {
                break;
            }
        }
        Ok(measured)
    }

    fn sides<'a>(&self, aws: &'a Aws) -> Vec<&'a RegionClients> {
        match self.side {
            Place::Primary => vec![&aws.primary],
            Place::Secondary => vec![&aws.secondary],
            Place::Both => vec![&aws.primary, &aws.secondary],
        }
    }

    async fn measured_in(&self, side: &Side<'_>, rates: &[Rate]) -> anyhow::Result<Vec<Row>> {
        let mut applied = BTreeMap::new();
        for service in rates.iter().map(|rate| rate.quota().0).collect::<BTreeSet<_>>() {
            applied.extend(applied_quotas(side.clients, service).await?);
        }
        // Operations that share a quota would be in each other's way.
        let mut groups: BTreeMap<&str, Vec<Rate>> = BTreeMap::new();
        for rate in rates {
            groups.entry(rate.quota().1).or_default().push(*rate);
        }
        let climbed = stream::iter(groups.into_values()).map(|group| {
            let applied = &applied;
            async move {
                let mut rows = Vec::new();
                for rate in group {
                    let applied_per_s = applied.get(rate.quota().1).map(|quota| quota.value);
                    rows.push(self.climbed(side, rate, applied_per_s).await?);
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

    async fn climbed(&self, side: &Side<'_>, rate: Rate, applied_per_s: Option<f64>) -> anyhow::Result<Row> {
        let (operation, quota_code) = (rate.operation(), rate.quota().1);
        let most = applied_per_s.map(|per_s| per_s * if self.beyond { BEYOND } else { SHARE });
        let cap_per_s = match (most, self.cap) {
            (Some(most), Some(cap)) => most.min(cap),
            (most, cap) => most.or(cap).ok_or_else(|| {
                usage(format!("Service Quotas does not say the quota of {operation}: give --cap"))
            })?,
        };
        let finding = match (rate, side.endpoint) {
            (Rate::Api(call), _) => climb(side, operation, cap_per_s, &With(call, &side.callers)).await,
            (Rate::Mqtt(call), Some(endpoint)) => {
                let cap_per_s = cap_per_s.min(call.cap_per_s());
                let over = Over::open(call, endpoint, cap_per_s).await?;
                climb(side, operation, cap_per_s, &over).await
            }
            (Rate::Mqtt(_), None) => anyhow::bail!("{operation} has no connection to be measured on"),
        };
        if let End::Failed(why) = &finding.end {
            to_stderr(&format!("{operation} in {}: {why}", side.clients.region));
        }
        Ok(Row { applied_per_s, quota_code, finding })
    }
}

async fn climb(side: &Side<'_>, operation: &str, cap_per_s: f64, call: &impl Call) -> Finding {
    let region = side.clients.region.as_str();
    let told = ladder::climb(operation, region, cap_per_s, call, |rung, seen| {
        let throttled = if seen.has_throttled() { "throttled" } else { "not throttled" };
        let rate = ladder::per_s(rung.rate_per_s);
        let calls = seen.calls.len();
        side.output.line(&format!("{operation} in {region}: {calls} calls at {rate}, {throttled}"));
    });
    Box::pin(told).await
}

/// The operations of these names; all of the API if there is none.
fn chosen(names: &[String]) -> anyhow::Result<Vec<Rate>> {
    if names.is_empty() {
        return Ok(CALLS.map(Rate::Api).to_vec());
    }
    let find = |name: &String| {
        Rate::all().find(|rate| rate.operation() == name).ok_or_else(|| {
            let known: Vec<_> = Rate::all().map(|rate| rate.operation()).collect();
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
