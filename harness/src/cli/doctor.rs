//! `gameday doctor`.

use clap::Args;
use gameday_report::{
    ExitCode,
    record::{Preflight, PreflightOutcome},
};
use serde_json::json;

use super::{block_on, started::Started};
use crate::{
    log,
    output::{data, to_stderr},
    preflight,
};

/// Arguments of `gameday doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday doctor scenarios/region-failover.toml
  gameday doctor scenarios/region-failover.toml --target targets/staging.toml --json

What `gameday run` looks at before it changes anything, and nothing else: nothing is changed. Exits
with 0 if a run would go on, with 14 if it would be refused, and with 11 if something could not be
looked at, which refuses a run as well.")]
pub(super) struct Doctor {
    #[command(flatten)]
    started: Started,
    /// Print the checks as JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let options = match self.started.options(None)? {
            Ok(options) => options,
            Err(why) => {
                to_stderr(&format!("refused, nothing was changed: {why}"));
                return Ok(ExitCode::Refused);
            }
        };
        log::to_stderr();
        block_on(async {
            let looked = crate::run::look(&options).await;
            let exit = match &looked {
                Ok(preflight) => {
                    if self.json {
                        data(&serde_json::to_string_pretty(&json!({
                            "target": options.target, "scenario": options.scenario_path,
                            "exit_code": exit(preflight).code(), "checks": preflight.checks,
                        }))?);
                    } else {
                        data(preflight::table(preflight).trim_end());
                    }
                    exit(preflight)
                }
                Err(error) => {
                    to_stderr(&format!("refused, nothing was changed: {error:#}"));
                    ExitCode::Refused
                }
            };
            Ok(exit)
        })
    }
}

/// What is refused outranks what is unknown.
fn exit(preflight: &Preflight) -> ExitCode {
    let worst = preflight.checks.iter().filter(|check| !check.ignored).map(|check| check.outcome).max();
    match worst {
        Some(PreflightOutcome::Refused) => ExitCode::Refused,
        Some(PreflightOutcome::Unknown) | None => ExitCode::Inconclusive,
        Some(PreflightOutcome::Passed | PreflightOutcome::Warned) => ExitCode::Pass,
    }
}

#[cfg(test)]
mod tests {
    use gameday_report::record::PreflightCheck;

    use super::*;

    #[test]
    fn what_is_not_known_is_no_pass() {
        use PreflightOutcome::{Passed, Refused, Unknown, Warned};
        let of = |outcomes: &[(PreflightOutcome, bool)]| {
            let check = |(outcome, ignored): &(PreflightOutcome, bool)| PreflightCheck {
                name: "x".to_owned(),
                label: "X".to_owned(),
                outcome: *outcome,
                why: "y".to_owned(),
                ignored: *ignored,
            };
            exit(&Preflight { checks: outcomes.iter().map(check).collect() })
        };
        assert_eq!(of(&[(Passed, false), (Warned, false)]), ExitCode::Pass);
        assert_eq!(of(&[(Passed, false), (Unknown, false)]), ExitCode::Inconclusive);
        assert_eq!(of(&[(Unknown, false), (Refused, false)]), ExitCode::Refused);
        assert_eq!(of(&[(Passed, false), (Refused, true)]), ExitCode::Pass);
    }
}
