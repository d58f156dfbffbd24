//! `gameday quota <scenario>`: what its plan asks of each quota beside what applies, and what to ask AWS for.

use std::{collections::BTreeMap, io::IsTerminal};

use clap::Args;
use gameday_report::{
    ExitCode,
    record::{QuotaReport, QuotaVerdict},
};

use super::super::{at::TargetArgs, usage};
use crate::{
    aws::{Asked, Aws, ask_for_more, pending},
    cost::Dispatch,
    log,
    output::{data, to_stderr},
    plan::{Aim, Plan},
    quota::{self, Applied},
    scenario::Scenario,
};

/// How a scenario is held against quotas.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Change a value of the scenario, as path=value. May be given more than once.
    #[arg(long, value_name = "PATH=VALUE", requires = "scenario")]
    pub(super) set: Vec<String>,
    /// As many devices, whatever the scenario says: also more than a run can have on one machine.
    #[arg(long, value_name = "DEVICES", requires = "scenario", value_parser = clap::value_parser!(u32).range(1..))]
    devices: Option<u32>,
    /// How events come to be applied; a workflow has quotas of its own.
    #[arg(long, value_enum, default_value = "direct")]
    dispatch: Dispatch,
    /// The rows as comma-separated values.
    #[arg(long, requires = "scenario")]
    pub(super) csv: bool,
    /// Ask AWS for what is listed as to be asked for, but where a request is open. Changes the account.
    #[arg(long, requires = "scenario")]
    request: bool,
}

impl Check {
    pub(super) async fn run(
        &self,
        mut scenario: Scenario,
        target: &TargetArgs,
        json: bool,
    ) -> anyhow::Result<ExitCode> {
        log::to_stderr();
        scenario.fleet.devices = self.devices.unwrap_or(scenario.fleet.devices);
        let reached = if target.is_anywhere() { Some(target.reach().await?) } else { None };
        if self.request && reached.is_none() {
            return Err(usage("--request asks an account: give --target").into());
        }
        let aim = match (&reached, target.regions()?) {
            (Some(reached), regions) => match (reached.twin(), regions) {
                (Some(twin), _) => Aim::of_twin(twin),
                (None, regions) => Aim::aws(regions.map_or("", |r| r.0), regions.map_or("", |r| r.1)),
            },
            (None, Some((primary, secondary))) => Aim::aws(primary, secondary),
            (None, None) => Aim::twin(&scenario.twin),
        };
        let plan = Plan::of(&scenario, aim)?;
        let applied = match &reached {
            Some(reached) => Applied::read(&plan, &plan.aim, &reached.aws).await?,
            None => Applied::offline(&plan.aim),
        };
        let report = quota::report(&plan, &scenario, &applied, self.dispatch);
        if json {
            data(&serde_json::to_string_pretty(&report)?);
        } else if self.csv {
            data(report.csv().trim_end());
        } else {
            data(quota::show(&report, std::io::stdout().is_terminal()).trim_end());
        }
        if self.request
            && let Some(reached) = &reached
        {
            ask(&report, &reached.aws).await?;
        }
        say(&report);
        Ok(match report.verdict {
            QuotaVerdict::Exceeded => ExitCode::Refused,
            QuotaVerdict::Unknown => ExitCode::Inconclusive,
            QuotaVerdict::Unlimited | QuotaVerdict::Ok | QuotaVerdict::Tight => ExitCode::Pass,
        })
    }
}

/// Each row that exceeds its quota.
fn say(report: &QuotaReport) {
    for row in report.rows.iter().filter(|row| row.verdict == QuotaVerdict::Exceeded) {
        to_stderr(&format!(
            "refused by quota: {}, {}, {}: {:.1} {} of {}",
            row.what,
            row.region,
            row.phase,
            row.peak,
            row.unit,
            row.quota.as_ref().map_or(0.0, |quota| quota.value),
        ));
    }
}

/// Makes the requests, and says of each what became of it.
async fn ask(report: &QuotaReport, aws: &Aws) -> anyhow::Result<()> {
    if report.requests.is_empty() {
        to_stderr("nothing to ask for");
    }
    let mut open = BTreeMap::new();
    for request in &report.requests {
        let what = format!("{} ({}) in {}", request.name, request.code, request.region);
        let clients = aws.region(&request.region);
        let key = (request.region.clone(), request.service.clone());
        if !open.contains_key(&key) {
            open.insert(key.clone(), pending(clients, &request.service).await?);
        }
        let pending = open.get(&key).cloned().unwrap_or_default();
        let desired = request.desired.unwrap_or(request.applied);
        to_stderr(&match ask_for_more(clients, request, &pending).await? {
            Asked::Made(id) => format!("asked for: {what}: {desired}, request {id}"),
            Asked::Pending => format!("not asked for again: {what}: a request is open"),
            Asked::Fixed => format!("not asked for: {what}: AWS does not raise it"),
        });
    }
    Ok(())
}
