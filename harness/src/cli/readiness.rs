//! `gameday readiness`: would the secondary let each device in today?

use clap::Args;
use gameday_report::ExitCode;
use replicator::readiness::{self, Options, Report, Standing, Which};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::{at::At, block_on};
use crate::{
    deploy::Replica,
    log,
    output::{Output, data, to_stderr},
    scenario::Span,
};

/// Arguments of `gameday readiness`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday readiness
  gameday readiness --sample 500 --seed 7 --json

A device is let in if the secondary has its thing, its ACTIVE certificate attached to it, policies
that say the same, and its groups. In just-in-time mode devices bring their certificates: the
authorities that let them in are compared. Nothing is changed.

Exits with 0 if every device that was looked at is ready, with 10 if one is not, and with 11 if it
cannot be said: some could not be looked at, or there was none.")]
pub(super) struct Readiness {
    #[command(flatten)]
    at: At,
    /// A query of the fleet index of the primary; without one all things are listed.
    #[arg(long)]
    query: Option<String>,
    /// How many devices are drawn; without it all are looked at.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// What the sample is drawn by: the same seed draws the same devices.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Devices that are looked at in a second at the most: AWS's quotas let about 10 pass. Without it as many as they let.
    #[arg(long, value_name = "DEVICES", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// What was not looked at by then is unknown.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    at_most: Span,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Swept<'a> {
    postfix: &'a str,
    primary: &'a str,
    secondary: &'a str,
    ready: bool,
    #[serde(flatten)]
    report: &'a Report,
}

impl Readiness {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            let output = Output::new();
            let swept = Box::pin(self.sweep(&output)).await;
            output.finish();
            swept
        })
    }

    async fn sweep(&self, output: &Output) -> anyhow::Result<ExitCode> {
        let limit = Instant::now() + *self.at_most;
        let reached = self.at.reach().await?;
        let found = timeout_at(limit, Replica::find(&reached.aws, &self.at.postfix)).await;
        let replica = match found {
            Ok(Ok(found)) => found.ok_or_else(|| self.at.nothing())?,
            Ok(Err(error)) => return Ok(unsaid(&format!("{error:#}"))),
            Err(_) => return Ok(unsaid(&format!("{} did not answer", reached.aws.secondary.region))),
        };
        let options = Options {
            which: self.query.clone().map_or(Which::All, Which::Query),
            sample: self.sample.map(|size| size as usize),
            seed: self.seed,
            identities: replica.identities,
            rate_per_s: self.rate.map(f64::from),
            deadline_ms: Some(replica.both.deadline_ms(limit.saturating_duration_since(Instant::now()))),
            ..Options::default()
        };
        let on_progress = |report: &Report| {
            let looked: u64 = report.totals.values().sum();
            output.status(&format!("devices looked at: {looked} of {}", report.fleet));
        };
        let report = readiness::sweep(&replica.both.regions(), &options, &on_progress).await?;
        output.finish();
        if self.json {
            let (primary, secondary) = (&reached.aws.primary.region, &reached.aws.secondary.region);
            let (postfix, ready) = (&self.at.postfix, report.is_ready());
            let swept = Swept { postfix, primary, secondary, ready, report: &report };
            data(&serde_json::to_string_pretty(&swept)?);
        } else {
            data(report.to_string().trim_end());
        }
        Ok(exit(&report))
    }
}

fn unsaid(why: &str) -> ExitCode {
    to_stderr(&format!("it cannot be said: {why}"));
    ExitCode::Inconclusive
}

/// That a device is not ready outranks that of another it is not known.
fn exit(report: &Report) -> ExitCode {
    let is_kept_out = report.of(Standing::NotReady) > 0 || !report.authorities.is_empty();
    match (is_kept_out, report.is_ready()) {
        (true, _) => ExitCode::Missed,
        (false, true) => ExitCode::Pass,
        (false, false) => ExitCode::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use replicator::compare::Difference;

    use super::*;

    #[test]
    fn what_is_not_known_is_not_ready_and_what_is_not_ready_outranks_it() {
        let exit_of = |totals: &[(Standing, u64)]| {
            exit(&Report { totals: totals.iter().copied().collect(), ..Report::default() })
        };
        assert_eq!(exit_of(&[]), ExitCode::Inconclusive, "nothing was looked at");
        assert_eq!(exit_of(&[(Standing::Ready, 3), (Standing::NoCertificate, 1)]), ExitCode::Pass);
        assert_eq!(exit_of(&[(Standing::Ready, 3), (Standing::Unknown, 1)]), ExitCode::Inconclusive);
        assert_eq!(exit_of(&[(Standing::NotReady, 1), (Standing::Unknown, 1)]), ExitCode::Missed);
        let mut report = Report { totals: [(Standing::BringsIdentity, 3)].into(), ..Report::default() };
        assert_eq!(exit(&report), ExitCode::Pass);
        report.authorities_unknown = Some("the time was up".to_owned());
        assert_eq!(exit(&report), ExitCode::Inconclusive);
        report.authorities.push(Difference::AuthorityInactive("ab".to_owned()));
        assert_eq!(exit(&report), ExitCode::Missed, "it keeps out all of its devices");
    }
}
