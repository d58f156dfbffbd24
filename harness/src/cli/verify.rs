//! `gameday verify`: a device goes the whole way through a deployment.

use std::{panic::AssertUnwindSafe, path::PathBuf, sync::Arc};

use clap::Args;
use futures::FutureExt;
use gameday_report::{ExitCode, Verdict};
use parking_lot::Mutex;
use serde::Serialize;

use super::{
    at::{At, Reached},
    block_on,
    kept::Kept,
};
use crate::{
    deploy::Replica,
    fleet::Resolver,
    log,
    names::new_id,
    output::{Output, data, to_stderr},
    scenario::Span,
    stop::stop_on_signal,
    verify::{Check, Kind, Verification, has_passed},
};

/// On AWS the deletion of certificates and policies is told by CloudTrail: within a quarter of an hour, and then it travels.
const IDENTITIES_ON_AWS: Span = Span::seconds(20 * 60);
/// What an interrupt is answered with.
const STOPPING: &str = "stopping: what was made is deleted in both Regions";

/// Arguments of `gameday verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gameday verify
  gameday verify --within 15s --json

A device is made in the primary, and then

  MATCH            thing, certificate and its status, and the policy with its Region rewritten are in the secondary
  PUBSUB           in each Region: it connects with its certificate, subscribes, and 5 messages come back to it
  SHADOW           written in the primary, the same in the secondary
  DELETE           thing and shadow, deleted in the primary, are gone from both Regions
  DELETE-IDENTITY  the same of certificate and policy

Everything is removed afterwards, after an interrupt, too. What is made is written down before,
in <out>/verify/<time>-<id>, with the command that undoes it by hand; the folder goes when all is
undone.

Exits with 0 if every check passed, with 10 if one failed, with 11 if one could not be made, with
13 if it was stopped, and with 20 if something is left, which is named.")]
pub(super) struct Verify {
    #[command(flatten)]
    at: At,
    /// What each check may take.
    #[arg(long, value_name = "TIME", default_value = "30s")]
    within: Span,
    /// What the deletion of certificate and policy may take; without it as much as the others, on AWS 20 minutes, since it is told
    /// late there.
    #[arg(long, value_name = "TIME")]
    identities_within: Option<Span>,
    /// Where the undo journal is.
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    id: &'a str,
    postfix: &'a str,
    primary: &'a str,
    secondary: &'a str,
    verdict: Verdict,
    checks: &'a [Check],
    left: &'a [String],
}

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            log::to_stderr();
            let output = Arc::new(Output::new());
            let done = Box::pin(self.verify(&output)).await;
            output.finish();
            done
        })
    }

    async fn verify(&self, output: &Arc<Output>) -> anyhow::Result<ExitCode> {
        let reached = self.at.reach().await?;
        let replica = match Replica::find(&reached.aws, &self.at.postfix).await {
            Ok(found) => found.ok_or_else(|| self.at.nothing())?,
            Err(error) => return Ok(unsaid(&format!("{error:#}"))),
        };
        if !replica.identities {
            return Ok(unsaid(
                "in just-in-time mode devices bring their certificates; gameday fleet create --by just-in-time makes such",
            ));
        }
        let place = match reached.place().await {
            Ok(place) => place,
            Err(error) => return Ok(unsaid(&format!("{error:#}"))),
        };
        let resolver = match reached.twin() {
            Some(endpoints) => Resolver::new(endpoints)?,
            None => Resolver::of_machine()?,
        };
        let id = new_id();
        let kept = Kept::create(&self.out, "verify", &id)?;
        let stop = stop_on_signal(output, STOPPING)?;
        let verification = Verification {
            id: id.clone(),
            aws: &reached.aws,
            both: &replica.both,
            place: &place,
            resolver: Arc::new(resolver),
            journal: &kept.journal,
            output,
            stop: stop.clone(),
            within: *self.within,
            identities_within: *self.identities_within(&reached),
            certificate_id: Mutex::default(),
        };
        let mut tell = |check: &Check| {
            if self.json { output.line(&check.to_string()) } else { output.data(&check.to_string()) }
        };
        let checked = AssertUnwindSafe(verification.run(&mut tell)).catch_unwind().await;
        let has_come = checked.as_ref().is_ok_and(|checks| has_passed(checks, Kind::Match));
        let left = verification.undo(has_come).await;
        output.finish();
        drop(verification);
        kept.close(&left);
        let checks = checked.map_err(|_| anyhow::anyhow!("gameday panicked; see its output"))?;
        let verdict = Verdict::combine(checks.iter().map(|check| check.verdict));
        if self.json {
            let (primary, secondary) = (&reached.aws.primary.region, &reached.aws.secondary.region);
            let postfix = &self.at.postfix;
            let told = Told { id: &id, postfix, primary, secondary, verdict, checks: &checks, left: &left };
            data(&serde_json::to_string_pretty(&told)?);
        }
        Ok(exit(verdict, !left.is_empty(), stop.is_cancelled()))
    }

    fn identities_within(&self, reached: &Reached) -> Span {
        let default = if reached.twin().is_some() { self.within } else { self.within.max(IDENTITIES_ON_AWS) };
        self.identities_within.unwrap_or(default)
    }
}

fn unsaid(why: &str) -> ExitCode {
    to_stderr(&format!("it cannot be said: {why}"));
    ExitCode::Inconclusive
}

fn exit(verdict: Verdict, is_left: bool, is_stopped: bool) -> ExitCode {
    match verdict {
        _ if is_left => ExitCode::UndoIncomplete,
        Verdict::Fail => ExitCode::Missed,
        Verdict::Pass => ExitCode::Pass,
        Verdict::Unknown if is_stopped => ExitCode::Operator,
        Verdict::Unknown => ExitCode::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d46_a_check_that_failed_is_never_a_success() {
        assert_eq!(exit(Verdict::Pass, false, false), ExitCode::Pass);
        assert_eq!(exit(Verdict::Fail, false, true), ExitCode::Missed);
        assert_eq!(exit(Verdict::Unknown, false, false), ExitCode::Inconclusive);
        assert_eq!(exit(Verdict::Unknown, false, true), ExitCode::Operator);
        assert_eq!(exit(Verdict::Pass, true, false), ExitCode::UndoIncomplete);
    }
}
